"""Tells a provider's mistakes from zenctl's: where in whose code an exception began, and what to do about it."""

from __future__ import annotations

import traceback
from importlib import metadata

from zenctl.lazy_dataclasses import dataclass

OWN = __name__.partition(".")[0]
"""The package that is never to blame here."""

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
