"""`zenctl logs`: what a step or an endpoint's server printed."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import AddressArguments, address_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, DiagnosticError

EPILOG = """
Examples:

  zenctl logs step.train.penguins
  zenctl logs -follow step.train.penguins
  zenctl logs endpoint.local.penguins
  zenctl logs -json step.train.penguins | jq -r .text

Exit codes: 0 done, 1 error.
"""


def logs(
    ctx: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="A step, datasource or endpoint.", show_default=False)
    ] = "",
    follow: Annotated[bool, typer.Option("-follow", "--follow", help="Go on until it ends.")] = False,
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show what a step or an endpoint printed.

    A step's log is that of its newest attempt, whether it succeeded, failed or is
    still running. Logs are kept with the artifacts, for every attempt. A local
    endpoint's log is its server's. With -json each piece is one object a line:
    address and text.
    """
    found: list[Diagnostic] = []
    given = address_arguments("logs", [address] if address else [], json, found, follow=follow)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: AddressArguments) -> int:
    """Show it; gives the exit code."""
    from zenctl.engine import workflow

    outcome = workflow.logs(run.inputs(), given.address, follow=given.follow)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.chunks is None:
        return code or exits.ERROR
    try:
        _show(run, given, outcome.chunks)
    except DiagnosticError as problem:
        # Its backend failed while the log was followed.
        return run.report(problem.diagnostics) or exits.ERROR
    return code


def _show(run: Invocation, given: AddressArguments, chunks: Iterable[str]) -> None:
    if given.json:
        for chunk in chunks:
            run.terminal.write(jsonlib.dumps({"address": given.address, "text": chunk}, ensure_ascii=False))
        return
    last = "\n"
    try:
        for chunk in chunks:
            run.terminal.out.write(chunk)
            run.terminal.out.flush()
            last = chunk[-1:] or last
    finally:
        if last != "\n":
            run.terminal.write()
