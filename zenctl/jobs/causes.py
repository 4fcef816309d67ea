"""Walks what an error was raised from, each error once: a chain of errors can lead back to itself."""

from __future__ import annotations

from typing import Iterator, Set


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error itself, and what it was raised from or while, in turn."""
    seen: Set[int] = set()
    at = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__  # type: ignore[assignment]


def innermost_reason(error: BaseException) -> str:
    """What the first error of the chain says, such as `Connection refused`; interruptions do not count."""
    first = error
    for first in causes(error):
        if not isinstance(first.__cause__ or first.__context__, Exception):
            break
    return getattr(first, "strerror", None) or str(first)
