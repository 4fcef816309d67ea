"""Draws what changed in the source of a plan's steps, each change of a file once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.cli.views import patch
from zenctl.cli.views.style import Style, printable

_INDENT = " " * 6


class CodeDiffs:
    """Remembers which differences were drawn: a helper that many steps share is drawn for the first of them."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._drawn: dict[str, str] = {}

    def of(self, change: Mapping[str, Any]) -> list[str]:
        """The lines for a `resource_changes` item; none if its code has not changed."""
        if not any(reason["reason"] == "CODE_CHANGED" for reason in change["stale_because"]):
            return []
        found = change.get("code_diff")
        if found is None:
            return [self._note("no differences of code were saved with this plan: plan again with -diff-code")]
        if found["note"]:
            return [self._note(f"no differences of code: {found['note']}")]
        lines: list[str] = []
        for path, text in found["files"].items():
            first = self._drawn.setdefault(text, change["address"])
            if first != change["address"]:
                lines.append(self._note(f"{path}: the same change as in {first}"))
                continue
            drawn = patch.drawn([f"{line}\n" for line in text.split("\n")[:-1]], self._style)
            lines += ["", *(f"{_INDENT}{line}".rstrip() for line in drawn.split("\n")[:-1])]
        return lines or [self._note("no differences of code: the files are the same, what counts of them is not")]

    def _note(self, text: str) -> str:
        return _INDENT + self._style.dim(f"({printable(text)})")
