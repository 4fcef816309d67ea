"""`zenctl graph`: draws what depends on what, or what a plan does where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import graph as arguments
from zenctl.cli.arguments import values
from zenctl.cli.arguments.graph import GraphArguments
from zenctl.cli.arguments.options import NoColor, Var, VarFile, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zenctl.engine.graphing import BlockGraph
    from zenctl.plans.plan import Plan

EPILOG = """
Formats: dot is drawn by Graphviz, mermaid by GitHub and many wikis. svg and
html are drawn by zenctl itself and load nothing from anywhere; html can be
moved and zoomed, finds addresses, and tells of each block where it is declared
and what goes in and out.

Types: configuration shows blocks (fit[*] stands for all instances of one), plan
and plan-destroy their instances, coloured by what would happen to them now.

Examples:

  zenctl graph -format=html > graph.html
  zenctl graph | dot -Tpng > graph.png
  zenctl graph -type=plan -format=svg > plan.svg
  zenctl graph -plan=today.plan -format=mermaid

Exit codes: 0 done, 1 error.
"""


def graph(
    ctx: typer.Context,
    format: Annotated[
        str, typer.Option("-format", "--format", metavar="FORMAT", help="dot, mermaid, svg or html.")
    ] = "dot",
    plan: Annotated[
        str, typer.Option("-plan", "--plan", metavar="FILE", help="Show what this plan file does, by colour.")
    ] = "",
    type: Annotated[
        str,
        typer.Option(
            "-type", "--type", metavar="TYPE", help="configuration (if nothing is said), plan or plan-destroy."
        ),
    ] = "",
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Draw what depends on what.

    Prints the graph of datasources, steps and endpoints, grouped by module, with an
    arrow from each to what needs it. With a plan, blocks have the colour of what
    happens to them.
    """
    found: list[Diagnostic] = []
    arguments.check_choices(format, type, bool(plan), found)
    started = invocation(ctx, no_color, workspace)
    variables = values.variables(var, var_file, started.order, found)
    given = GraphArguments(format, type or arguments.TYPES[0], started.path(plan) if plan else None, variables)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: GraphArguments) -> int:
    """Make the graph and print it; gives the exit code."""
    made, code = _planned(run, given) if given.plan_file or given.type != "configuration" else _configured(run, given)
    if made is None:
        return code or exits.ERROR
    run.terminal.write(_drawn(made, given.format))
    return code


def _configured(run: Invocation, given: GraphArguments) -> tuple[BlockGraph | None, int]:
    from zenctl.engine.graphing import graph_configuration

    inputs = run.inputs(given.variables)
    outcome = graph_configuration(inputs, detailed=given.format == "html")
    return outcome.graph, run.aside().report(outcome.diagnostics, outcome.sources)


def _planned(run: Invocation, given: GraphArguments) -> tuple[BlockGraph | None, int]:
    from zenctl.engine.graphing import graph_plan

    plan, code = _plan(run, given)
    if plan is None:
        return None, code
    inputs = run.inputs(given.variables)
    return graph_plan(inputs, plan, detailed=given.format == "html"), code


def _plan(run: Invocation, given: GraphArguments) -> tuple[Plan | None, int]:
    """The plan in the file, or one made now."""
    if given.plan_file is not None:
        from zenctl.plans import planfile

        return planfile.read(given.plan_file), exits.OK
    from zenctl.engine import workflow

    inputs = run.inputs(given.variables)
    options = workflow.PlanOptions(destroy=given.type == "plan-destroy")
    outcome = workflow.make_plan(inputs, options, lambda _: None)
    return outcome.plan, run.aside().report(outcome.diagnostics, outcome.sources)


def _drawn(graph: BlockGraph, format: str) -> str:
    if format == "svg":
        from zenctl.cli.views.graph.svg import svg

        return svg(graph)
    if format == "html":
        from zenctl.cli.views.graph.page import html

        return html(graph)
    from zenctl.cli.views.graph import texts

    return texts.mermaid(graph) if format == "mermaid" else texts.dot(graph)
