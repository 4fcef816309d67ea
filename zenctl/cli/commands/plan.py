"""`zenctl plan`: shows what apply would do and why, and can save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import plan as arguments
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import (
    CompactWarnings,
    DiffCode,
    Drift,
    Exclude,
    Input,
    JsonFlag,
    Lock,
    LockTimeout,
    NoColor,
    Parallelism,
    Refresh,
    RefreshOnly,
    Replace,
    Target,
    Var,
    VarFile,
    WorkspaceFlag,
)
from zenctl.cli.arguments.plan import DEFAULT_PARALLELISM, Choice, PlanArguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import plan as view
from zenctl.cli.views.progress import PlainProgress
from zenctl.cli.views.questions import asker
from zenctl.cli.views.stream import JsonStream
from zenctl.diagnostics import Diagnostic, DiagnosticError, error

if TYPE_CHECKING:
    from zenctl.engine.workflow import PlanOptions
    from zenctl.plans.plan import Plan

EPILOG = """
What the plan is made from: the configuration, the records in ML Metadata, the
datasources as they are now, and your code, which is read but never imported.
It takes no lock and writes nothing to the store (-lock, -lock-timeout and
-parallelism are taken for the sake of scripts). On a terminal it asks for
variables that have no value, unless -input=false or -json is given.

Examples:

  zenctl plan
  zenctl plan -out=today.plan          # then: zenctl apply today.plan
  zenctl plan -var epochs=10
  zenctl plan -target=step.train.penguins
  zenctl plan -replace=step.train.penguins  # once more, though it is fresh
  zenctl plan -diff-code               # with what changed in the steps' source
  zenctl plan -drift                   # with what moved in changed data
  zenctl plan -trusted-config=origin/main   # of a fork: docs/security.md
  zenctl plan -detailed-exitcode       # for scripts: 2 if there is work to do

Exit codes: 0 done; 1 error; with -detailed-exitcode 0 nothing to do, 2 changes.
"""


def plan(
    ctx: typer.Context,
    out: Annotated[
        str,
        typer.Option("-out", "--out", metavar="FILE", help="Save the plan, code included, for `zenctl apply FILE`."),
    ] = "",
    json: JsonFlag = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "-detailed-exitcode", "--detailed-exitcode", help="Exit 2 if anything, outputs included, changes."
        ),
    ] = False,
    destroy: Annotated[
        bool, typer.Option("-destroy", "--destroy", help="Show what `zenctl destroy` would do.")
    ] = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    target: Target = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    replace: Replace = [],  # noqa: B006
    refresh: Refresh = True,
    diff_code: DiffCode = False,
    drift: Drift = False,
    refresh_only: RefreshOnly = False,
    trusted_config: Annotated[
        str,
        typer.Option(
            "-trusted-config",
            "--trusted-config",
            metavar="REV",
            help="For pull requests from forks: settings, providers, secrets and hosts must be as in this commit.",
        ),
    ] = "",
    compact_warnings: CompactWarnings = False,
    input: Input = True,
    lock: Lock = True,
    lock_timeout: LockTimeout = "0s",
    parallelism: Parallelism = DEFAULT_PARALLELISM,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show what apply would do, and why.

    Says for every datasource, step and endpoint that is not up to date what would
    happen to it and the reason: the changed parameter, function, row count, package
    or input. Nothing is run and nothing is changed.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    choice = arguments.choice(
        var=var,
        var_file=var_file,
        order=started.order,
        target=target,
        exclude=exclude,
        replace=replace,
        refresh=refresh,
        refresh_only=refresh_only,
        destroy=destroy,
        trusted_config=trusted_config,
        found=found,
    )
    del lock  # taken for the sake of scripts, as the help says
    values.seconds("-lock-timeout", lock_timeout, found)
    values.parallelism(parallelism, found)
    saved = started.path(out) if out else None
    given = PlanArguments(choice, saved, json, detailed_exitcode, compact_warnings, input, diff_code, drift)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: PlanArguments) -> int:
    """Make the plan, show it, save it; gives the exit code."""
    from zenctl.engine import workflow

    choice = given.choice
    inputs = run.inputs(choice.variables, asker(run.terminal, allowed=given.input and not given.json))
    # A file keeps differences and commit, for `show` and `apply` on another machine.
    options = plan_options(choice, drift=given.drift, code_diffs=given.diff_code, for_file=given.out is not None)
    stream = JsonStream(run.terminal.out, run.sources()) if given.json else None
    if stream is not None:
        stream.version()
        outcome = workflow.make_plan(inputs, options, stream.event)
    else:
        with PlainProgress(run.terminal) as progress:
            outcome = workflow.make_plan(inputs, options, progress)
    made = outcome.plan
    failed = exits.exit_code(outcome.diagnostics)
    if made is not None:
        if stream is not None:
            stream.plan(made)
        else:
            view.show(run.terminal, made, diff_code=given.diff_code)
    problems = list(outcome.diagnostics)
    saved = False
    if made is not None and given.out is not None and failed == exits.OK:
        problem = save(given.out, made)
        saved = problem is None
        problems += [] if problem is None else [problem]
    if stream is not None:
        stream.diagnostics(problems, run.sources(outcome.sources))
    else:
        run.report(problems, outcome.sources, compact_warnings=given.compact_warnings)
    code = exits.exit_code(problems)
    if code != exits.OK or made is None:
        return code or exits.ERROR
    command = "destroy" if made.destroy else "apply -refresh-only" if made.refresh_only else "apply"
    if stream is None and not run.terminal.in_automation and (saved or not made.is_empty):
        run.terminal.write(view.footer(run.terminal, _typed(given.out, run.root) if saved else "", command=command))
    return exits.CHANGES if given.detailed_exitcode and not made.is_empty else exits.OK


def plan_options(
    choice: Choice, *, drift: bool = False, code_diffs: bool = False, for_file: bool = False
) -> PlanOptions:
    """The engine's options for what was chosen."""
    from zenctl.engine.workflow import PlanOptions

    return PlanOptions(
        destroy=choice.destroy,
        refresh=choice.refresh,
        refresh_only=choice.refresh_only,
        replace=choice.replace,
        targets=choice.targets,
        excludes=choice.excludes,
        drift=drift,
        code_diffs=code_diffs,
        for_file=for_file,
        trusted_config=choice.trusted_config,
    )


def save(path: Path, plan: Plan) -> Diagnostic | None:
    """Write the plan file; a problem comes back as a diagnostic."""
    from zenctl.plans import planfile

    try:
        planfile.write(path, plan)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        return error(
            "plan_file_unwritable", f"The plan cannot be saved in {path}", f"{reason}. Choose another -out=FILE."
        )
    except DiagnosticError as problem:
        return problem.diagnostics[0]
    return None


def _typed(path: Path | None, root: Path) -> str:
    if path is None:
        return ""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
