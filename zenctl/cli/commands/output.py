"""`zenctl output`: the root outputs as the last apply left them."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import OutputArguments, output_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import outputs as view
from zenctl.diagnostics import Diagnostic, did_you_mean, error, warning

EPILOG = """
A sensitive value is not recorded, so none is printed: with -json it is null.

Examples:

  zenctl output
  zenctl output accuracy
  echo "accuracy: $(zenctl output -raw accuracy)"
  zenctl output -json | jq .accuracy.value

Exit codes: 0 done, 1 error.
"""


def output(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One output. Without it, all of them.", show_default=False)
    ] = "",
    json: JsonFlag = False,
    raw: Annotated[
        bool, typer.Option("-raw", "--raw", help="The bare text of one output, without quotes or a line end.")
    ] = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show the outputs of the last apply."""
    found: list[Diagnostic] = []
    given = output_arguments(name, json, raw, found)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: OutputArguments) -> int:
    """Show them; gives the exit code."""
    from zenctl.engine import workflow

    outcome = workflow.read_state(run.inputs())
    if outcome.state is None:
        return run.report(outcome.diagnostics, outcome.sources) or exits.ERROR
    outputs = outcome.state.outputs
    if given.name and given.name not in outputs:
        return run.report([_unknown(given.name, outputs)])
    if given.name:
        if outputs[given.name].get("sensitive"):
            detail = "What is sensitive is not recorded, only a digest of it. Ask whoever set it."
            return run.report([error("sensitive_output", f'Output "{given.name}" is sensitive', detail)])
        return _one(run, given, outputs[given.name].get("value"))
    if given.json:
        run.terminal.write(view.output_document(outputs))
    elif outputs:
        run.terminal.write(view.output_block(outputs, run.terminal.style))
    else:
        detail = "Declare some with output blocks, then apply."
        run.report([warning("no_outputs", "No outputs are recorded", detail)])
    return exits.OK


def _one(run: Invocation, given: OutputArguments, value: Any) -> int:
    if given.json:
        run.terminal.write(jsonlib.dumps(value, ensure_ascii=False))
    elif given.raw:
        text = view.raw_text(value)
        if text is None:
            detail = f'Output "{given.name}" is a list or a map. Use -json for it.'
            return run.report([error("bad_argument", "-raw prints strings, numbers and booleans only", detail)])
        run.terminal.out.write(text)
    else:
        run.terminal.write(view.output_text(value))
    return exits.OK


def _unknown(name: str, outputs: Any) -> Diagnostic:
    known = (
        f"Recorded are: {', '.join(sorted(outputs))}." if outputs else "None is recorded: `zenctl apply` records them."
    )
    return error("unknown_output", f'No output "{name}" is recorded', f"{known}{did_you_mean(name, outputs)}")
