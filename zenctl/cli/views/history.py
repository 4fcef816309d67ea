"""Shows applies: one line each, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from zenctl.cli.views.style import Style, pad
from zenctl.durations import text_of_seconds

if TYPE_CHECKING:
    from zenctl.metadata.applies import Apply

_HEADINGS = ("SERIAL", "BEGAN", "TOOK", "RESULT", "BY", "COMMAND")


def history_rows(applies: Sequence[Apply], style: Style) -> list[str]:
    """A heading and a line for each."""
    rows = [_row(apply) for apply in applies]
    widths = [max(len(row[at]) for row in (_HEADINGS, *rows)) for at in range(len(_HEADINGS) - 1)]
    drawn = [style.dim(_line(_HEADINGS, widths))]
    colours = {"complete": style.green, "running": style.cyan, "interrupted": style.yellow}
    for row in rows:
        cells = [pad(cell, width) for cell, width in zip(row[:-1], widths, strict=True)]
        cells[3] = colours.get(row[3], style.red)(cells[3])
        drawn.append("  ".join([*cells, row[-1]]).rstrip())
    return drawn


def history_document(applies: Sequence[Apply], workspace: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "format_version": "1.0",
        "workspace": workspace,
        "applies": [apply_document(apply) for apply in applies],
    }


def apply_document(apply: Apply) -> dict[str, Any]:
    """One apply for programs."""
    return {
        "serial": apply.serial,
        "result": apply.outcome,
        "began": _iso(apply.holder.since_ms),
        "ended": _iso(apply.ended_ms) if apply.ended_ms else None,
        "user": apply.holder.user,
        "host": apply.holder.host,
        "pid": apply.holder.pid,
        "command": apply.holder.command,
    }


def _row(apply: Apply) -> tuple[str, ...]:
    holder = apply.holder
    began = datetime.fromtimestamp(holder.since_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    took = text_of_seconds(max(0, apply.ended_ms - holder.since_ms) / 1000) if apply.ended_ms else ""
    return str(apply.serial), began, took, apply.outcome, who(apply), holder.command


def who(apply: Apply) -> str:
    """`ada@host`"""
    holder = apply.holder
    return f"{holder.user}@{holder.host}" if holder.user else holder.host


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*(pad(cell, width) for cell, width in zip(cells[:-1], widths, strict=True)), cells[-1]]).rstrip()


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="milliseconds")
