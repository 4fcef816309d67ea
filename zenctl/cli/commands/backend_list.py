"""`zenctl backend list`: the backends of the configuration."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
Examples:

  zenctl backend list
  zenctl backend list -json | jq -r '.backends[].address'

Exit codes: 0 done, 1 error.
"""


def backend_list(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """List the backends of the configuration.

    Of each it is said which provider offers it, what it can be (orchestrator,
    processing, training), and for what it is the default. Without a default
    orchestrator steps run on this machine: backend.local.embedded.
    """
    return run(invocation(ctx, no_color), json)


def run(run: Invocation, json: bool) -> int:
    """List them; gives the exit code."""
    from zenctl.cli.views import backends as view
    from zenctl.engine.backends import list_backends

    outcome = list_backends(run.inputs())
    code = run.aside().report(outcome.diagnostics, outcome.sources)
    if outcome.backends is None:
        return code or exits.ERROR
    if json:
        run.terminal.write(jsonlib.dumps(view.backends_document(outcome.backends), indent=2, ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view.backend_rows(outcome.backends, run.terminal.style)))
    return code
