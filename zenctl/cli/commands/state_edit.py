"""What `zenctl state mv` and `zenctl state rm` have in common: a change of records, followed and told."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from zenctl.cli import exits
from zenctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from zenctl.cli.views.diagnostics import Sources
    from zenctl.engine.editing import MoveOutcome, RemoveOutcome

Outcome = TypeVar("Outcome", "MoveOutcome", "RemoveOutcome")


def carry_out(
    run: Invocation,
    change: Callable[..., Outcome],
    json: bool,
    document: Callable[[Outcome, Sources], Any],
    lines: Callable[[Outcome], list[str]],
) -> int:
    """Make the change (it takes `listener`), and tell of it as a document or in lines; gives the exit code."""
    from zenctl.cli.views.progress import PlainProgress

    if json:
        outcome = change(listener=lambda _: None)
        told = document(outcome, run.sources(outcome.sources))
        run.terminal.write(jsonlib.dumps(told, indent=2, ensure_ascii=False))
        return exits.exit_code(outcome.diagnostics)
    with PlainProgress(run.terminal) as progress:
        outcome = change(listener=progress)
    code = run.report(outcome.diagnostics, outcome.sources)
    if said := lines(outcome):
        run.terminal.write("\n".join(said))
    return code
