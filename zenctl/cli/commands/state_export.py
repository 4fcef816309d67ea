"""`zenctl state export`: what is recorded as events of OpenLineage, for catalogues of data and lineage."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import NoColor, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, DiagnosticError, error

EPILOG = """
The only format is openlineage: one RunEvent as JSON a line, START and COMPLETE,
FAIL or ABORT, of each apply and of each step, datasource and endpoint that it
ran. Datasets have the content's digest for version, and columns, rows, bytes
and where they lie; runs have parameters, the commit, the error and the apply
they are part of. The ids of runs are always the same: to send events twice does
no harm. -since goes on where an earlier export ended.

It needs the package openlineage-python: pip install 'zenctl[openlineage]'.

Examples:

  zenctl state export -format=openlineage > events.ndjson
  zenctl state export -format=openlineage -o events.ndjson -since=1
  zenctl state export -workspace=default | jq -r '"\\(.eventType) \\(.job.name)"'

Exit codes: 0 done, 1 error.
"""

FORMATS = ("openlineage",)


def state_export(
    ctx: typer.Context,
    format: Annotated[
        str, typer.Option("-format", "--format", metavar="FORMAT", help="What to write.", show_default=False)
    ] = FORMATS[0],
    out: Annotated[
        str, typer.Option("-out", "--out", "-o", "--o", metavar="FILE", help="Write into this file. Also -o.")
    ] = "",
    since: Annotated[
        str, typer.Option("-since", "--since", metavar="SERIAL", help="Only what later applies have recorded.")
    ] = "",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Write what is recorded of the workspace as OpenLineage events.

    For Marquez, DataHub, OpenMetadata and other programs that read them.
    """
    found: list[Diagnostic] = []
    values.one_of("-format", format, FORMATS, found)
    after = values.count("-since", since, found) if since and since != "0" else 0
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, out, after)


def run(run: Invocation, out: str, since: int) -> int:
    """Write them; gives the exit code."""
    from zenctl.engine.exporting import export_state

    outcome = export_state(run.inputs(), since=since)
    said = run.aside()
    code = said.report(outcome.diagnostics, outcome.sources)
    if outcome.events is None:
        return code or exits.ERROR
    with contextlib.closing(outcome.events) as events:  # type: ignore[type-var]
        if not out:
            for event in events:
                run.terminal.write(event)
            return code
        try:
            count = _write(run.path(out), events)
        except DiagnosticError as problem:
            return said.report(problem.diagnostics)
    run.terminal.write(f"Wrote {count} events to {out}.")
    return code


def _write(path: Path, events: Iterator[str]) -> int:
    """Write the file, whole or not at all; gives how many lines. Raises DiagnosticError."""
    count = 0
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                for event in events:
                    stream.write(f"{event}\n")
                    count += 1
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as problem:
        summary = f"{path} cannot be written: {problem.strerror}"
        raise DiagnosticError(error("unwritable_file", summary, "Choose another -out=FILE.")) from problem
    return count
