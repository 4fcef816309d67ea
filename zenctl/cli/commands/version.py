"""`zenctl version`: the versions of zenctl, Python and the installed providers."""

from __future__ import annotations

import json as jsonlib
import platform
from importlib import metadata

import typer

from zenctl import __version__
from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
Examples:

  zenctl version
  zenctl version -json

Exit codes: 0 done.
"""


def version(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show the versions of zenctl, Python and the installed providers."""
    return run(invocation(ctx, no_color), json)


def run(run: Invocation, json: bool) -> int:
    """Show them; gives the exit code. Providers are listed from their entry points, none is imported."""
    points = metadata.entry_points(group="zenctl.providers")
    providers = {point.name: point.dist.version if point.dist else "" for point in points}
    system = f"{platform.system()}_{platform.machine()}".lower()
    if json:
        document = {
            "format_version": "1.0",
            "zenctl_version": __version__,
            "python_version": platform.python_version(),
            "platform": system,
            "provider_selections": dict(sorted(providers.items())),
        }
        run.terminal.write(jsonlib.dumps(document, indent=2))
        return exits.OK
    run.terminal.write(f"zenctl {__version__}\non {system}, Python {platform.python_version()}")
    for name, number in sorted(providers.items()):
        run.terminal.write(f"+ provider {name} {number}")
    return exits.OK
