"""`zenctl providers lock`: pins the versions of the providers in use."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
The lock file, zenctl.lock.json, belongs into version control. While it pins a
provider, every command refuses another version of it. A provider that the
configuration does not use is not pinned.

Examples:

  zenctl providers lock
  git add zenctl.lock.json

Exit codes: 0 done, 1 error.
"""


def providers_lock(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Pin the installed versions of the providers that are used.

    Writes them into zenctl.lock.json, beside the modules that are pinned there.
    """
    return run(invocation(ctx, no_color), json)


def run(run: Invocation, json: bool) -> int:
    """Write the lock file; gives the exit code."""
    from zenctl.cli.views import providers as view
    from zenctl.engine.provider_locks import lock_providers

    outcome = lock_providers(run.inputs())
    told = run.aside() if json else run
    code = told.report(outcome.diagnostics, outcome.sources)
    if outcome.locked is None:
        return code or exits.ERROR
    if json:
        run.terminal.write(jsonlib.dumps(view.locked_document(outcome.locked), indent=2, ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view.locked_lines(outcome.locked, outcome.before)))
    return code
