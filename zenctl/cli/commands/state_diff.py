"""`zenctl state diff`: how what is recorded differs between two applies, or two workspaces."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import DiffCode, JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation

EPILOG = """
What can be compared:

  3              the workspace as its apply 3 left it
  pr-42          another workspace, as it is
  pr-42@3        another workspace, as its apply 3 left it
  42@            a workspace whose name is a number, as it is

Without B, A is compared with the workspace as it is now. `zenctl state diff
default pr-42` says what a preview brings.

Of each result that differs it says which parameters, definitions of code, rows
and columns of data, packages and inputs do, its metrics on both sides, and
which outputs have other bytes. Of a metric whose name tells which way is better
(accuracy, loss), it says whether it is. Of data it says which columns moved how
far, from 0 to 1 (of numbers the Kolmogorov-Smirnov statistic, of texts the
Jensen-Shannon distance), and which values are new. -diff-code adds the steps'
source.

Examples:

  zenctl state diff 1                  # what has changed since apply 1?
  zenctl state diff -diff-code 1 default
  zenctl state diff -json 1 | jq '.changes[].stale_because[].detail'

Exit codes: 0 done; 1 error; with -detailed-exitcode 0 no difference, 2 some.
"""

_SIDE = "A serial, WORKSPACE, or WORKSPACE@SERIAL."


def state_diff(
    ctx: typer.Context,
    before: Annotated[str, typer.Argument(metavar="A", help=_SIDE, show_default=False)] = "",
    after: Annotated[str, typer.Argument(metavar="[B]", help=f"{_SIDE} Default: now.", show_default=False)] = "",
    diff_code: DiffCode = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("-detailed-exitcode", "--detailed-exitcode", help="Exit 2 if anything differs.")
    ] = False,
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Compare what is recorded after two applies, or in two workspaces.

    Says for every result that differs why it does: parameters, code, data,
    environment, inputs; and what came of it: metrics and outputs.
    """
    started = invocation(ctx, no_color, workspace)
    if not before:
        detail = "For example: zenctl state diff 3\n`zenctl history` lists the serials."
        return started.report([values.missing("What to compare", detail)])
    return run(started, before, after, diff_code=diff_code, json=json, detailed=detailed_exitcode)


def run(run: Invocation, before: str, after: str, *, diff_code: bool, json: bool, detailed: bool) -> int:
    """Compare and show; gives the exit code."""
    from zenctl.cli.views import state_diff as view
    from zenctl.engine import workflow

    outcome = workflow.diff_states(run.inputs(), before, after, code=diff_code)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.difference is None:
        return code or exits.ERROR
    if json:
        document = view.difference_document(outcome.difference)
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False, default=str))
    else:
        run.terminal.write("\n".join(view.difference_lines(outcome.difference, run.terminal.style)))
    return exits.CHANGES if detailed and not outcome.difference.equal else code
