"""`zenctl workspace show`: the name of the current workspace."""

from __future__ import annotations

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import NoColor
from zenctl.cli.invocation import invocation

EPILOG = """
It is the one of ZENCTL_WORKSPACE, else the one that `zenctl workspace select`
chose in this folder, else default.

Exit codes: 0 done, 1 error.
"""


def workspace_show(ctx: typer.Context, no_color: NoColor = False) -> int:
    """Print the name of the current workspace."""
    run = invocation(ctx, no_color)
    run.terminal.write(run.workspace)
    return exits.OK
