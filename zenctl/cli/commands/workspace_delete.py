"""`zenctl workspace delete`: removes a workspace, or all whose time is over together with their endpoints."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments import workspace as arguments
from zenctl.cli.arguments.options import AutoApprove, Input, LockTimeout, NoColor, Var, VarFile
from zenctl.cli.arguments.workspace import DeleteArguments, NameArgument
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
The default workspace and the current one cannot be deleted. A workspace that has
endpoints is refused: `zenctl destroy -workspace=NAME` removes them first; with
-force they run on, and zenctl knows them no more. What was recorded stays, and
with it the results: workspaces that may reuse them still can.

Examples:

  zenctl destroy -workspace=pr-42 && zenctl workspace delete pr-42
  zenctl workspace delete -expired                 # shows them and asks
  zenctl workspace delete -expired -auto-approve   # nightly, in scripts

Exit codes: 0 done; 1 error or not approved; 4 an apply holds a workspace's lock.
"""


def workspace_delete(
    ctx: typer.Context,
    name: NameArgument = "",
    force: Annotated[
        bool, typer.Option("-force", "--force", help="Also if it has endpoints; they are left running.")
    ] = False,
    expired: Annotated[
        bool,
        typer.Option(
            "-expired", "--expired", help="All whose time to live (-ttl) is over, their endpoints destroyed first."
        ),
    ] = False,
    auto_approve: AutoApprove = False,
    input: Input = True,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    lock_timeout: LockTimeout = "0s",
    no_color: NoColor = False,
) -> int:
    """Delete a workspace, or all that are expired.

    Of a deleted workspace no address has a result any more. Records and artifacts
    stay in the stores.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color)
    given = DeleteArguments(
        name=name,
        force=force,
        expired=expired,
        auto_approve=auto_approve,
        input=input,
        variables=values.variables(var, var_file, started.order, found),
        lock_timeout=values.seconds("-lock-timeout", lock_timeout, found),
    )
    arguments.check_delete(given, started, found)
    if found:
        return started.report(found)
    return _expired(started, given) if expired else _one(started, given)


def _one(run: Invocation, given: DeleteArguments) -> int:
    from zenctl.engine import workspaces

    outcome = workspaces.delete_workspace(
        run.inputs(given.variables), given.name, force=given.force, lock_timeout=given.lock_timeout
    )
    code = run.report(outcome.diagnostics, outcome.sources)
    for name in outcome.names:
        left = outcome.left.get(name, ())
        more = f" Left running, and no longer known to zenctl: {', '.join(left)}." if left else ""
        run.terminal.write(f'Deleted workspace "{name}".{more}')
    return code


def _expired(run: Invocation, given: DeleteArguments) -> int:
    from zenctl.cli.interrupts import Interrupts
    from zenctl.cli.views import workspaces as view
    from zenctl.cli.views.approval import approved
    from zenctl.cli.views.progress import PlainProgress
    from zenctl.engine import workflow, workspaces

    inputs = run.inputs(given.variables)
    outcome = workspaces.expired_workspaces(inputs)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.workspaces is None:
        return code or exits.ERROR
    kept = [item for item in outcome.workspaces if item.name == run.workspace]
    due = [item for item in outcome.workspaces if item.name != run.workspace]
    for item in kept:
        run.terminal.write(f'Workspace "{item.name}" is expired too, but it is the current one, so it stays.')
    if not due:
        run.terminal.write("No other workspace is expired." if kept else "No workspace is expired.")
        return exits.OK
    run.terminal.write(
        "\n".join(["Expired:", "", *view.workspace_rows(due, "", workspaces.now_ms(), run.terminal.style)])
    )
    question = "Do you really want to destroy the endpoints of these workspaces and delete them?"
    explained = ["The endpoints stop serving; this cannot be undone.", "Records and artifacts stay."]
    if not given.auto_approve and not approved(run.terminal, question, explained):
        run.terminal.complain("\nNot approved, so nothing was deleted.")
        return exits.ERROR
    stop = workflow.Stop()
    with PlainProgress(run.terminal) as progress, Interrupts(stop, progress.say) as interrupts:
        deleted = workspaces.delete_expired(
            inputs, tuple(item.name for item in due), listener=progress, stop=stop, lock_timeout=given.lock_timeout
        )
    for name in deleted.names:
        run.terminal.write(f'Deleted workspace "{name}".')
    code = run.report(deleted.diagnostics, deleted.sources)
    return interrupts.exit_code if stop.drain.is_set() else code
