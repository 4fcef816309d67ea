"""Compares what a job wrote with what is recorded of an earlier one: by digest, then by files and metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.jobs.artifacts import Tree
from zenctl.lazy_dataclasses import dataclass

MISSING: Any = None
"""Stands for a file or value that one side does not have."""


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file of an artifact that differs: its bytes on either side, None where it is not there."""

    path: str
    recorded: int | None
    reproduced: int | None


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """One output: content digests on either side, and where they differ.

    `files` is None where the recorded artifact is not in the store any more. `metrics` are all values that either side
    reports, (recorded, reproduced) by name: equal ones too, to be seen side by side.
    """

    name: str
    type: str
    recorded: str
    reproduced: str
    files: tuple[FileDifference, ...] | None = ()
    metrics: Mapping[str, tuple[Any, Any]] = field(default_factory=dict, hash=False)

    @property
    def equal(self) -> bool:
        return self.recorded == self.reproduced


def differing_files(recorded: Tree, reproduced: Tree) -> tuple[FileDifference, ...]:
    """The files that are not the same in both, by path."""
    old = {file.path: file for file in recorded.files}
    new = {file.path: file for file in reproduced.files}
    found = []
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before is None or after is None or before.sha256 != after.sha256:
            found.append(FileDifference(path, before.size if before else None, after.size if after else None))
    return tuple(found)


def side_by_side(recorded: Mapping[str, Any], reproduced: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Every plain value of either, in the order of the recorded ones."""
    names = [*recorded, *(name for name in reproduced if name not in recorded)]
    pairs = {name: (recorded.get(name, MISSING), reproduced.get(name, MISSING)) for name in names}
    return {name: pair for name, pair in pairs.items() if all(_is_plain(value) for value in pair)}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))
