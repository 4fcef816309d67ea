"""`zenctl state rm`: has zenctl forget addresses; their artifacts stay, and endpoints run on."""

from __future__ import annotations

import json as jsonlib
from functools import partial
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import DryRun, JsonFlag, LockTimeout, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import RemoveArguments, remove_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

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
    from zenctl.cli.views.progress import PlainProgress
    from zenctl.engine.editing import remove

    change = partial(remove, run.inputs(), given.addresses, dry_run=given.dry_run, lock_timeout=given.lock_timeout)
    if given.json:
        outcome = change(listener=lambda _: None)
        document = view.removed_document(outcome, run.sources(outcome.sources))
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.exit_code(outcome.diagnostics)
    with PlainProgress(run.terminal) as progress:
        outcome = change(listener=progress)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.removed:
        run.terminal.write("\n".join(view.removed_lines(outcome, run.terminal.style, dry_run=given.dry_run)))
    return code
