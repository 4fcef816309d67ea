"""`zenctl state show`: one recorded result, all it was made from down to data and commit, and what stands on it."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import LineageArguments, lineage_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, DiagnosticError

EPILOG = """
What can be shown:

  step.train.fit           an address: its newest attempt or result
  step.train.fit@3         what apply 3 recorded of it
  5f7a0def0993             an artifact's digest, or six or more of its digits
  trees/5f/5f7a0de...json  an artifact's URI, relative to its store or whole
  ./downloaded/model       a model's folder, or a snapshot's, wherever it lies
  http://127.0.0.1:8501    an endpoint's URL as it is recorded, or one below it

Of a digest, URI or folder the result that made it is shown: this workspace's if
it has one, else the newest of any. So you learn which data made a model.

Examples:

  zenctl state show endpoint.local.penguins
  zenctl state show step.train.penguins@1
  zenctl state show 'step.train.fit["eu"]'
  zenctl state show -format=mermaid endpoint.local.penguins > lineage.mmd
  zenctl state show -format=dot step.train.penguins > lineage.dot
  zenctl state show -json step.train.penguins | jq '.lineage[].address'

Exit codes: 0 done, 1 error.
"""


def state_show(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="An address, ADDRESS@SERIAL, an artifact's digest or URI, a model's folder, an endpoint's URL.",
            show_default=False,
        ),
    ] = "",
    json: JsonFlag = False,
    format: Annotated[
        str,
        typer.Option("-format", "--format", metavar="FORMAT", help="Draw the lineage instead: dot or mermaid."),
    ] = "",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show a recorded result, where it comes from, and what stands on it.

    What ran, when, by whom, for how long and where; its parameters, metrics,
    environment, inputs, outputs and their digests; the tree of everything it was
    made from, down to the data, the code and the commit; and the tree of what is
    made of it now, down to the endpoints that serve it.
    """
    found: list[Diagnostic] = []
    given = lineage_arguments(what, json, format, found)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: LineageArguments) -> int:
    """Show it; gives the exit code."""
    from zenctl.cli.views import lineage as lineage_view
    from zenctl.cli.views import lineage_graph as graph_view
    from zenctl.cli.views import state as state_view
    from zenctl.engine import workflow

    outcome = workflow.state_lineage(run.inputs(), given.what)
    said = run.aside() if given.format else run
    code = said.report(outcome.diagnostics, outcome.sources)
    if outcome.node is None:
        return code or exits.ERROR
    if given.format:
        draw = graph_view.mermaid if given.format == "mermaid" else graph_view.dot
        run.terminal.write(draw(graph_view.lineage_graph(outcome)))
        return code
    if given.json:
        document = lineage_view.lineage_document(outcome)
        run.terminal.write(jsonlib.dumps(document, ensure_ascii=False, default=str))
        return code
    style = run.terminal.style
    recorded = outcome.node.recorded
    lines = state_view.recorded_lines(recorded, style, outcome.apply, outcome.because, _store(run))
    if outcome.node.inputs:
        lines += ["", *lineage_view.lineage_lines(outcome.node, style)]
    if outcome.uses is not None and recorded.outputs:
        lines += ["", *lineage_view.uses_lines(outcome.uses, style)]
    run.terminal.write("\n".join(lines))
    return code


def _store(run: Invocation) -> str:
    """The URI of the artifact store if it is a bucket; empty for a folder, or where the configuration does not say."""
    from zenctl.config.stores import get_store
    from zenctl.provider.registry import discover

    try:
        location = get_store(run.root, discover(), "artifacts").location
    except DiagnosticError:
        # What is recorded can be shown whatever is wrong with the configuration.
        return ""
    return location if "://" in location else ""
