"""Which way a metric is better, told by its name; which values are best; what a result's metrics are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.addrs import StepAddr
from zenctl.engine.metrics import HIGHER, LOWER, best, direction, metrics_of
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import ExecutionState


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("accuracy", "max"),
        ("val_accuracy", "max"),
        ("valAccuracy", "max"),
        ("accuracy/island=Biscoe", "max"),
        ("sparse_categorical_accuracy", "max"),
        ("f1", "max"),
        ("F1-score", "max"),
        ("roc_auc", "max"),
        ("r2", "max"),
        ("loss", "min"),
        ("eval_loss", "min"),
        ("rmse", "min"),
        ("mean_absolute_error", "min"),
        ("log_loss", "min"),
        ("logLoss", "min"),
        ("log_likelihood", "max"),
        ("negative_log_likelihood", "min"),
        ("false_positive_rate", "min"),
        ("true_positive_rate", "max"),
        ("brier_score", "min"),
        ("accuracy_loss", "min"),
        ("latency_ms", "min"),
        ("rows", ""),
        ("epochs", ""),
        ("size_mb", ""),
        ("lossless", ""),
        ("", ""),
    ],
)
def test_the_name_tells_which_way_is_better(name: str, way: str) -> None:
    assert direction(name) == way


def test_no_name_is_known_both_ways() -> None:
    assert not set(HIGHER) & set(LOWER)
    assert {direction(name) for name in HIGHER} == {"max"}
    assert {direction(name) for name in LOWER} == {"min"}


@given(st.dictionaries(st.integers(), st.floats(allow_nan=True, allow_infinity=True)), st.sampled_from(["min", "max"]))
def test_the_best_are_no_worse_than_any(values: dict[int, float], way: str) -> None:
    found = best(values, way)
    sign = 1 if way == "max" else -1
    finite = [value for value in values.values() if value == value and abs(value) != float("inf")]
    assert all(sign * values[key] >= sign * other for key in found for other in finite)
    assert bool(found) == (len(set(finite)) > 1)


def test_nothing_is_best_where_nothing_can_be_told() -> None:
    assert best({0: 1.0, 1: 2.0}, "") == frozenset()
    assert best({0: 1.0, 1: 1.0}, "max") == frozenset()
    assert best({0: "a", 1: True, 2: 0.5}, "max") == frozenset()
    assert best({0: 1.0, 1: 2.0, 2: 2.0}, "max") == {1, 2}


def outputs(**given: Any) -> Recorded:
    found = {
        name: RecordedArtifact(i, type, "", "", properties=values)
        for i, (name, (type, values)) in enumerate(given.items())
    }
    return Recorded(StepAddr("python", "fit"), 1, "j", ExecutionState.COMPLETE, 1, "Train", outputs=found)


def test_the_metrics_of_a_result() -> None:
    one = outputs(metrics=("Metrics", {"accuracy": 0.9, "slices": {"a": 1}}), data=("Dataset", {"rows": 3}))
    assert metrics_of(one) == {"accuracy": 0.9}
    two = outputs(a=("Metrics", {"loss": 1}), b=("Metrics", {"loss": 2}))
    assert metrics_of(two) == {"a.loss": 1, "b.loss": 2}
    returned = outputs(result=("Artifact", {"value": 7}), other=("Artifact", {"value": [1]}))
    assert metrics_of(returned) == {"result": 7}
