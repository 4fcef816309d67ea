"""Shows every run of one address: when, on what, how it ended, and what became of its machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zenctl.cli.views.machines import story
from zenctl.cli.views.state import artifacts_note, moment, recorded_document, state_word
from zenctl.cli.views.style import Style, duration, pad
from zenctl.metadata.state import Recorded

_HEADINGS = ("SERIAL", "BEGAN", "TOOK", "RESULT", "ON", "")


def run_rows(runs: Sequence[Recorded], style: Style) -> list[str]:
    """A heading, and a line for each run; what happened to its machines is below it."""
    rows = [_row(recorded) for recorded in runs]
    widths = [max(len(row[at]) for row in (_HEADINGS, *rows)) for at in range(len(_HEADINGS) - 1)]
    drawn = [style.dim(_line(_HEADINGS, widths))]
    colours = {
        **dict.fromkeys(("complete", "reused"), style.green),
        **dict.fromkeys(("canceled", "deleted"), style.yellow),
        "running": style.cyan,
    }
    for recorded, row in zip(runs, rows, strict=True):
        cells = [pad(cell, width) for cell, width in zip(row[:-1], widths, strict=True)]
        cells[3] = colours.get(row[3], style.red)(cells[3])
        drawn.append("  ".join([*cells, row[-1]]).rstrip())
        drawn += [style.dim(f"        {line}") for line in story(recorded.attributes.get("machines", ()))]
    return drawn


def runs_document(address: str, runs: Sequence[Recorded], workspace: str) -> dict[str, Any]:
    """The same for programs, each run whole."""
    return {
        "format_version": "1.0",
        "workspace": workspace,
        "address": address,
        "runs": [recorded_document(recorded) for recorded in runs],
    }


def _row(recorded: Recorded) -> tuple[str, ...]:
    ran = recorded.ended_ms and recorded.started_ms and not recorded.imported_from
    took = duration(max(0, recorded.ended_ms - recorded.started_ms) / 1000) if ran else ""
    began = moment(recorded.started_ms or recorded.ended_ms)
    result = "deleted" if recorded.operation == "delete" else state_word(recorded)
    return str(recorded.serial), began, took, result, recorded.backend, artifacts_note(recorded)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*(pad(cell, width) for cell, width in zip(cells[:-1], widths, strict=True)), cells[-1]]).rstrip()
