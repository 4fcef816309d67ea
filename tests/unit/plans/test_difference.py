"""Differences are named by paths that a user knows, and never show what is secret."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from zenctl.plans.difference import differences

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "b", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y z", "é"]), inner, max_size=3),
    max_leaves=8,
)


def texts(before: object, after: object) -> list[str]:
    return [str(difference) for difference in differences(before, after, "params")]


def test_a_changed_number() -> None:
    assert texts({"epochs": 5, "seed": 1}, {"epochs": 10, "seed": 1}) == ["params.epochs: 5 -> 10"]


def test_added_removed_and_nested() -> None:
    before = {"layers": [1, 2], "name": {"a b": 1}, "gone": "x"}
    after = {"layers": [1, 3, 4], "name": {"a b": 2}, "new": None}
    assert texts(before, after) == [
        'params.gone: "x" -> (none)',
        "params.layers[1]: 2 -> 3",
        "params.layers[2]: (none) -> 4",
        'params.name["a b"]: 1 -> 2',
        "params.new: (none) -> null",
    ]


def test_a_type_change_counts_but_a_number_s_form_does_not() -> None:
    assert texts({"a": 1}, {"a": "1"}) == ['params.a: 1 -> "1"']
    assert texts({"a": 1}, {"a": 1.0}) == []
    assert texts({"a": 0}, {"a": False}) == ["params.a: 0 -> false"]


def test_secrets_and_unknowns_are_leaves() -> None:
    assert texts({"t": {"sensitive": "aa"}}, {"t": {"sensitive": "bb"}}) == [
        "params.t: (sensitive value) -> (sensitive value)"
    ]
    assert texts({"t": 1}, {"t": {"unknown": "number"}}) == ["params.t: 1 -> (known after apply)"]


def test_long_values_are_cut() -> None:
    [line] = texts({"a": "x" * 500}, {"a": "y" * 500})
    assert len(line) < 160
    assert "…" in line


@given(plain, plain)
def test_something_is_named_exactly_if_the_values_differ(before: object, after: object) -> None:
    from zenctl.digests import canonical_json

    same = canonical_json(before) == canonical_json(after)
    assert (differences(before, after) == []) == same


def test_to_name_differences_costs_no_import_of_what_plain_values_do_not_have() -> None:
    code = (
        "import sys\nfrom zenctl.plans.difference import differences\n"
        "print(*differences({'a': 1}, {'a': 2}))\n"
        "print([name for name in ('numpy', 'pandas', 'polars') if name in sys.modules])\n"
        "import numpy\nprint(numpy.array([1]).sum())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "a: 1 -> 2\n[]\n1\n"
