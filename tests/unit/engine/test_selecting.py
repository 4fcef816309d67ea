"""-target takes what it depends on along, -exclude what depends on it."""

from __future__ import annotations

import pytest

from zenctl.addrs import StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.selecting import select

A, B, C, D = (StepAddr("python", name) for name in "abcd")
ORDER = [A, B, C, D]
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
    assert list(select(ORDER, REFERENCES, targets, excludes)) == expected


def test_an_address_without_a_key_means_all_instances() -> None:
    instances = [StepAddr("python", "fit", key) for key in ("a", "b")]
    assert list(select([*instances, A], {}, ["step.python.fit"], [])) == instances


def test_every_unknown_address_is_named_with_the_nearest() -> None:
    with pytest.raises(DiagnosticError) as caught:
        select(ORDER, REFERENCES, ["step.python.aa", "nonsense"], [])
    assert [d.code for d in caught.value.diagnostics] == ["unknown_address"] * 2
    assert 'Did you mean "step.python.a"?' in caught.value.diagnostics[0].detail


def test_both_at_once_are_refused() -> None:
    with pytest.raises(DiagnosticError, match="cannot be used together"):
        select(ORDER, REFERENCES, ["step.python.a"], ["step.python.b"])
