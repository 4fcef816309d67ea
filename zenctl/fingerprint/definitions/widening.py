"""A place in code that reaches more than its text names, as plain data."""

from __future__ import annotations

from zenctl.lazy_dataclasses import dataclass

EVERY_NAME = "can reach every name of the module"
AS_A_VALUE = "hands the module on as a value"

LISTING = frozenset({EVERY_NAME, AS_A_VALUE})
"""Reasons for which the names of a module may be listed, so that their order shows."""


@dataclass(frozen=True)
class Widening:
    """A place that reaches more than its text names.

    `file` is a module of which every definition counts, `folder` a folder of which every Python file does ("" is the
    project). With `methods` it is every method of the classes; with none of these every definition of every module that
    is loaded. `place` is the file it stands in, `what` the place's own text, `why` what that does.
    """

    place: str
    line: int
    what: str
    why: str
    file: str | None = None
    folder: str | None = None
    methods: bool = False
