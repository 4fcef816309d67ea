"""What the `workspace` commands were given, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.arguments import values
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from zenctl.cli.invocation import Invocation
    from zenctl.config.given import VariableArgument

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The workspace's name.", show_default=False)]


@dataclass(frozen=True, slots=True)
class DeleteArguments:
    """Of `zenctl workspace delete`. `lock_timeout` is in seconds."""

    name: str = ""
    force: bool = False
    expired: bool = False
    auto_approve: bool = False
    input: bool = True
    variables: tuple[VariableArgument, ...] = ()
    lock_timeout: float = 0.0


def check_new_name(name: str, run: Invocation, command: str, found: list[Diagnostic]) -> None:
    """Of a workspace that is to be selected: a name that is none, and a variable that is stronger than any choice."""
    from zenctl.config.selected import check_name

    if not name:
        found.append(values.missing("The workspace's name", f"For example: zenctl {command} pr-42"))
    else:
        found += check_name(name, f'"{name}"')
    if run.workspace_from:
        detail = "As long as it is set it is stronger than any choice. Unset it, or work with it alone."
        found.append(error("workspace_overridden", f'{run.workspace_from} says "{run.workspace}"', detail))


def check_delete(given: DeleteArguments, run: Invocation, found: list[Diagnostic]) -> None:
    """What can be told before the records are read."""
    from zenctl.config.selected import DEFAULT, check_name

    if given.expired and (given.name or given.force):
        which = given.name or "-force"
        detail = "-expired finds the workspaces by itself, and destroys their endpoints."
        found.append(error("bad_argument", f"-expired together with {which}", detail))
    elif given.expired:
        found += _nobody_to_ask(run, given)
    elif not given.name:
        detail = "For example: zenctl workspace delete pr-42, or zenctl workspace delete -expired"
        found.append(values.missing("The workspace's name", detail))
    elif given.name == DEFAULT:
        detail = "It is always there. `zenctl destroy -workspace=default` removes its endpoints."
        found.append(error("workspace_needed", "The default workspace cannot be deleted", detail))
    elif given.name == run.workspace:
        detail = "Select another one first: zenctl workspace select default"
        if run.workspace_from:
            detail = f"{run.workspace_from} says so. Set it to another one."
        found.append(error("workspace_needed", f'"{given.name}" is the current workspace', detail))
    else:
        found += check_name(given.name, f'"{given.name}"')


def _nobody_to_ask(run: Invocation, given: DeleteArguments) -> list[Diagnostic]:
    """Why nobody could approve; known before anything is done."""
    if given.auto_approve or (given.input and run.terminal.can_answer):
        return []
    why = "Standard input is not a terminal" if given.input else "-input=false forbids the question"
    return [error("approval_impossible", "workspace delete -expired needs approval", f"{why}. Give -auto-approve.")]


def remember(run: Invocation, name: str) -> Diagnostic | None:
    """Select the workspace in this folder; a problem comes back as a diagnostic."""
    from zenctl.config.selected import select

    try:
        select(run.root / ".zenctl", name)
    except OSError as problem:
        detail = f"{problem.filename}: {problem.strerror}. Set ZENCTL_WORKSPACE={name} instead."
        return error("workspace_unwritable", "The choice of a workspace cannot be kept", detail)
    return None
