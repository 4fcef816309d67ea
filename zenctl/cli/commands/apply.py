"""`zenctl apply`: does what a plan says, after approval, and shows it happening."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import plan as arguments
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import (
    AutoApprove,
    CompactWarnings,
    Exclude,
    GracePeriod,
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
from zenctl.cli.arguments.plan import DEFAULT_PARALLELISM, ApplyArguments
from zenctl.cli.commands.plan import plan_options
from zenctl.cli.interrupts import Interrupts
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import outcome as outcome_view
from zenctl.cli.views import plan as plan_view
from zenctl.cli.views.approval import ask
from zenctl.cli.views.outputs import output_block
from zenctl.cli.views.progress import PlainProgress, Progress
from zenctl.cli.views.questions import asker
from zenctl.cli.views.stream import JsonProgress, JsonStream
from zenctl.diagnostics import Diagnostic, error
from zenctl.engine.events import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zenctl.engine.workflow import ApplyOutcome
    from zenctl.plans.plan import Plan

PLANS = 5
"""How often an apply that nobody approves plans, where others change what it relies on while it waits for the lock."""

EPILOG = """
Ctrl-C once: nothing new is started, running steps finish. Twice: they are
canceled. What was finished is recorded, and the next apply carries on there; so
it does after a failure, which stops only the steps that depend on it.

SIGTERM is the same as Ctrl-C. Where something kills zenctl a while after it, as
CI systems do, say how long steps may go on: -grace-period=20s, or for every
apply ZENCTL_CLI_ARGS_apply=-grace-period=20s. Steps that do not end even when
they are canceled are killed 10 seconds later.

Examples:

  zenctl apply                         # plan, ask, apply
  zenctl apply -auto-approve           # in scripts: plan and apply
  zenctl plan -out=today.plan
  zenctl apply today.plan              # exactly what was reviewed; never asks
  zenctl apply -var epochs=10 -target=step.train.penguins

Exit codes: 0 done; 1 error or not approved; 4 another apply holds the lock;
5 the plan file is stale; 130 or 143 interrupted.
"""


def apply(
    ctx: typer.Context,
    planfile: Annotated[
        str,
        typer.Argument(metavar="[PLANFILE]", help="A plan saved with `zenctl plan -out=PLANFILE`.", show_default=False),
    ] = "",
    auto_approve: AutoApprove = False,
    json: JsonFlag = False,
    destroy: Annotated[bool, typer.Option("-destroy", "--destroy", help="The same as `zenctl destroy`.")] = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    target: Target = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    replace: Replace = [],  # noqa: B006
    refresh: Refresh = True,
    refresh_only: RefreshOnly = False,
    compact_warnings: CompactWarnings = False,
    input: Input = True,
    lock: Lock = True,
    lock_timeout: LockTimeout = "0s",
    grace_period: GracePeriod = "",
    parallelism: Parallelism = DEFAULT_PARALLELISM,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Do what there is to do.

    Without a plan file, makes a plan, shows it and asks; only the answer yes
    approves. With a plan file, does exactly what that plan says, or refuses if what
    it relies on has changed since.
    """
    found: list[Diagnostic] = []
    values.lock(lock, found)
    started = invocation(ctx, no_color, workspace)
    given = ApplyArguments(
        choice=arguments.choice(
            var=var,
            var_file=var_file,
            order=started.order,
            target=target,
            exclude=exclude,
            replace=replace,
            refresh=refresh,
            refresh_only=refresh_only,
            destroy=destroy,
            found=found,
        ),
        plan_file=started.path(planfile) if planfile else None,
        auto_approve=auto_approve,
        json=json,
        input=input,
        lock_timeout=values.seconds("-lock-timeout", lock_timeout, found),
        grace_period=values.seconds("-grace-period", grace_period, found) if grace_period else None,
        parallelism=values.parallelism(parallelism, found),
        compact_warnings=compact_warnings,
    )
    arguments.refuse_with_plan_file(given, found)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: ApplyArguments) -> int:
    """Plan, ask, apply, sum up; gives the exit code."""
    unapproved = _nobody_to_ask(run, given)
    if unapproved is not None:
        return run.report([unapproved])
    return _Apply(run, given).run()


def _nobody_to_ask(run: Invocation, given: ApplyArguments) -> Diagnostic | None:
    """Why nobody could approve, known before any planning."""
    if given.auto_approve or given.plan_file is not None:
        return None
    if given.json:
        why = "-json asks no question"
    elif not given.input:
        why = "-input=false forbids the question"
    elif not run.terminal.can_answer:
        why = "Standard input is not a terminal"
    else:
        return None
    saved = "" if given.choice.destroy else ", or apply a plan saved with `zenctl plan -out=FILE`"
    detail = f"{why}, so nobody can approve the plan. Give -auto-approve{saved}."
    return error("approval_impossible", f"{given.command} needs approval", detail)


def _is_stale(outcome: ApplyOutcome) -> bool:
    """Whether nothing was begun, because the plan does not hold any more."""
    return not outcome.serial and any(d.code == "plan_stale" for d in outcome.diagnostics)


class _Apply:
    """One apply, with its arguments at hand."""

    def __init__(self, run: Invocation, given: ApplyArguments) -> None:
        self._run = run
        self._given = given
        self._terminal = run.terminal
        self._stream = JsonStream(run.terminal.out, run.sources()) if given.json else None
        self._asker = asker(run.terminal, allowed=given.input and not given.json)

    def run(self) -> int:
        if self._stream is not None:
            self._stream.version()
        for left in reversed(range(PLANS)):
            plan, code = self._plan()
            if plan is None or code != exits.OK:
                return code or exits.ERROR
            if plan.is_empty and not plan.interrupted:
                self._nothing_to_do(plan)
                return exits.OK
            if (
                self._must_ask
                and not plan.is_empty
                and not ask(self._terminal, destroy=plan.destroy, workspace=plan.workspace)
            ):
                self._terminal.complain(f"\nNot approved, so nothing was done by {self._given.command}.")
                return exits.ERROR
            outcome, code = self._carry_out(plan)
            # Nobody has read the plan, so that another one will do as well.
            if self._given.plan_file is None and self._given.auto_approve and left and _is_stale(outcome):
                self._say_again()
                continue
            return self._finish(plan, outcome, code)
        raise AssertionError("the last plan is not made again")

    @property
    def _must_ask(self) -> bool:
        return not self._given.auto_approve and self._given.plan_file is None

    def _plan(self) -> tuple[Plan | None, int]:
        """The plan file's plan, or one made and shown now, and the exit code of its diagnostics."""
        if self._given.plan_file is not None:
            from zenctl.plans import planfile

            saved = planfile.read(self._given.plan_file)
            if self._run.workspace_from == "-workspace" and saved.workspace != self._run.workspace:
                detail = f'It was made for workspace "{saved.workspace}" and is applied there: leave out -workspace.'
                summary = f'This plan is not for workspace "{self._run.workspace}"'
                return None, self._report((error("wrong_workspace", summary, detail),), {})
            return saved, exits.OK
        from zenctl.engine import workflow

        choice = self._given.choice
        inputs = self._run.inputs(choice.variables, self._asker)
        if self._stream is not None:
            outcome = workflow.make_plan(inputs, plan_options(choice), self._stream.event)
        else:
            with PlainProgress(self._terminal) as progress:
                outcome = workflow.make_plan(inputs, plan_options(choice), progress)
        if outcome.plan is not None:
            if self._stream is not None:
                self._stream.plan(outcome.plan)
            else:
                plan_view.show(self._terminal, outcome.plan)
        return outcome.plan, self._report(outcome.diagnostics, outcome.sources)

    def _carry_out(self, plan: Plan) -> tuple[ApplyOutcome, int]:
        """Apply it; gives what came of it, and the exit code of an interrupt, 0 if there was none."""
        from zenctl.engine import workflow

        inputs = self._run.inputs(self._given.choice.variables, self._asker.known if self._asker else None)
        if self._asker is not None and self._given.plan_file is not None:
            from zenctl.engine.questions import unanswered

            # Before the display begins, and while Ctrl-C still leaves.
            for question in unanswered(inputs, plan):
                self._asker(question)
        stop = workflow.Stop()
        if self._stream is None:
            self._terminal.write()
        else:
            self._stream.expect(plan)
        self._terminal.out.flush()
        with self._progress() as progress, Interrupts(stop, progress.say, self._given.grace_period) as interrupts:
            outcome = workflow.apply_plan(
                inputs,
                plan,
                listener=progress,
                stop=stop,
                parallelism=self._given.parallelism,
                lock_timeout=self._given.lock_timeout,
            )
        return outcome, interrupts.exit_code if outcome.interrupted else exits.OK

    def _finish(self, plan: Plan, outcome: ApplyOutcome, interrupted: int) -> int:
        code = self._report(outcome.diagnostics, outcome.sources)
        self._sum_up(outcome, destroy=plan.destroy)
        return interrupted or code or (exits.ERROR if outcome.failed else exits.OK)

    def _say_again(self) -> None:
        text = "What the plan relies on has changed meanwhile: planning anew."
        if self._stream is not None:
            self._stream.event(Notice(text))
        else:
            self._terminal.write(f"\n{text}\n")

    def _progress(self) -> AbstractContextManager[Progress]:
        if self._stream is not None:
            return JsonProgress(self._stream)
        if self._terminal.live:
            from zenctl.cli.views.live import LiveProgress

            return LiveProgress(self._terminal)
        return PlainProgress(self._terminal)

    def _sum_up(self, outcome: ApplyOutcome, *, destroy: bool) -> None:
        if self._stream is not None:
            outcome_view.stream(self._stream, outcome, destroy=destroy)
        elif outcome.serial:
            # Without a serial the apply never began, and the error above says all there is to say.
            outcome_view.show(self._terminal, outcome, destroy=destroy)

    def _nothing_to_do(self, plan: Plan) -> None:
        if self._stream is not None:
            return
        if self._given.plan_file is not None:
            plan_view.show(self._terminal, plan)
        outputs = {output.name: {"value": output.after, "sensitive": output.sensitive} for output in plan.outputs}
        if outputs and not plan.destroy:
            self._terminal.write("\nOutputs:\n\n" + output_block(outputs, self._terminal.style))

    def _report(self, diagnostics: tuple[Diagnostic, ...], sources: Mapping[str, str]) -> int:
        if self._stream is not None:
            self._stream.diagnostics(diagnostics, self._run.sources(sources))
            return exits.exit_code(diagnostics)
        return self._run.report(diagnostics, sources, compact_warnings=self._given.compact_warnings)
