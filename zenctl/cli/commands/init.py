"""`zenctl init`: makes what a project needs on this machine and checks that its providers are installed."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation
from zenctl.plans.planjson import diagnostic_json

EPILOG = """
Examples:

  zenctl init
  zenctl -chdir=examples/penguins init
  zenctl init -upgrade
  zenctl init -json

Exit codes: 0 ready, 1 error.
"""


Upgrade = Annotated[
    bool,
    typer.Option(
        "-upgrade",
        "--upgrade",
        help="Look anew at what the branches and tags of modules from git mean.",
        show_default=False,
    ),
]


def init(ctx: typer.Context, upgrade: Upgrade = False, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Prepare a folder for zenctl.

    Where there is no configuration it writes a small pipeline that runs as it
    is. It tells git to ignore .zenctl (local metadata, artifacts, caches),
    fetches modules from git (zenctl.lock.json says which commits; keep it in
    version control), and checks the configuration and that its providers are
    installed. It changes no other file, so it can be run again at any time.
    """
    return run(invocation(ctx, no_color), json, upgrade=upgrade)


def run(run: Invocation, json: bool, *, upgrade: bool = False) -> int:
    """Prepare the folder; gives the exit code."""
    from zenctl.engine import workflow

    outcome = workflow.initialise(run.inputs(), upgrade=upgrade)
    if json:
        document = {
            "format_version": "1.0",
            "created": list(outcome.created),
            "modules": list(outcome.modules),
            "provider_selections": dict(sorted(outcome.providers.items())),
            "diagnostics": [diagnostic_json(d) for d in outcome.diagnostics],
        }
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.exit_code(outcome.diagnostics)
    code = run.report(outcome.diagnostics, outcome.sources)
    if code != exits.OK:
        return code
    terminal = run.terminal
    for path in outcome.created:
        terminal.write(f"Created {path}")
    for source in outcome.modules:
        terminal.write(f"Module {source}")
    for name, version in sorted(outcome.providers.items()):
        terminal.write(f"Provider {name}: {version}")
    ready = terminal.style.bold(terminal.style.green("Ready."))
    hint = "" if terminal.in_automation else " Next: `zenctl plan` shows what there is to do."
    terminal.write(f"{ready}{hint}")
    return exits.OK
