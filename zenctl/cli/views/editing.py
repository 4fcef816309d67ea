"""Shows what `state rm` forgot and where `state mv` moved results to, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.style import Style, plural, printable
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zenctl.diagnostics import Diagnostic
    from zenctl.engine.editing import Left, MoveOutcome, RemoveOutcome


def removed_lines(outcome: RemoveOutcome, style: Style, *, dry_run: bool) -> list[str]:
    """A line for each address, what runs on and how to get hold of it again, and the sum."""
    lines = [f"{'Would forget' if dry_run else 'Forgot'} {address}" for address in outcome.removed]
    for left in outcome.left:
        lines += ["", *_left_lines(left, style, dry_run=dry_run)]
    total = plural(len(outcome.removed), "address", "addresses")
    if dry_run:
        return [*lines, "", f"{total} would be forgotten. Nothing was changed (-dry-run)."]
    return [
        *lines,
        "",
        f"{style.bold(f'{total} forgotten.')} It is recorded as apply {outcome.serial}. Artifacts and history stay.",
    ]


def moved_lines(outcome: MoveOutcome, style: Style, *, dry_run: bool) -> list[str]:
    """A line for each address, and the sum."""
    lines = [f"{'Would move' if dry_run else 'Moved'} {old} to {new}" for old, new in outcome.moved.items()]
    total = plural(len(outcome.moved), "address", "addresses")
    if dry_run:
        return [*lines, "", f"{total} would move. Nothing was changed (-dry-run)."]
    done = style.bold(f"{total} moved.")
    return [*lines, "", f"{done} It is recorded as apply {outcome.serial}. Rename it in the configuration too."]


def removed_document(outcome: RemoveOutcome, sources: Sources) -> dict[str, Any]:
    """`state rm -json`; `serial` is null where nothing was recorded."""
    left = [{"address": item.address, "name": item.name, "url": item.url or None} for item in outcome.left]
    return {
        "format_version": "1.0",
        "serial": outcome.serial or None,
        "removed": list(outcome.removed),
        "left_running": left,
        "diagnostics": _diagnostics(outcome.diagnostics, sources),
    }


def moved_document(outcome: MoveOutcome, sources: Sources) -> dict[str, Any]:
    """`state mv -json`; `serial` is null where nothing was recorded."""
    return {
        "format_version": "1.0",
        "serial": outcome.serial or None,
        "moved": [{"from": old, "to": new} for old, new in outcome.moved.items()],
        "diagnostics": _diagnostics(outcome.diagnostics, sources),
    }


def _left_lines(left: Left, style: Style, *, dry_run: bool) -> list[str]:
    where = f" at {printable(left.url)}" if left.url else ""
    address = f"'{left.address}'" if "[" in left.address else left.address
    name = printable(left.name)
    runs = "would run" if dry_run else "runs"
    return [
        f"{style.yellow(left.address)} {runs} on{where}, and zenctl knows it no more.",
        f"  To manage it again:  zenctl import {address} {name}",
        f"  To stop it:          that, then zenctl destroy -target={address}",
    ]


def _diagnostics(diagnostics: Sequence[Diagnostic], sources: Sources) -> list[dict[str, Any]]:
    return [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in diagnostics]
