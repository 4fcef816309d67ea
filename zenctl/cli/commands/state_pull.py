"""`zenctl state pull`: the whole state of the workspace as one JSON document."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl import __version__
from zenctl.cli import exits
from zenctl.cli.arguments.options import NoColor, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
The document: `results` are the current results, `attempts` what was tried last
and gave none, each with parameters, inputs, outputs, digests, environment,
commit and fingerprint; `outputs` the root outputs, `apply` who applied last.
Values of sensitive outputs and parameters are not in it: they are recorded
nowhere. Its schema is schemas/state.v1.schema.json. There is no push: the
records are in ML Metadata, and only apply and import add to them.

Examples:

  zenctl state pull > state.json
  zenctl state pull -workspace=default | jq .serial
  zenctl state pull | jq -r '.results[] | "\\(.address) \\(.values.fingerprint)"'

Exit codes: 0 done, 1 error.
"""


def state_pull(ctx: typer.Context, workspace: WorkspaceFlag = "", no_color: NoColor = False) -> int:
    """Print the whole state of the workspace as JSON."""
    return run(invocation(ctx, no_color, workspace))


def run(run: Invocation) -> int:
    """Print it; gives the exit code."""
    from zenctl.cli.views.state import pulled_document
    from zenctl.engine import workflow

    outcome = workflow.read_state(run.inputs())
    code = run.aside().report(outcome.diagnostics, outcome.sources)
    if outcome.state is None:
        return code or exits.ERROR
    document = pulled_document(outcome.state, outcome.apply, __version__)
    run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    return code
