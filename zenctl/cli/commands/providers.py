"""`zenctl providers`: which providers the configuration uses, in which versions, and what requires them."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
Examples:

  zenctl providers
  zenctl providers -json | jq '.providers[].name'
  zenctl providers list
  zenctl providers lock
  zenctl providers schema -json

Exit codes: 0 done, 1 error.
"""


def providers(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show which providers the configuration uses.

    Lists each with its installed version, the versions that the configuration and
    its modules require, and what it is used for: backends, endpoints, the artifact
    store.
    """
    if ctx.invoked_subcommand is not None:
        return exits.OK
    return run(invocation(ctx, no_color), json)


def run(run: Invocation, json: bool) -> int:
    """Show them; gives the exit code."""
    from zenctl.cli.views import providers as view
    from zenctl.engine.requirements import configured_providers

    outcome = configured_providers(run.inputs())
    told = run.aside() if json else run
    code = told.report(outcome.diagnostics, outcome.sources)
    if outcome.used is None:
        return code or exits.ERROR
    if json:
        document = view.providers_document(outcome.used, outcome.others)
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view.provider_lines(outcome.used, outcome.others, run.terminal.style)))
    return code
