"""What a fingerprint covers, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zenctl.fingerprint.digest import fingerprint
from zenctl.plans.actions import Components

BASE = Components(
    type="python/1",
    code={"entry": "steps/fit.py:fit", "digest": "c" * 64, "files": {"steps/fit.py": "d" * 64}},
    params={"epochs": 5, "layers": [{"units": 8}]},
    inputs={"train": "a" * 64},
    source={},
    environment={"python": "3.11", "distributions": {"numpy": "2.1"}},
)

CHANGES: dict[str, dict[str, Any]] = {
    "type": {"type": "python/2"},
    "function": {"code": {**BASE.code, "entry": "steps/fit.py:fit2"}},
    "closure": {"code": {**BASE.code, "digest": "e" * 64}},
    "no code": {"code": {}},
    "parameter": {"params": {"epochs": 6, "layers": [{"units": 8}]}},
    "nested parameter": {"params": {"epochs": 5, "layers": [{"units": 9}]}},
    "new parameter": {"params": {**BASE.params, "seed": None}},
    "input": {"inputs": {"train": "b" * 64}},
    "input's name": {"inputs": {"eval": "a" * 64}},
    "source": {"source": {"digest": "f" * 64, "bytes": 1, "rows": 1}},
    "python": {"environment": {**BASE.environment, "python": "3.10"}},
    "package": {"environment": {"python": "3.11", "distributions": {"numpy": "2.2"}}},
    "package gone": {"environment": {"python": "3.11", "distributions": {}}},
}

SAME: dict[str, dict[str, Any]] = {
    "path of the entry": {"code": {**BASE.code, "entry": "jobs/train.py:fit"}},
    "digests of single files": {"code": {**BASE.code, "files": {}}},
    "order of parameters": {"params": dict(reversed(BASE.params.items()))},
    "5 and 5.0": {"params": {"epochs": 5.0, "layers": [{"units": 8}]}},
    "a tuple": {"params": {"epochs": 5, "layers": ({"units": 8},)}},
    "unknown part of the environment": {"environment": {**BASE.environment, "host": "here"}},
}

UNKNOWN: dict[str, dict[str, Any]] = {
    "input": {"inputs": {"train": ""}},
    "one of two inputs": {"inputs": {"train": "a" * 64, "eval": ""}},
    "parameter": {"params": {"epochs": {"unknown": "number"}}},
    "nested parameter": {"params": {"layers": [{"units": {"unknown": "number"}}]}},
    "all parameters": {"params": {"unknown": "any"}},
    "source": {"source": {"digest": "", "bytes": 0, "rows": None}},
}


@pytest.mark.parametrize("name", CHANGES)
def test_covers(name: str) -> None:
    assert fingerprint(replace(BASE, **CHANGES[name])) not in ("", fingerprint(BASE))


def test_all_changes_differ_from_one_another() -> None:
    found = [fingerprint(replace(BASE, **change)) for change in CHANGES.values()]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", SAME)
def test_does_not_cover(name: str) -> None:
    assert fingerprint(replace(BASE, **SAME[name])) == fingerprint(BASE)


def test_only_the_digest_of_a_source_counts() -> None:
    one = replace(BASE, source={"digest": "f" * 64, "bytes": 1, "rows": 1})
    two = replace(BASE, source={"digest": "f" * 64, "bytes": 2, "rows": None})
    assert fingerprint(one) == fingerprint(two)


@pytest.mark.parametrize("name", UNKNOWN)
def test_there_is_none_while_anything_is_unknown(name: str) -> None:
    assert fingerprint(replace(BASE, **UNKNOWN[name])) == ""


def test_a_sensitive_mark_is_not_unknown() -> None:
    assert fingerprint(replace(BASE, params={"key": {"sensitive": "a" * 64}}))


def test_it_is_the_same_on_every_machine() -> None:
    # Pinned: what it covers may change only together with FORMAT, which makes everything recorded stale.
    assert fingerprint(BASE) == "5120b8780e78c4603456dd48af7b24592e8fa67507ab59e11627440723a01f0b"


@pytest.mark.parametrize("value", [float("nan"), object(), {1: 2}])
def test_parameters_without_a_json_form_are_a_bug(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint(replace(BASE, params={"x": value}))
