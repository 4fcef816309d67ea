"""`zenctl state get`: copies the files of a recorded result out of the artifact store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import GetArguments, get_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
One output lands in the folder itself, several in a folder each below it. Files
are copies, verified by their digest, and yours to change. A folder that has
something in it is left alone.

Examples:

  zenctl state get step.statistics.penguins.statistics report
  zenctl state get step.train.penguins.model@3 old/model
  zenctl state get step.train.penguins everything
  zenctl state get 5f7a0def0993

Exit codes: 0 done, 1 error.
"""


def state_get(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="ADDRESS, ADDRESS.OUTPUT, either with @SERIAL, or an artifact's digest or URI.",
            show_default=False,
        ),
    ] = "",
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="Where to; by default named as the output or the step.")
    ] = "",
    output: Annotated[
        str, typer.Option("-output", "--output", metavar="NAME", help="Only this output of a step with several.")
    ] = "",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Copy the files of a recorded result out of the artifact store.

    A model, a report, predictions, the shards of a snapshot: to look at, or to use
    elsewhere.
    """
    found: list[Diagnostic] = []
    given = get_arguments(what, folder, output, found)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: GetArguments) -> int:
    """Copy it; gives the exit code."""
    from zenctl.cli.views.getting import copied_lines
    from zenctl.cli.views.reading import Reading
    from zenctl.engine.getting import get_files

    folder = Path(given.folder) if given.folder else None
    with Reading(run.terminal, "Copying") as reading:
        outcome = get_files(run.inputs(), given.what, given.output, folder, reading)
    code = run.report(outcome.diagnostics, outcome.sources)
    if not outcome.copied:
        return code or exits.ERROR
    run.terminal.write("\n".join(copied_lines(outcome.copied, run.root, run.terminal.style)))
    return code
