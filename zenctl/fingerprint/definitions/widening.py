"""A place in code that reaches more than its text names, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


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
