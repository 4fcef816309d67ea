"""Tells a provider's mistakes from zenctl's: where in whose code an exception began, and what to do about it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import BackendType, BlockModel, EndpointType, ProviderSchema, StoreType

OWN = __name__.partition(".")[0]
"""The package that is never to blame here."""

TYPES: Mapping[str, type] = {"backend": BackendType, "endpoint": EndpointType, "artifact store": StoreType}
"""What describes a type of each kind of block."""

LONGEST = 300
"""Characters of an exception's text that are shown."""


@dataclass(frozen=True, slots=True)
class Author:
    """Whose code something is: the distribution that a provider was installed with, and its Python package."""

    distribution: str = ""
    package: str = ""

    def __str__(self) -> str:
        if not self.distribution:
            return self.package or "the provider"
        try:
            return f"{self.distribution} {metadata.version(self.distribution)}"
        except metadata.PackageNotFoundError:
            return self.distribution

    def blamed(self, problem: BaseException | None = None) -> str:
        """Sentences for the user: that it is this code's mistake, where it is, and what to do."""
        place = self._place(problem) if problem is not None else ""
        return f"This is a mistake in {self}{place}, not in zenctl. Tell its author, or install another version of it."

    def _place(self, problem: BaseException) -> str:
        """` (FILE:LINE)` of the innermost frame of its package, else of the innermost one that is not zenctl's."""
        frames = [
            (str(frame.f_globals.get("__name__", "")).partition(".")[0], frame.f_code.co_filename, line)
            for frame, line in traceback.walk_tb(problem.__traceback__)
        ]
        # A module that cannot be compiled has no frame: the error knows its place.
        if isinstance(problem, SyntaxError) and problem.filename:
            return f" ({problem.filename}:{problem.lineno or 1})"
        own = [frame for frame in frames if self.package and frame[0] == self.package]
        others = [frame for frame in frames if frame[0] not in (OWN, "importlib", "")]
        for _, file, line in reversed(own or others):
            return f" ({file}:{line})"
        return ""


def reason(problem: BaseException) -> str:
    """An exception in one line of at most a few hundred characters."""
    text = " ".join(str(problem).split())
    name = type(problem).__name__
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..."
    return f"{name}: {text}" if text else name


def unfit(made: Any, name: str) -> str:
    """What is wrong with what was loaded as a provider; '' if nothing is."""
    if not callable(getattr(made, "schema", None)):
        return f"its entry point gives a {type(made).__name__}, which has no method schema"
    if getattr(made, "name", None) != name:
        return f"its entry point is called {name}, and its attribute name is {getattr(made, 'name', None)!r}"
    version = getattr(made, "version", None)
    if not isinstance(version, str) or not version:
        return f"its attribute version is {version!r}, not a text such as '1.0'"
    return ""


def unfit_schema(found: Any, name: str) -> str:
    """What is wrong with what the provider of this name gave as its schema; '' if nothing is."""
    if not isinstance(found, ProviderSchema):
        return f"its method schema gives a {type(found).__name__}, not a ProviderSchema"
    if found.name != name:
        return f"its schema is that of a provider {found.name!r}"
    if not _is_model(found.config):
        return f"the config of its schema is {found.config!r}, not a BlockModel"
    kinds = (("backend", found.backends), ("endpoint", found.endpoints), ("artifact store", found.stores))
    for kind, types in kinds:
        for key, offered in types.items():
            what = f'the {kind} type "{key}" of its schema'
            if not isinstance(offered, TYPES[kind]):
                return f"{what} is a {type(offered).__name__}, not a {TYPES[kind].__name__}"
            if offered.name != key:
                return f"{what} calls itself {offered.name!r}"
            if not _is_model(offered.model):
                return f"the model of {what} is {offered.model!r}, not a BlockModel"
    return ""


def _is_model(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BlockModel)
