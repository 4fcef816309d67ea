"""`zenctl workspace select`: chooses the workspace that commands in this folder work in."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import workspace as arguments
from zenctl.cli.arguments.options import NoColor
from zenctl.cli.arguments.workspace import NameArgument
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
The choice is kept in .zenctl/environment of this folder, which is no more than a
cache: without it, the default workspace is selected. -workspace=NAME of a command
and the variable ZENCTL_WORKSPACE are stronger.

Examples:

  zenctl workspace select default
  zenctl workspace select -or-create pr-42

Exit codes: 0 done, 1 error (also if there is no such workspace).
"""


def workspace_select(
    ctx: typer.Context,
    name: NameArgument = "",
    or_create: Annotated[bool, typer.Option("-or-create", "--or-create", help="Make it if it is not there.")] = False,
    no_color: NoColor = False,
) -> int:
    """Select a workspace."""
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color)
    arguments.check_new_name(name, started, "workspace select", found)
    return started.report(found) if found else run(started, name, or_create)


def run(run: Invocation, name: str, or_create: bool) -> int:
    """Select it; gives the exit code."""
    from zenctl.engine import workspaces

    outcome = workspaces.find_workspace(run.inputs(), name, f"Make it with `zenctl workspace new {name}`.")
    made = ""
    if or_create and outcome.workspaces is None and any(d.code == "unknown_workspace" for d in outcome.diagnostics):
        outcome = workspaces.new_workspace(run.inputs(), name)
        made = "Made and selected"
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.workspaces is None or code != exits.OK:
        return code or exits.ERROR
    problem = arguments.remember(run, name)
    if problem is not None:
        return run.report([problem])
    run.terminal.write(f'{made or "Selected"} workspace "{name}".')
    return exits.OK
