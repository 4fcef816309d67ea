"""`zenctl state verify`: reads every byte of what is recorded and says what is missing or corrupt."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import VerifyArguments, verify_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
Plan looks whether what is recorded is there and has its size. This command
reads all of it and compares the digests. What is missing makes its step run
again at the next apply. A file that is corrupt and has its size is not seen by
plan: -remove-corrupt deletes it, so that it is made anew.

Examples:

  zenctl state verify
  zenctl state verify step.train.penguins
  zenctl state verify -all-workspaces -remove-corrupt
  zenctl state verify -all -json | jq '.faults[].file'

Exit codes: 0 nothing is missing or corrupt; 1 something is, or an error.
"""


def state_verify(
    ctx: typer.Context,
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="[ADDRESS...]", help="Only what these name: instances, blocks or modules."),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    all_workspaces: Annotated[
        bool, typer.Option("-all-workspaces", "--all-workspaces", help="What the state of any workspace names.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("-all", "--all", help="Every recorded result of the project, also those of earlier applies.")
    ] = False,
    remove_corrupt: Annotated[
        bool,
        typer.Option("-remove-corrupt", "--remove-corrupt", help="Delete corrupt files, so that they are made anew."),
    ] = False,
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Read every recorded artifact and check its digest.

    Says what is missing and what is corrupt: the file, its size, and the digest
    that was expected and found.
    """
    found: list[Diagnostic] = []
    given = verify_arguments(
        addresses,
        found,
        all_workspaces=all_workspaces,
        everything=everything,
        remove_corrupt=remove_corrupt,
        json=json,
    )
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: VerifyArguments) -> int:
    """Verify; gives the exit code."""
    from zenctl.cli.views import verification as view
    from zenctl.cli.views.reading import Reading
    from zenctl.engine.verifying import VerifyScope, verify_state

    scope = VerifyScope(given.addresses, given.all_workspaces, given.everything, given.remove_corrupt)
    if given.json:
        outcome = verify_state(run.inputs(), scope, lambda _: None)
        document = view.verified_document(outcome, run.sources(outcome.sources))
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        code = exits.exit_code(outcome.diagnostics)
    else:
        with Reading(run.terminal, "Verifying") as reading:
            outcome = verify_state(run.inputs(), scope, reading)
        code = run.report(outcome.diagnostics, outcome.sources)
        if outcome.verified is not None:
            run.terminal.write("\n".join(view.verified_lines(outcome.verified, run.terminal.style)))
    return code or (exits.OK if outcome.verified is not None and outcome.verified.clean else exits.ERROR)
