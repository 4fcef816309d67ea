"""What `convert` was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass

Syntax = Literal["hcl", "yaml"]
_SYNTAXES: dict[str, Syntax | None] = {"": None, "hcl": "hcl", "yaml": "yaml"}


@dataclass(frozen=True, slots=True)
class ConvertArguments:
    """Of `zenctl convert`; without `to` each file becomes the other syntax. `replace` implies `write`."""

    files: tuple[str, ...] = ()
    to: Syntax | None = None
    write: bool = False
    replace: bool = False
    force: bool = False
    json: bool = False


def convert_arguments(
    files: Sequence[str], to: str, *, write: bool, replace: bool, force: bool, json: bool, found: list[Diagnostic]
) -> ConvertArguments:
    """Check the flags of `convert`."""
    if to not in _SYNTAXES:
        found.append(error("bad_argument", f'-to="{to}" is no syntax', "Write -to=yaml or -to=hcl."))
    if force and not (write or replace):
        found.append(error("bad_argument", "-force does nothing here", "It belongs to -write or -replace."))
    return ConvertArguments(tuple(files), _SYNTAXES.get(to), write or replace, replace, force, json)
