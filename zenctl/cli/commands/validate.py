"""`zenctl validate`: checks the configuration without looking at data, records or the network."""

from __future__ import annotations

import json as jsonlib

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import JsonFlag, NoColor, Var, VarFile, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views.style import plural
from zenctl.config.given import VariableArgument
from zenctl.diagnostics import Diagnostic, has_errors
from zenctl.plans.planjson import diagnostic_json

EPILOG = """
Examples:

  zenctl validate
  zenctl validate -json | jq '.diagnostics[].summary'

Exit codes: 0 valid (warnings allowed), 1 not valid.
"""


def validate(
    ctx: typer.Context,
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
) -> int:
    """Check that the configuration is right.

    Reads every *.zen.hcl, *.zen.yaml and *.zen.yml of the folder and checks names,
    types, references, cycles and the signatures of the functions that steps call.
    It looks at no data and no records, imports none of your code, and needs no
    variables. All problems are told at once, each with its file and line.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    variables = values.variables(var, var_file, started.order, found)
    return started.report(found) if found else run(started, variables, json)


def run(run: Invocation, variables: tuple[VariableArgument, ...], json: bool) -> int:
    """Check; gives the exit code."""
    from zenctl.engine import workflow

    outcome = workflow.validate(run.inputs(variables))
    problems = outcome.diagnostics
    errors = sum(d.is_error for d in problems)
    if json:
        sources = run.sources(outcome.sources)
        document = {
            "format_version": "1.0",
            "valid": not errors,
            "error_count": errors,
            "warning_count": len(problems) - errors,
            "diagnostics": [diagnostic_json(d, sources.text(d.range.filename) if d.range else None) for d in problems],
        }
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.exit_code(problems)
    code = run.report(problems, outcome.sources)
    if not has_errors(problems):
        style = run.terminal.style
        warnings = f", with {plural(len(problems), 'warning')}" if problems else ""
        run.terminal.write(f"{style.bold(style.green('Valid.'))} The configuration is right{warnings}.")
    return code
