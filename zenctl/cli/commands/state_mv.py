"""`zenctl state mv`: has what is recorded at one address stand at another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.arguments.options import DryRun, JsonFlag, LockTimeout, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import MoveArguments, move_arguments
from zenctl.cli.commands.state_edit import carry_out
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zenctl.engine.editing import MoveOutcome

EPILOG = """
A block moves with all its instances, a module with all that is in it. Where
something is recorded at the new address, nothing moves. An endpoint keeps its
name and runs on.

A `moved` block in the configuration does the same in every workspace, and is
planned and reviewed: prefer it where others use the configuration too.

Examples:

  zenctl state mv step.python.fit step.python.train
  zenctl state mv step.python.fit 'step.python.fit["eu"]'
  zenctl state mv -dry-run module.eu module.europe

Exit codes: 0 done; 1 error, nothing has moved; 4 another apply holds the lock.
"""


def state_mv(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="An instance, a block or a module.", show_default=False)
    ] = "",
    target: Annotated[str, typer.Argument(metavar="TO", help="Where it stands from now on.", show_default=False)] = "",
    dry_run: DryRun = False,
    json: JsonFlag = False,
    lock_timeout: LockTimeout = "0s",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Have what is recorded at one address stand at another.

    For what was renamed in the configuration, so that it is not run again. It is
    an apply of its own, under the lock.
    """
    found: list[Diagnostic] = []
    given = move_arguments(source, target, found, dry_run=dry_run, json=json, lock_timeout=lock_timeout)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: MoveArguments) -> int:
    """Move it; gives the exit code."""
    from zenctl.cli.views import editing as view
    from zenctl.engine.editing import move

    change = partial(
        move, run.inputs(), given.source, given.target, dry_run=given.dry_run, lock_timeout=given.lock_timeout
    )

    def lines(outcome: MoveOutcome) -> list[str]:
        return view.moved_lines(outcome, run.terminal.style, dry_run=given.dry_run) if outcome.moved else []

    return carry_out(run, change, given.json, view.moved_document, lines)
