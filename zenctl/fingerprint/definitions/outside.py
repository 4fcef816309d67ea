"""Follows names of the standard library and of packages: what they can load, run, list or read of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.fingerprint.definitions.names import Bindings
from zenctl.fingerprint.definitions.watched import (
    HINT_CALLS,
    IMPORTED,
    LISTS_NAMES,
    LITERAL_IMPORTS,
    NAMED,
    OWN,
    PROCESSES,
    PROJECT,
    VARS,
)
from zenctl.fingerprint.definitions.widening import EVERY_NAME, Widening

if TYPE_CHECKING:
    from zenctl.fingerprint.definitions.reach import Reach


def follow_outside(reach: Reach, file: str, name: str, line: int, local: Bindings | None) -> None:
    """A dotted name from outside is used in a file; `local` are imports inside of the function that uses it."""
    for part in _prefixes(name):
        shown = part.replace("builtins.", "")
        if part in PROJECT or part in LITERAL_IMPORTS:
            reach.widen_folders(("",), file, line, shown, "can load files, or run texts, that are not named here")
        elif part in IMPORTED:
            why = "can reach any definition of a module that is loaded"
            reach.take_everything(Widening(file, line, shown, why))
        elif part in OWN:
            reach.widen_file(file, file, line, f"{shown}()", EVERY_NAME)
            for bound in local or ():
                reach.mention(file, (bound,), line, local)
        elif part in NAMED or part in LISTS_NAMES:
            # Not called, or its call would have been looked into: it is handed on as a value.
            reach.all_methods("", Widening(file, line, shown, "looks up an attribute by a computed name", methods=True))
            if part == VARS:
                reach.attribute("__dict__", file, line)
        elif part in HINT_CALLS:
            reach.mark(frozenset({"hints"}))
        elif part in PROCESSES and not reach.main:
            reach.run_mains()


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
