"""Variables on the command line: their order, and the questions for those that have no value."""

from __future__ import annotations

import pytest

from zenctl.config.given import Question, VariableFile, VariableText
from zenctl.engine.requests import ApplyOutcome, PlanOutcome


@pytest.fixture
def planned(engine, penguins):
    engine.answers["make_plan"] = PlanOutcome(penguins, ())
    engine.answers["apply_plan"] = ApplyOutcome(serial=5, ran=("step.python.fit",))
    return engine


A, B, X = VariableFile("a"), VariableFile("b"), VariableText("x", "1")
ORDERS = [
    (["-var-file=a", "-var", "x=1", "--var-file", "b"], (A, X, B)),
    (["-var=x=1", "-json", "-var=x=-var-file=b", "-no-color"], (X, VariableText("x", "-var-file=b"))),
    (["--var-file", "b", "-var-file=a", "--var=y=", "-var-file=b"], (B, A, VariableText("y", ""), B)),
]


@pytest.mark.parametrize(("words", "variables"), ORDERS)
@pytest.mark.parametrize(
    "command", ["plan -target=step.a.b", "apply -auto-approve", "destroy -auto-approve", "validate"]
)
def test_variables_keep_their_order(zenctl, planned, command, words, variables):
    planned.answers["validate"] = PlanOutcome(None, ())
    assert zenctl(*command.split(), *words).code == 0
    [(arguments, _)] = planned.called("validate" if command == "validate" else "make_plan")
    assert arguments[0].variables == variables


def test_flags_of_the_environment_come_before_typed_ones(zenctl, planned):
    env = {"ZENCTL_CLI_ARGS": "-var-file=env", "ZENCTL_CLI_ARGS_plan": "-var x=env"}
    zenctl("plan", "-var-file=typed", "-var=x=typed", env=env)
    [((inputs, _, _), _)] = planned.called("make_plan")
    assert inputs.variables == (
        VariableFile("env"),
        VariableText("x", "env"),
        VariableFile("typed"),
        VariableText("x", "typed"),
    )


def asking(penguins, *questions):
    """An engine that asks before it answers; what it was told."""
    told = []

    def make_plan(inputs, options, listener):
        told.append(None if inputs.ask is None else [inputs.ask(question) for question in questions])
        return PlanOutcome(penguins, ())

    return make_plan, told


BUCKET = Question("bucket", "string", "Where the data is.\nWith gs://.")
TOKEN = Question("token", "", hidden=True, ephemeral=True)


def test_a_person_is_asked_for_variables(zenctl, planned, penguins):
    planned.answers["make_plan"], told = asking(penguins, BUCKET, TOKEN)
    ran = zenctl("plan", answers="gs://here\n t \n")
    assert ran.code == 0
    assert told == [["gs://here", " t "]]
    assert ran.out.startswith(
        "\nvar.bucket (string)\n  Where the data is.\n  With gs://.\n\n  Enter a value: "
        "\nvar.token (ephemeral)\n  What you type is not shown.\n\n  Enter a value: "
    )


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_a_question_is_asked_once_and_the_answer_goes_to_apply(zenctl, planned, penguins, command):
    planned.answers["make_plan"], told = asking(penguins, TOKEN)
    answered = []

    def apply_plan(inputs, plan, **others):
        answered.append((inputs.ask(TOKEN), inputs.ask(BUCKET)))
        return ApplyOutcome(serial=5)

    planned.answers["apply_plan"] = apply_plan
    ran = zenctl(command, answers="t\nyes\n")
    assert ran.code == 0
    assert (told, answered) == ([["t"]], [("t", None)])
    assert ran.out.count("var.token") == 1


def test_the_end_of_input_is_no_answer(zenctl, planned, penguins):
    planned.answers["make_plan"], told = asking(penguins, BUCKET, BUCKET)
    assert zenctl("plan", answers="").code == 0
    assert told == [[None, None]]


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (["plan", "-input=false"], "x\n"),
        (["plan", "-json"], "x\n"),
        (["plan"], None),
        (["destroy", "-auto-approve"], None),
    ],
)
def test_nobody_is_asked_where_nobody_can_answer(zenctl, planned, penguins, words, answers):
    planned.answers["make_plan"], told = asking(penguins, BUCKET)
    zenctl(*words, answers=answers)
    assert told == [None]
