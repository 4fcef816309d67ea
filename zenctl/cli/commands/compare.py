"""`zenctl compare`: the runs of a step side by side, what they were given that differs, and their metrics."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, error, raise_errors

if TYPE_CHECKING:
    from zenctl.engine.run_comparison import Wanted

EPILOG = """
Shown are the parameters that differ between the runs, those of the steps before
it too; a column for code, data or a package, where that differs; and the
metrics. The best value of each is marked with *. Whether more or less is better
is told by its name: less of loss, error, rmse, latency and the like, more of
accuracy, f1, auc and the like. Of others none is marked, unless -metric says.
Several -workspace lay the runs of all of them side by side.

Examples:

  zenctl compare                       # all steps that have metrics
  zenctl compare step.evaluate.penguins -last=5
  zenctl compare -metric accuracy -metric loss:min
  zenctl compare -workspace=default step.train.penguins
  zenctl compare -json step.train.penguins | jq '.tables[0].runs[].metrics'

Exit codes: 0 done, 1 error.
"""


def compare(
    ctx: typer.Context,
    addresses: Annotated[
        list[str],
        typer.Argument(
            metavar="[ADDRESS...]", help="Steps; all that have metrics if none is given.", show_default=False
        ),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    last: Annotated[
        str, typer.Option("-last", "--last", metavar="N", help="Only the newest N results of each in each workspace.")
    ] = "10",
    metric: Annotated[
        list[str],
        typer.Option(
            "-metric",
            "--metric",
            metavar="NAME[:min|max]",
            help="Show this metric and no other, and say which way is better.",
        ),
    ] = [],  # noqa: B006
    workspace: Annotated[
        list[str],
        typer.Option("-workspace", "--workspace", metavar="NAME", help="Runs of this workspace, not the selected one."),
    ] = [],  # noqa: B006
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Compare runs: what they were given that differs, and their metrics.

    A table for each step, its newest result first. Each run is named by its
    workspace and the apply that recorded it, as `state show ADDRESS@SERIAL` and
    `reproduce` take it.
    """
    from zenctl.config.selected import check_name
    from zenctl.engine.run_comparison import Wanted

    found: list[Diagnostic] = []
    for name in workspace:
        found += check_name(name, f'-workspace="{name}"')
    raise_errors(found)
    started = invocation(ctx, no_color)
    wanted = Wanted(
        values.addresses("", addresses, found),
        tuple(dict.fromkeys(workspace)) or (started.workspace,),
        values.count("-last", last, found),
        _ways(metric, found),
    )
    return started.report(found) if found else run(started, wanted, json)


def _ways(texts: list[str], found: list[Diagnostic]) -> dict[str, str]:
    """`accuracy`, `size_mb:min`: which way is better by the metric's name."""
    ways = {}
    for text in texts:
        name, colon, way = text.rpartition(":") if text.endswith((":min", ":max")) else (text, "", "")
        if not name or (":" in name and not colon):
            detail = "For example: -metric loss:min, or -metric accuracy to show only that."
            found.append(error("bad_argument", f'-metric="{text}" is not NAME, NAME:min or NAME:max', detail))
        ways[name] = way
    return ways


def run(run: Invocation, wanted: Wanted, json: bool) -> int:
    """Compare and show; gives the exit code."""
    from zenctl.cli.views import comparison as view
    from zenctl.engine import workflow

    outcome = workflow.compare_results(run.inputs(), wanted)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.tables is None:
        return code or exits.ERROR
    if json:
        document = view.comparison_document(outcome.tables, outcome.project)
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    elif outcome.tables:
        width = run.terminal.width
        run.terminal.write("\n".join(view.comparison_lines(outcome.tables, run.terminal.style, width)))
    else:
        run.terminal.write("No result has metrics yet. `zenctl state list` lists what is recorded.")
    return code
