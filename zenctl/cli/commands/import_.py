"""`zenctl import`: makes what was made elsewhere the recorded result of an address."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.import_ import ImportArguments, import_arguments
from zenctl.cli.arguments.options import Input, JsonFlag, LockTimeout, NoColor, Var, VarFile, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views.progress import PlainProgress
from zenctl.cli.views.questions import asker
from zenctl.cli.views.style import printable
from zenctl.diagnostics import Diagnostic

EPILOG = """
The address must be in the configuration; where it is not, the block to write is
shown. A step's inputs must be up to date, for a result belongs to them: until
its code, parameters or inputs change, plan takes what is imported for up to
date. Nothing of that is proved: your word is recorded, and `zenctl state show`
says what was imported.

Files are copied into the artifact store, and finalised and digested as those of
a run; what you name stays as it is. A metrics output or a returned value may be
a JSON file. A dataset is a snapshot folder as zenctl writes it, verified whole.

An endpoint is one that runs and that no record has; nothing of it is changed.

Examples:

  zenctl import step.train.penguins model=m metrics=m.json history=history
  zenctl import step.python.fit fit.keras          # its only output
  zenctl import 'step.python.fit["eu"]' model=eu.keras metrics=eu.json
  zenctl import datasource.csv.penguins old/snapshot
  zenctl import endpoint.local.penguins http://127.0.0.1:8501
  zenctl import -generate-config-out=live.zen.hcl endpoint.local.live live

Exit codes: 0 done; 1 error, nothing was recorded; 4 another apply holds the
lock.
"""


def import_(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="ADDRESS ID...",
            help="A step and OUTPUT=PATH for each of its outputs, or one PATH; a datasource and its snapshot's PATH; "
            "an endpoint and its name or URL.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    json: JsonFlag = False,
    generate_config_out: Annotated[
        str,
        typer.Option(
            "-generate-config-out",
            "--generate-config-out",
            metavar="FILE",
            help="Write the block of an endpoint that is not configured to this new file, then import.",
            show_default=False,
        ),
    ] = "",
    var: Var = [],  # noqa: B006
    var_file: VarFile = [],  # noqa: B006
    input: Input = True,
    lock_timeout: LockTimeout = "0s",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Make an existing result managed.

    What was made elsewhere, such as a model that took a week to train, becomes the
    recorded result of a step or datasource, as if it had been run; an endpoint that
    runs becomes one that plan and apply look after.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    given = import_arguments(
        words,
        var=var,
        var_file=var_file,
        order=started.order,
        json=json,
        input=input,
        lock_timeout=lock_timeout,
        config_out=generate_config_out,
        found=found,
    )
    return started.report(found) if found else run(started, given)


def _unheard(_event: object) -> None:
    """What is heard of an import whose only output is one document."""


def run(run: Invocation, given: ImportArguments) -> int:
    """Import; gives the exit code."""
    import json as jsonlib

    from zenctl.cli.views import importing as view
    from zenctl.engine import workflow
    from zenctl.engine.requests import ImportRequest

    inputs = run.inputs(given.variables, asker(run.terminal, allowed=given.input and not given.json))
    request = ImportRequest(given.address, given.ids, given.lock_timeout, given.config_out)
    if given.json:
        outcome = workflow.import_result(inputs, request, _unheard)
        document = view.import_document(outcome, run.sources(outcome.sources))
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.exit_code(outcome.diagnostics)
    with PlainProgress(run.terminal) as progress:
        outcome = workflow.import_result(inputs, request, progress)
    if outcome.written:
        run.terminal.write(f"Wrote {printable(outcome.written)}. Review it: it is part of the configuration now.\n")
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.imported is not None:
        run.terminal.write("\n".join(view.import_lines(outcome.imported, run.terminal.style)))
    return code
