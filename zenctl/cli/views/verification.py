"""Shows what a full check of artifacts found, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.style import Style, duration, plural, printable, short_digest, size
from zenctl.plans.planjson import diagnostic_json

if TYPE_CHECKING:
    from zenctl.engine.verifying import Fault, Verified, VerifyOutcome

_NAMES_SHOWN = 3


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
