"""`zenctl config list`: which stores the configuration uses, and where that is set."""

from __future__ import annotations

import typer

from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.commands import config_store
from zenctl.cli.invocation import invocation

EPILOG = """
Examples:

  zenctl config list
  zenctl config list -json | jq -r .artifacts.location

Exit codes: 0 done, 1 error.
"""


def config_list(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show which metadata and artifact store the configuration uses."""
    return config_store.show_all(invocation(ctx, no_color), json)
