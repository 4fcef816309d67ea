"""`zenctl show`: a saved plan, or the state of the workspace."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import state as arguments
from zenctl.cli.arguments.options import DiffCode, JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import ShowArguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import plan as plan_view
from zenctl.diagnostics import Diagnostic
from zenctl.plans.planjson import plan_document

EPILOG = """
With -json a plan has the keys of Terraform's (resource_changes[].address,
.type, .name, .change.actions ...) and besides them zenctl_action and
stale_because; the state has the keys of Terraform's state. Sensitive values are
null in both. -markdown is for a comment on a pull request: a summary, a table
of what happens and why, and details to unfold, below GitHub's limit of size.

Examples:

  zenctl show                          # the state of the workspace
  zenctl show today.plan               # a plan saved with -out
  zenctl show -diff-code today.plan    # with what changed in the steps' source
  zenctl show -json today.plan | jq '.resource_changes[] | .zenctl_action'
  zenctl show -markdown today.plan | gh pr comment --body-file -

Exit codes: 0 done, 1 error.
"""


def show(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="A plan file. Without it, the state is shown.", show_default=False)
    ] = "",
    json: JsonFlag = False,
    markdown: Annotated[
        bool, typer.Option("-markdown", "--markdown", help="Print a plan as Markdown, for a pull request.")
    ] = False,
    diff_code: DiffCode = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show a saved plan, or what is recorded.

    With a plan file, shows it exactly as `zenctl plan` did; the configuration is
    not needed. Without one, lists what each address of the workspace last produced,
    and the outputs.
    """
    started = invocation(ctx, no_color, workspace)
    found: list[Diagnostic] = []
    given = arguments.show_arguments(started.path(file) if file else None, json, markdown, diff_code, found)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: ShowArguments) -> int:
    """Show it; gives the exit code."""
    return _plan(run, given) if given.file is not None else _state(run, given)


def _plan(run: Invocation, given: ShowArguments) -> int:
    from zenctl.plans import planfile

    assert given.file is not None
    plan = planfile.read(given.file)
    if given.json:
        run.terminal.write(jsonlib.dumps(plan_document(plan), ensure_ascii=False))
        return exits.OK
    if given.markdown:
        from zenctl.cli.views.markdown import markdown

        run.terminal.write_exactly(markdown(plan))
        return exits.OK
    plan_view.show(run.terminal, plan, diff_code=given.diff_code)
    return run.report(plan.diagnostics, plan.files)


def _state(run: Invocation, given: ShowArguments) -> int:
    from zenctl.cli.views import state as state_view
    from zenctl.engine import workflow

    outcome = workflow.read_state(run.inputs())
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.state is None:
        return code or exits.ERROR
    if given.json:
        run.terminal.write(jsonlib.dumps(state_view.state_document(outcome.state), ensure_ascii=False, default=str))
    else:
        run.terminal.write("\n".join(state_view.workspace_lines(outcome.state, run.terminal.style)))
    return code
