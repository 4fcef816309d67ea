"""Finds the variables that a plan does not hold and that nothing gives, so that a person can be asked before apply."""

from __future__ import annotations

from dataclasses import replace

from zenctl.config.given import Question
from zenctl.engine.opening import OpeningError, open_planned
from zenctl.engine.requests import Inputs
from zenctl.plans.plan import Plan


def unanswered(inputs: Inputs, plan: Plan) -> tuple[Question, ...]:
    """What to ask before the plan can be applied, in the order of the names."""
    questions: list[Question] = []

    def note(question: Question) -> None:
        questions.append(question)

    try:
        open_planned(replace(inputs, ask=note), plan)
    except OpeningError:
        # What else is wrong with it is told when the plan is applied.
        return tuple(questions)
    return tuple(questions)
