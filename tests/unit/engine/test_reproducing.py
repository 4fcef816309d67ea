"""What a reproduction compares, and how its address is read."""

from __future__ import annotations

import pytest

from zenctl.engine.comparing import FileDifference, differing_files, side_by_side
from zenctl.engine.naming import split_serial
from zenctl.jobs.artifacts import Tree, TreeFile


@pytest.mark.parametrize(
    ("text", "address", "serial"),
    [
        ("step.python.fit", "step.python.fit", None),
        ("step.python.fit@3", "step.python.fit", 3),
        ('step.python.fit["a@1"]', 'step.python.fit["a@1"]', None),
        ('step.python.fit["a@1"]@12', 'step.python.fit["a@1"]', 12),
        ('step.python.fit["x@5', 'step.python.fit["x@5', None),
        ("step.python.fit@latest", "step.python.fit@latest", None),
    ],
)
def test_a_serial_stands_behind_the_last_at_outside_of_keys(text: str, address: str, serial: int | None) -> None:
    assert split_serial(text) == (address, serial)


def test_files_that_differ_are_named_with_their_sizes() -> None:
    old = Tree((TreeFile("a", 1, "x"), TreeFile("b", 2, "y"), TreeFile("c", 3, "z")))
    new = Tree((TreeFile("a", 1, "x"), TreeFile("b", 4, "w"), TreeFile("d", 5, "v")))
    assert differing_files(old, new) == (
        FileDifference("b", 2, 4),
        FileDifference("c", 3, None),
        FileDifference("d", None, 5),
    )
    assert differing_files(old, old) == ()


def test_metrics_stand_side_by_side_in_the_recorded_order() -> None:
    pairs = side_by_side({"loss": 1.5, "curve": [1, 2], "epochs": 3}, {"epochs": 4, "extra": True})
    assert list(pairs.items()) == [("loss", (1.5, None)), ("epochs", (3, 4)), ("extra", (None, True))]
