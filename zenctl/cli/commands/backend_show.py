"""`zenctl backend show`: what a backend is, which machines it would make, and what each of them is given."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.backend import ShowArguments
from zenctl.cli.arguments.options import JsonFlag, NoColor, Var, VarFile, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, error

EPILOG = """
Nothing is reached and nothing is made: what an apply alone knows, such as where
its runner lies, is said to be known at apply. -startup-script prints nothing
but the script, byte for byte as a machine gets it. The form of -json is
schemas/backends.v1.schema.json.

Examples:

  zenctl backend show
  zenctl backend show backend.gce.vm
  zenctl backend show -startup-script backend.gce.vm | shellcheck -
  zenctl backend show -json backend.gce.vm | jq '.backends[].machines'

Exit codes: 0 done, 1 error.
"""


def backend_show(
    ctx: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="[ADDRESS]", help="A backend; all of them without it.", show_default=False)
    ] = "",
    startup_script: Annotated[
        bool,
        typer.Option("-startup-script", "--startup-script", help="Print the script that a machine starts with."),
    ] = False,
    json: JsonFlag = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show a backend, and the machines that it would make.

    Shows the attributes with their defaults; of a backend that makes machines also
    how many, of which type, where and at what estimated price, their labels and
    metadata, whom they act as, the permissions that it takes to make them, and the
    script that each starts with.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    variables = values.variables(var, var_file, started.order, found)
    if startup_script and json:
        found.append(error("bad_argument", "-startup-script and -json exclude each other", "Give one of them."))
    if startup_script and not address:
        detail = "For example: zenctl backend show -startup-script backend.gce.vm"
        found.append(values.missing("The address", detail))
    if found:
        return started.aside().report(found)
    return run(started, ShowArguments(address, startup_script, json, variables))


def run(run: Invocation, given: ShowArguments) -> int:
    """Show them; gives the exit code."""
    from zenctl.cli.views import backends as view
    from zenctl.engine.backends import describe_backends

    outcome = describe_backends(run.inputs(given.variables), given.address)
    code = run.aside().report(outcome.diagnostics, outcome.sources)
    if outcome.described is None:
        return code or exits.ERROR
    if given.startup_script:
        [found] = outcome.described
        if found.template is None or not found.template.startup_script:
            detail = "It makes no machines that zenctl starts with a script."
            return run.report([error("no_startup_script", f"{given.address} has no startup script", detail)])
        run.terminal.out.write(found.template.startup_script)
    elif given.json:
        run.terminal.write(jsonlib.dumps(view.described_document(outcome.described), indent=2, ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view.described_lines(outcome.described, run.terminal.style)))
    return code
