"""Shows how far the copying of a metadata store is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.progress import HEARTBEAT_SECONDS
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from zenctl.engine.migrating import Migrated, MigrateOutcome


class Copying:
    """Follows the copying: a line that is written over on a terminal, else one every ten seconds."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._spoken = clock()

    def __call__(self, done: int, of: int) -> None:
        """Take how many nodes are done."""
        text = f"Copying: {done:,} of {of:,} records"
        if self._terminal.live:
            self._terminal.out.write(f"\r{text}" + ("\n" if done == of else ""))
            self._terminal.out.flush()
        elif self._clock() - self._spoken >= HEARTBEAT_SECONDS:
            self._spoken = self._clock()
            self._terminal.write(text)
            self._terminal.out.flush()


def migrated_text(migrated: Migrated) -> str:
    """What was copied, for people."""
    wrote = f"{migrated.written:,} written" if migrated.written else "all there already"
    return f"Copied and read back: {migrated.content}; {wrote}."


def migrated_document(outcome: MigrateOutcome, sources: Sources, file: str | None) -> dict[str, Any]:
    """What was copied, for programs; `file` is the one in which the store is set now."""
    found = [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in outcome.diagnostics]
    facts = None
    if outcome.migrated is not None:
        content = outcome.migrated.content
        facts = {
            "contexts": content.contexts,
            "executions": content.executions,
            "artifacts": content.artifacts,
            "events": content.events,
            "digest": content.digest,
            "written": outcome.migrated.written,
        }
    return {"format_version": "1.0", "migrated": facts, "file": file, "diagnostics": found}
