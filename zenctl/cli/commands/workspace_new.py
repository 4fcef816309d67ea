"""`zenctl workspace new`: makes an empty workspace and selects it."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments import workspace as arguments
from zenctl.cli.arguments.options import NoColor
from zenctl.cli.arguments.workspace import NameArgument
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, error

EPILOG = """
With -ttl the workspace is meant to go: its time begins anew with each apply, and
when it is over `zenctl workspace delete -expired` removes its endpoints and then
the workspace. Nothing is removed before that is called.

Examples:

  zenctl workspace new staging
  zenctl workspace new pr-42 -ttl=72h

Exit codes: 0 done, 1 error (also if it is there already).
"""


def workspace_new(
    ctx: typer.Context,
    name: NameArgument = "",
    ttl: Annotated[
        str, typer.Option("-ttl", "--ttl", metavar="DURATION", help="How long it lives without an apply: 72h, 3d.")
    ] = "",
    no_color: NoColor = False,
) -> int:
    """Make a new workspace and select it.

    It has no results yet. What it may take from other workspaces instead of
    computing it again is said by reuse_from in the configuration.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color)
    arguments.check_new_name(name, started, "workspace new", found)
    seconds = values.seconds("-ttl", ttl, found) if ttl else 0.0
    if ttl and not found and seconds < 1:
        found.append(error("bad_argument", f'-ttl="{ttl}" is no time to live', "Give at least 1s, or leave it out."))
    return started.report(found) if found else run(started, name, int(seconds))


def run(run: Invocation, name: str, ttl_seconds: int) -> int:
    """Make and select it; gives the exit code."""
    from zenctl.cli.views import workspaces as view
    from zenctl.engine import workspaces

    outcome = workspaces.new_workspace(run.inputs(), name, ttl_seconds)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.workspaces is None or code != exits.OK:
        return code or exits.ERROR
    problem = arguments.remember(run, name)
    if problem is not None:
        return run.report([problem])
    ends = "".join(
        f", which {view.ending(item, workspaces.now_ms())}" for item in outcome.workspaces if item.ttl_seconds
    )
    run.terminal.write(f'Made and selected workspace "{name}"{ends}. Nothing has run in it yet.')
    return exits.OK
