"""Shows workspaces: their names, which is the current one, and when those with a time to live end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from zenctl.cli.views.style import Style, pad
from zenctl.durations import text_of_seconds

if TYPE_CHECKING:
    from zenctl.metadata.workspaces import Workspace


def workspace_rows(workspaces: Sequence[Workspace], current: str, now_ms: int, style: Style) -> list[str]:
    """One line each, `* ` before the current one; a current one that is not there yet is added."""
    rows = {item.name: (f"{ending(item, now_ms)}" if item.ttl_seconds else "") for item in workspaces}
    if current and current not in rows:
        rows[current] = "not there yet"
    width = max((len(name) for name in rows), default=0)
    drawn = []
    for name in sorted(rows):
        line = f"{'* ' if name == current else '  '}{pad(name, width)}  {style.dim(rows[name])}"
        drawn.append(line.rstrip() if rows[name] else f"{'* ' if name == current else '  '}{name}")
    return drawn


def ending(item: Workspace, now_ms: int) -> str:
    """`ends 2026-11-28 22:10 UTC, in 2d23h` or `ended ..., 3h ago`."""
    when = datetime.fromtimestamp(item.expires_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    span = text_of_seconds(abs(item.expires_ms - now_ms) / 1000)
    return f"ended {when}, {span} ago" if item.expired(now_ms) else f"ends {when}, in {span}"


def workspaces_document(workspaces: Sequence[Workspace], current: str, now_ms: int) -> dict[str, Any]:
    """The same for programs."""
    return {
        "format_version": "1.0",
        "current": current,
        "workspaces": [
            {
                "name": item.name,
                "current": item.name == current,
                "ttl_seconds": item.ttl_seconds or None,
                "expires": _iso(item.expires_ms) if item.expires_ms else None,
                "expired": item.expired(now_ms),
            }
            for item in workspaces
        ],
    }


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="seconds")
