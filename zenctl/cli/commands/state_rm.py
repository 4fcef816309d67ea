"""`zenctl state rm`: has zenctl forget addresses; their artifacts stay, and endpoints run on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.arguments.options import DryRun, JsonFlag, LockTimeout, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import RemoveArguments, remove_arguments
from zenctl.cli.commands.state_edit import carry_out
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zenctl.engine.editing import RemoveOutcome

EPILOG = """
An address that is still configured is planned anew: a step or datasource takes
its former result again where that fits, an endpoint is taken over. To let go of
something for good, take it out of the configuration too; a `removed` block does
both, with a plan to review.

What was recorded stays (`zenctl history`), and so do the artifacts until
`zenctl state gc` finds that nothing needs them.

Examples:

  zenctl state rm -dry-run module.eu
  zenctl state rm 'step.python.fit["eu"]' step.python.report
  zenctl state rm endpoint.local.penguins     # it runs on; says how to stop it

Exit codes: 0 done; 1 error, nothing was forgotten; 4 another apply holds the
lock.
"""


def state_rm(
    ctx: typer.Context,
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS...", help="Instances, blocks or modules.", show_default=False),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    dry_run: DryRun = False,
    json: JsonFlag = False,
    lock_timeout: LockTimeout = "0s",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Forget what is recorded at addresses; nothing is destroyed.

    Artifacts stay in their store and endpoints run on. It is an apply of its own:
    it takes the lock, and all addresses must be there.
    """
    found: list[Diagnostic] = []
    given = remove_arguments(addresses, found, dry_run=dry_run, json=json, lock_timeout=lock_timeout)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: RemoveArguments) -> int:
    """Forget them; gives the exit code."""
    from zenctl.cli.views import editing as view
    from zenctl.engine.editing import remove

    change = partial(remove, run.inputs(), given.addresses, dry_run=given.dry_run, lock_timeout=given.lock_timeout)

    def lines(outcome: RemoveOutcome) -> list[str]:
        return view.removed_lines(outcome, run.terminal.style, dry_run=given.dry_run) if outcome.removed else []

    return carry_out(run, change, given.json, view.removed_document, lines)
