"""Shows what garbage collection frees, by address, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.style import Style, columns, pad, plural, size
from zenctl.diagnostics import Diagnostic
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from zenctl.engine.collecting import Collected, Garbage

_HEADINGS = ("ADDRESS", "VERSIONS", "FILES", "SIZE")
_STAGING = "what no record names"


def garbage_lines(garbage: Garbage, style: Style) -> list[str]:
    """A row for each address, one for what no record names, the sum, and what stays until it is settled."""
    held = sum(info.size for info in garbage.held)
    note = f"{size(held)} stay that an interrupted apply may have left; the next apply settles that."
    notes = [note] if garbage.held else []
    if garbage.is_empty:
        return ["There is nothing to free.", *notes]
    rows = [(g.address, f"{g.versions:,}", f"{g.files:,}", size(g.bytes)) for g in garbage.groups]
    if garbage.staging:
        staged = sum(info.size for info in garbage.staging)
        rows.append((_STAGING, "", f"{len(garbage.staging):,}", size(staged)))
    widths = [max(columns(row[at]) for row in (_HEADINGS, *rows)) for at in range(len(_HEADINGS))]
    lines = [style.dim(_line(_HEADINGS, widths)), *(_line(row, widths) for row in rows)]
    return [*lines, "", f"{summary(garbage)}, {style.bold(size(garbage.bytes))} in all.", *notes]


def summary(garbage: Garbage) -> str:
    """`3 versions of 2 addresses and 4 abandoned files`"""
    parts = []
    if garbage.groups:
        versions = sum(group.versions for group in garbage.groups)
        parts.append(f"{plural(versions, 'version')} of {plural(len(garbage.groups), 'address', 'addresses')}")
    if garbage.staging:
        parts.append(plural(len(garbage.staging), "abandoned file"))
    return " and ".join(parts)


def collected_line(collected: Collected, style: Style) -> str:
    """What is gone."""
    done = f"Freed {plural(collected.files, 'file')}, {size(collected.bytes)}."
    return f"{style.green(done)} What was recorded of them stays." if collected.finished else style.yellow(done)


def garbage_document(
    garbage: Garbage | None, collected: Collected | None, diagnostics: Sequence[Diagnostic], sources: Sources
) -> dict[str, Any]:
    """`state gc -json`: what was found, and what of it was freed; `freed` is null of a dry run."""
    staging = garbage.staging if garbage is not None else ()
    return {
        "format_version": "1.0",
        "garbage": None
        if garbage is None
        else {
            "addresses": [
                {
                    "address": group.address,
                    "workspaces": list(group.workspaces),
                    "versions": group.versions,
                    "files": group.files,
                    "bytes": group.bytes,
                }
                for group in garbage.groups
            ],
            "staging": {"files": len(staging), "bytes": sum(info.size for info in staging)},
            "held": {"files": len(garbage.held), "bytes": sum(info.size for info in garbage.held)},
            "files": len(garbage.objects) + len(staging),
            "bytes": garbage.bytes,
        },
        "freed": None
        if collected is None
        else {"files": collected.files, "bytes": collected.bytes, "finished": collected.finished},
        "diagnostics": [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in diagnostics],
    }


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers = zip(cells, widths, strict=True)
    return "  ".join([pad(*first), *(" " * (width - columns(cell)) + cell for cell, width in numbers)]).rstrip()
