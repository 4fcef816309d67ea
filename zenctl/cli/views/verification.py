"""Shows how far a full check of artifacts is, and what it found, as text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.progress import HEARTBEAT_SECONDS
from zenctl.cli.views.style import Style, duration, plural, printable, short_digest, size
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from zenctl.engine.verifying import Fault, Progress, Verified, VerifyOutcome

_NAMES_SHOWN = 3


class Reading:
    """Follows the reading: a bar with bytes, speed and time left on a terminal, else a line every ten seconds."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._began = self._spoken = clock()
        self._bar: Bar | None = _bar(terminal) if terminal.live else None
        self._task = self._bar.add_task("Verifying", total=None) if self._bar is not None else None

    def __enter__(self) -> Reading:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Take how far it is; from one thread at a time."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=progress.done, total=progress.total or None)
            return
        now = self._clock()
        if now - self._spoken >= HEARTBEAT_SECONDS:
            self._spoken = now
            speed = f"{size(progress.done / (now - self._began))}/s"
            self._terminal.write(f"Verifying: {size(progress.done)} of {size(progress.total)}, {speed}")
            self._terminal.out.flush()


def verified_lines(verified: Verified, style: Style) -> list[str]:
    """What is wrong, a block for each object, and the sum."""
    lines = []
    for fault in verified.faults:
        lines += [*_fault_lines(fault, style), ""]
    speed = f", {size(verified.bytes / verified.seconds)}/s" if verified.seconds > 0 and verified.bytes else ""
    read = (
        f"{plural(verified.artifacts, 'artifact')}, {plural(verified.files, 'file')}, {size(verified.bytes)} "
        f"in {duration(verified.seconds)}{speed}"
    )
    if verified.clean:
        return [style.green("Nothing is missing or corrupt.") + f" Read {read}."]
    missing = sum(fault.kind == "missing" for fault in verified.faults)
    corrupt = len(verified.faults) - missing
    said = " and ".join(f"{count:,} {word}" for count, word in ((missing, "missing"), (corrupt, "corrupt")) if count)
    return [*lines, f"{style.red(said[:1].upper() + said[1:])}. Read {read}.", "", *_advice(verified, corrupt)]


def _advice(verified: Verified, corrupt: int) -> list[str]:
    if corrupt and not verified.removed:
        return ["`zenctl state verify -remove-corrupt` deletes what is corrupt, so that it is made anew."]
    removed = f"{plural(len(verified.removed), 'corrupt file')} deleted. " if verified.removed else ""
    return [f"{removed}`zenctl plan` shows which steps run again to make it anew."]


def _fault_lines(fault: Fault, style: Style) -> list[str]:
    artifact = fault.artifact
    names = [printable(name) for name in artifact.named_by[:_NAMES_SHOWN]]
    more = len(artifact.named_by) - len(names)
    named = ", ".join(names) + (f" and {more} more" if more else "")
    what = printable(fault.file) or ("code archive" if artifact.type == "code" else "list of files")
    lines = [f"{style.red(fault.kind)}  {style.bold(named)}: {what}"]
    lines.append(f"  stored as  {fault.path}")
    expected = f"sha256 {short_digest(fault.expected_digest)}"
    expected += f", {fault.expected_size:,} bytes" if fault.expected_size is not None else ""
    lines.append(f"  expected   {expected}")
    if fault.kind == "missing":
        return lines
    found = f"sha256 {short_digest(fault.found_digest)}" if fault.found_digest else "it cannot be read"
    found += f", {fault.found_size:,} bytes" if fault.found_size is not None else ""
    return [*lines, f"  found      {found}"]


def verified_document(outcome: VerifyOutcome, sources: Sources) -> dict[str, Any]:
    """`state verify -json`: the counts and every fault; `clean` is null where nothing could be read."""
    verified = outcome.verified
    return {
        "format_version": "1.0",
        "clean": verified.clean if verified is not None else None,
        "artifacts": verified.artifacts if verified is not None else 0,
        "files": verified.files if verified is not None else 0,
        "bytes": verified.bytes if verified is not None else 0,
        "seconds": round(verified.seconds, 3) if verified is not None else 0.0,
        "faults": [_fault_document(fault) for fault in verified.faults] if verified is not None else [],
        "removed": list(verified.removed) if verified is not None else [],
        "diagnostics": [
            diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in outcome.diagnostics
        ],
    }


def _fault_document(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "artifact": fault.artifact.digest,
        "type": fault.artifact.type,
        "named_by": list(fault.artifact.named_by),
        "file": fault.file or None,
        "path": fault.path,
        "expected": {"bytes": fault.expected_size, "sha256": fault.expected_digest},
        "found": {"bytes": fault.found_size, "sha256": fault.found_digest} if fault.kind != "missing" else None,
    }


def _bar(terminal: Terminal) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    width = None if terminal.out.isatty() else terminal.width
    console = Console(file=terminal.out, no_color=not terminal.style.colour, highlight=False, width=width)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
