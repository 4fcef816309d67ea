"""Shows what an import recorded, as text and as JSON."""

from __future__ import annotations

from typing import Any

from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.style import Style, columns, pad, printable, short_digest, size
from zenctl.engine.requests import Imported, ImportOutcome
from zenctl.plans.planjson import diagnostic_json


def import_lines(imported: Imported, style: Style) -> list[str]:
    """What became of each path, and under which serial."""
    lines = [style.bold(f"{imported.address} is imported.") + f" It is recorded as apply {imported.serial}.", ""]
    width = max((columns(name) for name in imported.outputs), default=0)
    for name, output in imported.outputs.items():
        facts = f"{output.type} {short_digest(output.digest)} ({size(output.bytes)})"
        lines.append(f"  {style.dim(pad(name, width))}  {facts} from {printable(imported.imported_from[name])}")
    if imported.attributes:
        rows = [(name, value) for name, value in imported.attributes.items() if value not in (None, "")]
        width = max(columns(name) for name, _ in rows)
        lines += [f"  {style.dim(pad(name, width))}  {printable(str(value))}" for name, value in rows]
        return [*lines, "", "`zenctl plan` says whether it is what its block asks for."]
    return [*lines, "", "`zenctl plan` takes it for up to date until its code, parameters or inputs change."]


def import_document(outcome: ImportOutcome, sources: Sources) -> dict[str, Any]:
    """`import -json`: what was recorded, null if nothing was, the file that was written, and the diagnostics."""
    done = outcome.imported
    return {
        "format_version": "1.0",
        "imported": None
        if done is None
        else {
            "address": done.address,
            "serial": done.serial,
            **({"attributes": dict(done.attributes)} if done.attributes else {}),
            "outputs": {
                name: {
                    "type": output.type,
                    "digest": output.digest,
                    "bytes": output.bytes,
                    "properties": dict(output.properties),
                    "imported_from": done.imported_from[name],
                }
                for name, output in done.outputs.items()
            },
        },
        "written": outcome.written or None,
        "diagnostics": [
            diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in outcome.diagnostics
        ],
    }
