"""-target takes what it depends on along, -exclude what depends on it."""

from __future__ import annotations

import pytest

from zenctl.addrs import Address, ModuleInstance, StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.selecting import Selection, select

A, B, C, D = (StepAddr("python", name) for name in "abcd")
ORDER = [A, B, C, D]
A_X, A_Y = StepAddr("python", "a", "x"), StepAddr("python", "a", "y")
REFERENCES = {B: [A], C: [B], D: [A]}


@pytest.mark.parametrize(
    ("targets", "excludes", "expected"),
    [
        ([], [], [A, B, C, D]),
        (["step.python.c"], [], [A, B, C]),
        (["step.python.d", "step.python.b"], [], [A, B, D]),
        ([], ["step.python.b"], [A, D]),
        ([], ["step.python.a"], []),
    ],
)
def test_selection(targets: list[str], excludes: list[str], expected: list[StepAddr]) -> None:
    assert list(select(ORDER, REFERENCES, targets, excludes).order) == expected


def held(selection: Selection, *addresses: Address) -> list[bool]:
    return [selection.holds(addr) for addr in addresses]


def test_an_address_without_a_key_means_all_instances() -> None:
    assert held(select(ORDER, {}, ["step.python.a"], []), A_X, A_Y) == [True, True]
    assert held(select(ORDER, {}, ['step.python.a["x"]'], []), A_X, A_Y) == [True, False]
    assert held(select(ORDER, {}, [], ['step.python.a["x"]']), A_X, A_Y) == [False, True]


def test_what_is_needed_is_taken_with_all_its_instances() -> None:
    selection = select(ORDER, REFERENCES, ["step.python.b", 'step.python.a["x"]'], [])
    assert held(selection, A_X, A_Y, B) == [True, True, True]


def test_a_module_means_all_in_it() -> None:
    inside = [StepAddr("python", name, None, (ModuleInstance("eu"),)) for name in "ab"]
    eu_1 = StepAddr("python", "a", None, (ModuleInstance("eu", "1"),))
    eu_2 = StepAddr("python", "a", None, (ModuleInstance("eu", "2"),))
    order = [A, *inside]
    assert list(select(order, {}, ["module.eu"], []).order) == inside
    selection = select(order, {}, ['module.eu["1"]'], [])
    assert list(selection.order) == inside
    assert held(selection, eu_1, eu_2) == [True, False]
    assert held(select(order, {}, ["module.eu.step.python.a"], []), eu_1, eu_2) == [True, True]


def test_every_unknown_address_is_named_with_the_nearest() -> None:
    with pytest.raises(DiagnosticError) as caught:
        select(ORDER, REFERENCES, ["step.python.aa", "nonsense"], [])
    assert [d.code for d in caught.value.diagnostics] == ["unknown_address"] * 2
    assert 'Did you mean "step.python.a"?' in caught.value.diagnostics[0].detail


def test_both_at_once_are_refused() -> None:
    with pytest.raises(DiagnosticError, match="cannot be used together"):
        select(ORDER, REFERENCES, ["step.python.a"], ["step.python.b"])
