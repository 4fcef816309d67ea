"""`zenctl workspace list`: the workspaces of the project, the current one marked."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import workspaces as view

EPILOG = """
Examples:

  zenctl workspace list
  zenctl workspace list -json | jq -r '.workspaces[].name'

Exit codes: 0 done, 1 error.
"""


def workspace_list(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """List the workspaces of the project.

    The current one is marked with an asterisk; of one with a time to live it is
    said when that ends.
    """
    return run(invocation(ctx, no_color), json)


def run(run: Invocation, json: bool) -> int:
    """List them; gives the exit code."""
    from zenctl.engine import workspaces

    outcome = workspaces.list_workspaces(run.inputs())
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.workspaces is None:
        return code or exits.ERROR
    now = workspaces.now_ms()
    if json:
        document = view.workspaces_document(outcome.workspaces, run.workspace, now)
        run.terminal.write(jsonlib.dumps(document, indent=2))
    else:
        run.terminal.write("\n".join(view.workspace_rows(outcome.workspaces, run.workspace, now, run.terminal.style)))
    return code
