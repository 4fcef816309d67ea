"""`zenctl providers list`: every installed provider and what it offers."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
Examples:

  zenctl providers list
  zenctl providers list -json | jq '.providers[].offers'

Exit codes: 0 done; 1 error, also if something installed cannot be loaded.
"""


def providers_list(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """List the providers that are installed, with what they offer.

    Needs no configuration. A provider is found by the entry point of its package:
    pip install is all that it takes. One that cannot be loaded is left out, and
    told on standard error.
    """
    return run(invocation(ctx, no_color), json)


def run(run: Invocation, json: bool) -> int:
    """Print them; gives the exit code."""
    from zenctl.cli.views import providers as view
    from zenctl.engine.provider_locks import installed_providers
    from zenctl.provider.registry import discover

    found, problems = installed_providers(discover())
    if json:
        run.terminal.write(jsonlib.dumps(view.installed_document(found), indent=2, ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view.installed_lines(found, run.terminal.style)))
    return run.aside().report(problems)
