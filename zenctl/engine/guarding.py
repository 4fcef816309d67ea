"""Guards zenctl from a provider's mistakes: what it raises or gives against the contract becomes its ProviderError."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from zenctl.diagnostics import DiagnosticError
from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.provider import (
    EndpointPlan,
    EndpointState,
    ErrorKind,
    JobState,
    JobStatus,
    LogChunk,
    MachinePool,
    MachineTemplate,
    Misfit,
    ProviderError,
)
from zenctl.provider.mistakes import Author, reason

T = TypeVar("T")

PASSED = (ProviderError, StorageError, DiagnosticError, OSError)
"""What a provider may raise. An OSError may be of a file that it was given."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "provider": ("configure", "compute", "processing", "endpoint", "storage", "close"),
    "backend": ("handle", "submit", "status", "logs", "cancel", "release"),
    "processing backend": ("options",),
    "endpoint type": ("read", "plan", "create", "update", "delete"),
    "artifact store": ("open", "put", "stat", "list", "delete"),
}
"""The methods that each must have."""

GIVES: Mapping[str, tuple[type, ...]] = {
    "status": (JobStatus,),
    "logs": (LogChunk,),
    "misfit": (Misfit, type(None)),
    "template": (MachineTemplate,),
    "machine": (str,),
    "read": (EndpointState, type(None)),
    "find": (EndpointState, type(None)),
    "plan": (EndpointPlan,),
    "create": (EndpointState,),
    "update": (EndpointState,),
}
"""What methods give, where that can be told from the type."""

PLAIN = frozenset({"handle", "submit", "options"})
"""Methods that give plain data: what is no JSON cannot be recorded."""


def guarded(thing: T, what: str, provider: str, author: Author) -> T:
    """The same object of a provider, of which `what` is one of REQUIRED. The local folder as a store is left alone.

    Raises ProviderError(INVALID) if a method is missing.
    """
    if isinstance(thing, FolderStorage):
        return thing
    missing = [name for name in REQUIRED[what] if not callable(getattr(thing, name, None))]
    if missing:
        whose = f"the {provider} provider" if what == "provider" else f"the {what} of the {provider} provider"
        message = f"{whose} is a {type(thing).__name__}, which lacks the methods {', '.join(missing)}"
        raise ProviderError(ErrorKind.INVALID, message, author.blamed())
    return cast(T, _Guarded(thing, provider, author))


class _Guarded:
    """Stands for an object of a provider: of the same class to whoever asks, with the same attributes."""

    __slots__ = ("_author", "_provider", "_thing")

    def __init__(self, thing: object, provider: str, author: Author) -> None:
        self._thing = thing
        self._provider = provider
        self._author = author

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance asks this, and takes it for what it stands for
        return type(self._thing)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if not callable(found) or name.startswith("_"):
            return found
        return _method(found, name, f"the {self._provider} provider's method {name}", self._author)


def _method(call: Callable[..., Any], name: str, what: str, author: Author) -> Callable[..., Any]:
    def method(*args: Any, **named: Any) -> Any:
        try:
            answer = call(*args, **named)
        except PASSED as problem:
            kind: Any = getattr(problem, "kind", None)
            if isinstance(problem, ProviderError) and not isinstance(kind, ErrorKind):
                message = f"{what} raised a ProviderError of the kind {kind!r}, which is no ErrorKind: {problem}"
                raise ProviderError(ErrorKind.INVALID, message, author.blamed(problem)) from problem
            raise
        except (Exception, SystemExit) as problem:
            message = f"{what} failed with {reason(problem)}"
            raise ProviderError(ErrorKind.INVALID, message, author.blamed(problem)) from problem
        wrong = _wrong(name, answer) or (_wrong_log(answer, args[1]) if name == "logs" else "")
        if wrong:
            raise ProviderError(ErrorKind.INVALID, f"{what} gives {wrong}", author.blamed())
        return answer

    return method


def _wrong(name: str, answer: Any) -> str:
    """What is wrong with what a method gave; '' if nothing is."""
    types = GIVES.get(name)
    if types is not None and not isinstance(answer, types):
        return f"a {type(answer).__name__}, not {_names(types)}"
    state: Any = getattr(answer, "state", None)
    if name == "status" and not isinstance(state, JobState):
        return f"a JobStatus whose state is {state!r}, not a JobState"
    if name == "pools" and not isinstance(answer, (list, tuple)):
        return f"a {type(answer).__name__}, not a list or tuple of pools"
    if name == "pools" and (strange := [pool for pool in answer if not isinstance(pool, MachinePool)]):
        return f"a {type(strange[0]).__name__} among its pools, not a MachinePool"
    if name in PLAIN:
        if not isinstance(answer, Mapping):
            return f"a {type(answer).__name__}, not a mapping"
        try:
            json.dumps(dict(answer), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as problem:
            return f"what is not plain JSON: {problem}"
    if name in ("read", "create", "update", "find") and answer is not None:
        return _wrong("options", answer.attributes).replace("a mapping", "a mapping of attributes")
    return ""


def _wrong_log(chunk: Any, offset: int) -> str:
    """What is wrong with a part of a log: one that leads back would be read for ever."""
    if not (isinstance(chunk.text, str) and isinstance(chunk.next_offset, int)):
        return f"a LogChunk of {type(chunk.text).__name__} and {type(chunk.next_offset).__name__}, not str and int"
    # Text beside the log, such as what a machine says while it boots, does not count in offsets.
    if chunk.next_offset < offset:
        return f"text at offset {offset}, and {chunk.next_offset} as the offset to ask for next"
    return ""


def _names(types: tuple[type, ...]) -> str:
    return " or ".join("None" if type_ is type(None) else f"a {type_.__name__}" for type_ in types)
