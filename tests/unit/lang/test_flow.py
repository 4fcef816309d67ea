"""On random expressions: no secret shows, marks change no value, and what is planned is what is then computed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lang import random_hcl
from zenctl.lang import EvalResult, Sensitive, Unknown, evaluate

HIDDEN = {"n": 8, "s": "word", "yes": False, "list": [4], "map": {"a": 5, "c": 1}, "rows": [{"id": 9, "tags": []}]}
"""Other values for what is secret, or known only after apply, in these tests."""

TYPES = {"n": "number", "s": "string", "yes": "bool"}


def result(source: str, **changed: Any) -> EvalResult:
    return evaluate(source, {"var": {"v": {**random_hcl.VARIABLES, **changed}}})


def shown(value: Any) -> Any:
    """The value with its secrets replaced."""
    if isinstance(value, Sensitive):
        return "(sensitive)"
    if isinstance(value, dict):
        return {name: shown(item) for name, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value


def bare(value: Any) -> Any:
    """The value without marks."""
    if isinstance(value, Sensitive):
        return bare(value.value)
    if isinstance(value, dict):
        return {name: bare(item) for name, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


def fits(planned: Any, computed: Any) -> bool:
    """Whether what was known in the plan came out so."""
    if isinstance(planned, Unknown):
        return True
    if isinstance(planned, dict) and isinstance(computed, dict):
        return planned.keys() == computed.keys() and all(fits(planned[name], computed[name]) for name in planned)
    if isinstance(planned, list) and isinstance(computed, list):
        return len(planned) == len(computed) and all(map(fits, planned, computed))
    return type(planned) is type(computed) and bool(planned == computed)


def test_the_comparisons_can_fail() -> None:
    assert shown([Sensitive(1), 2]) != shown([Sensitive(1), 3])
    assert bare({"a": Sensitive([1])}) == {"a": [1]}
    assert fits([Unknown("any"), 1], [5, 1])
    assert not fits([Unknown("any"), 1], [5, 2])
    assert not fits([1], [1, 2])


@pytest.mark.parametrize("part", range(4))
def test_values_flow_as_they_should(part: int) -> None:
    compared = planned = 0
    for seed in range(part * 300, part * 300 + 300):
        source = random_hcl.value(seed)
        plain = result(source)
        secret = result(source, **{name: Sensitive(random_hcl.VARIABLES[name]) for name in HIDDEN})
        assert secret.ok == plain.ok, source
        if plain.ok:
            assert bare(secret.value) == plain.value, source
        if "can(" in source or "try(" in source:  # these tell of a secret whether it fits, and decide by what is known
            continue
        other = result(source, **{name: Sensitive(value) for name, value in HIDDEN.items()})
        if secret.ok and other.ok:
            assert shown(secret.value) == shown(other.value), source
            compared += 1
        later = result(source, **{name: Unknown(TYPES.get(name, "any")) for name in HIDDEN})
        if plain.ok:
            # A side of && and || that fails is told unless the other is known to decide.
            assert later.ok or "&&" in source or "||" in source, source
            assert not later.ok or fits(later.value, plain.value), source
            planned += 1
    assert min(compared, planned) > 30
