"""`zenctl force-unlock`: takes the lock away from an apply that is dead."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import NoColor, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
The lock of an apply whose process is gone is taken over by the next apply by
itself; from another machine that takes a minute. Unlock by force only where you
know that it is dead and cannot wait. Should it live after all, it loses nothing
that it has recorded, and all that it tries to record from then on is refused.

Examples:

  zenctl force-unlock 17
  zenctl force-unlock -force 17        # without the question, in scripts

Exit codes: 0 done; 1 error, not locked by that apply, or not approved.
"""


def force_unlock(
    ctx: typer.Context,
    serial: Annotated[
        str, typer.Argument(metavar="SERIAL", help="The number of the apply that holds the lock.", show_default=False)
    ] = "",
    force: Annotated[bool, typer.Option("-force", "--force", help="Do not ask.")] = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Take the lock on the workspace away from an apply.

    The number is in the message of the command that found the workspace locked.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    if not serial:
        detail = "For example: zenctl force-unlock 17\n`zenctl history` lists the applies."
        return started.report([values.missing("The serial", detail)])
    number = values.count("SERIAL", serial, found)
    return started.report(found) if found else run(started, number, force)


def run(run: Invocation, serial: int, force: bool) -> int:
    """Ask, then take it away; gives the exit code."""
    from zenctl.cli.views.approval import approved
    from zenctl.engine.applies import lock_holder, unlock

    outcome = lock_holder(run.inputs(), serial)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.applies is None:
        return code or exits.ERROR
    [held] = outcome.applies
    question = f'Do you really want to take the lock on workspace "{run.workspace}" from apply {serial}?'
    explained = [f"It is held by {held.holder}.", "If it is not dead, it fails with what it does next."]
    if not force and not approved(run.terminal, question, explained):
        run.terminal.complain("\nNot approved, so nothing was unlocked.")
        return exits.ERROR
    code = run.report(unlock(run.inputs(), serial))
    if not code:
        run.terminal.write(f'Workspace "{run.workspace}" is unlocked. Run `zenctl plan` to see what is left to do.')
    return code
