"""The schemas of lists, checks and garbage take what the views write, and nothing with a key less or a wrong value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from tests.unit.cli.test_state_schemas import APPLY
from tests.unit.cli.test_upkeep_views import FOUND, FREED, SOURCES
from zenctl.cli import upkeep_schemas
from zenctl.cli.views.garbage import garbage_document
from zenctl.cli.views.history import history_document
from zenctl.cli.views.verification import verified_document
from zenctl.diagnostics import error
from zenctl.engine.collecting import Collected
from zenctl.engine.verifying import VerifyOutcome
from zenctl.metadata.applies import OUTCOMES

PROBLEM = error("x", "No store", "Make one.")
ROW = {"address": "step.train.fit", "state": "COMPLETE", "execution_id": 1, "serial": 3}
CASES: dict[str, tuple[Any, Any]] = {
    "addresses": ([ROW], upkeep_schemas.addresses_schema()),
    "history": (history_document([APPLY], "default"), upkeep_schemas.history_schema()),
    "verification": (verified_document(VerifyOutcome(FOUND), SOURCES), upkeep_schemas.verification_schema()),
    "garbage": (
        garbage_document(FREED, Collected(FREED, 3, 3024, True), (PROBLEM,), SOURCES),
        upkeep_schemas.garbage_schema(),
    ),
}
VALIDATORS = {name: jsonschema.Draft202012Validator(schema) for name, (_, schema) in CASES.items()}

Place = tuple["str | int", ...]


def keys(document: Any, place: Place = ()) -> Iterator[Place]:
    """Every key of every object in a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield (*place, key)
            yield from keys(value, (*place, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from keys(value, (*place, index))


ALL = [(name, place) for name, (document, _) in CASES.items() for place in keys(document)]


def shown(value: Any) -> str:
    return ".".join(map(str, value)) if isinstance(value, tuple) else repr(value)


@pytest.mark.parametrize("name", CASES)
def test_what_the_views_write_fits(name: str) -> None:
    VALIDATORS[name].validate(CASES[name][0])
    assert sum(kind == name for kind, _ in ALL) >= len(ROW)


def test_what_nothing_could_be_told_of_fits_too() -> None:
    VALIDATORS["verification"].validate(verified_document(VerifyOutcome(None, (PROBLEM,)), SOURCES))
    VALIDATORS["garbage"].validate(garbage_document(None, None, (PROBLEM,), SOURCES))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_apply_may_have_ended_in_any_way(outcome: str) -> None:
    VALIDATORS["history"].validate(history_document([replace(APPLY, outcome=outcome)], "default"))


@pytest.mark.parametrize(("name", "place"), ALL, ids=shown)
@pytest.mark.parametrize("value", [None, ("wrong",)], ids=["without", "wrong"])
def test_a_key_less_or_a_wrong_value_is_refused(name: str, place: Place, value: Any) -> None:
    document = copy.deepcopy(CASES[name][0])
    inside = document
    for part in place[:-1]:
        inside = inside[part]
    if value is None:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATORS[name].validate(document)
