"""`zenctl reproduce`: makes a recorded result again from what it was made from, and compares the bytes."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.arguments.state import ReproduceArguments, reproduce_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views.progress import PlainProgress
from zenctl.diagnostics import Diagnostic

EPILOG = """
What is run is the recorded order: its code, parameters and inputs as they are
in the artifact store, on this machine, in a folder of its own. Nothing is
recorded. Where packages are not as recorded, an environment with the recorded
ones is built below .zenctl/cache and kept; where that fails, or with
-build=false, the job runs with what is here, and what differs is said.

Examples:

  zenctl reproduce step.train.penguins
  zenctl reproduce step.train.penguins@12      # as apply 12 made it
  zenctl reproduce -json 'step.train.fit["eu"]' | jq '.outputs[].equal'

Exit codes: 0 equal; 1 error; 2 different.
"""


def reproduce(
    ctx: typer.Context,
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS[@SERIAL]",
            help="A step or datasource, as it is or as an apply made it.",
            show_default=False,
        ),
    ] = "",
    build: Annotated[
        bool,
        typer.Option(
            "-build/-no-build", "--build/--no-build", help="Build no environment: run with the packages that are here."
        ),
    ] = True,
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Make a recorded result again and compare it.

    Runs what was run, with the code, inputs, parameters and packages that were
    recorded, and says for each output whether its content is the same; if not,
    which files differ, and how its metrics do.
    """
    found: list[Diagnostic] = []
    given = reproduce_arguments(address, build, json, found)
    started = invocation(ctx, no_color)
    return started.report(found) if found else run(started, given)


def _unheard(_event: object) -> None:
    """What is heard of a run whose only output is one document."""


def run(run: Invocation, given: ReproduceArguments) -> int:
    """Reproduce it; gives the exit code."""
    from zenctl.cli.views import reproduction as view
    from zenctl.engine import workflow

    if given.json:
        outcome = workflow.reproduce_result(run.inputs(), given.address, _unheard, build=given.build)
    else:
        with PlainProgress(run.terminal) as progress:
            outcome = workflow.reproduce_result(run.inputs(), given.address, progress, build=given.build)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.reproduced is None:
        return code or exits.ERROR
    if given.json:
        run.terminal.write(jsonlib.dumps(view.reproduction_document(outcome.reproduced), ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view.reproduction_lines(outcome.reproduced, run.terminal.style)))
    return exits.OK if outcome.reproduced.equal else exits.CHANGES
