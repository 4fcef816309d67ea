"""The step evaluate: what it measures, how gates hold a model back, and what it refuses."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from zenctl.jobs.artifacts import scan_folder
from zenctl.sdk import Dataset, Job, Model, StepError
from zenctl.sdk.artifacts import output_type
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.evaluate.gates import check, flat
from zenctl.steps.evaluate.measures import Classification, Regression
from zenctl.steps.evaluate.run import evaluate
from zenctl.steps.evaluate.schema import Gate
from zenctl.steps.train.run import train
from zenctl_beam.direct import DirectProcessing

OUTPUTS = {"metrics": "Metrics", "model": "Model"}

SIGNS = {
    "x": [float(i % 21 - 10) for i in range(210)],
    "place": ["north", "south", None] * 70,
    "sign": ["negative" if i % 21 < 10 else "positive" for i in range(210)],
    "double": [float(2 * (i % 21 - 10)) for i in range(210)],
}


def trained(run_step: Any, label: str, **params: Any) -> Any:
    outputs = {"model": "Model", "metrics": "Metrics", "history": "History"}
    return run_step(train, {"train": SIGNS}, outputs, label=label, features=["x", "place"], **params).artifact("model")


@pytest.fixture(scope="module")
def classifier(run_step: Any) -> Any:
    return trained(run_step, "sign", epochs=10, learning_rate=0.02)


@pytest.fixture(scope="module")
def regressor(run_step: Any) -> Any:
    return trained(run_step, "double", epochs=15, learning_rate=0.02)


def test_a_classifier_is_measured_and_passed_on(run_step: Any, classifier: Any) -> None:
    ran = run_step(
        evaluate, {"model": classifier, "data": SIGNS}, OUTPUTS, slices=["place"], gates={"accuracy": {"min": 0.9}}
    )
    metrics = ran.outputs["metrics"].values
    assert metrics["rows"] == 210
    assert metrics["accuracy"] > 0.95
    assert 0 < metrics["loss"] < 0.3
    assert metrics["classes"]["negative"]["rows"] == 100
    assert sum(metrics["confusion"]["negative"].values()) == 100
    assert metrics["classes"]["positive"]["recall"] == metrics["confusion"]["positive"]["positive"] / 110
    slices = metrics["slices"]["place"]
    assert list(slices) == ["(missing)", "north", "south"]
    assert sum(part["rows"] for part in slices.values()) == 210
    assert np.mean([part["accuracy"] for part in slices.values()]) == pytest.approx(metrics["accuracy"])
    assert scan_folder(ran.outputs["model"].path).digest == scan_folder(classifier.path).digest
    assert ran.progress[-1] == (210, 210, "rows")


def test_a_gate_not_met_keeps_the_model_back(run_step: Any, classifier: Any) -> None:
    gates = {"accuracy": {"min": 1.01}, "loss": {"max": 0}, "classes.negative.recall": {"min": 0.5}}
    with pytest.raises(StepError) as caught:
        run_step(evaluate, {"model": classifier, "data": SIGNS}, OUTPUTS, gates=gates)
    assert caught.value.kind == "gate_failed"
    assert "2 of 3 gates are not met" in caught.value.message
    assert "wanted at least 1.01" in caught.value.message
    assert "wanted at most 0" in caught.value.message
    assert "recall" not in caught.value.message


def test_labels_the_model_does_not_know_count_as_wrong(
    run_step: Any, classifier: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"x": [9.0, -9.0, 0.0, 5.0], "place": ["north"] * 4, "sign": ["positive", "negative", "zero", None]}
    metrics = run_step(evaluate, {"model": classifier, "data": data}, OUTPUTS).outputs["metrics"].values
    assert metrics["rows"] == 3
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["classes"]["zero"] == {"rows": 1, "precision": 0, "recall": 0, "f1": 0}
    assert sum(metrics["confusion"]["zero"].values()) == 1
    printed = capsys.readouterr().out
    assert "does not know, and so gets wrong: zero" in printed
    assert "left out 1 rows without a value of sign" in printed


def test_a_regressor_is_measured(run_step: Any, regressor: Any) -> None:
    data = {**SIGNS, "truth": SIGNS["double"]}
    ran = run_step(evaluate, {"model": regressor, "data": data}, OUTPUTS, label="truth", slices=["place"])
    metrics = ran.outputs["metrics"].values
    assert sorted(metrics) == ["loss", "mae", "r2", "rmse", "rows", "slices"]
    assert metrics["r2"] > 0.8
    assert metrics["rmse"] == pytest.approx(math.sqrt(metrics["loss"]))
    assert metrics["slices"]["place"]["north"]["rows"] == 70


@pytest.mark.parametrize(
    ("change", "params", "message", "hint"),
    [
        ({"x": None}, {}, 'column "x" is not in input "data"', "place, sign"),
        ({"x": ["1"] * 210}, {}, 'column "x" of input "data" holds texts', "untransformed"),
        ({"sign": None}, {}, 'label "sign" is not in input "data"', "x, place"),
        ({"sign": [1] * 210}, {}, "holds integers, but texts were expected", "label"),
        ({"sign": [None] * 210}, {}, 'no rows with a label "sign"', ""),
        ({}, {"slices": ["plac"]}, 'slice column "plac"', 'Did you mean "place"?'),
        ({}, {"gates": {"acuracy": {"min": 0}}}, 'no metric "acuracy"', 'Did you mean "accuracy"?'),
        ({"id": [f"i{n}" for n in range(2100)]}, {"slices": ["id"]}, "more than 1000 different values", "few values"),
    ],
)
def test_refused(
    run_step: Any, classifier: Any, change: dict[str, Any], params: dict[str, Any], message: str, hint: str
) -> None:
    data: dict[str, Any] = {**SIGNS, **change}
    rows = max(len(values) for values in data.values() if values)
    data = {name: (values * 10)[:rows] for name, values in data.items() if values is not None}
    with pytest.raises(StepError) as caught:
        run_step(evaluate, {"model": classifier, "data": {k: pa.array(v) for k, v in data.items()}}, OUTPUTS, **params)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_model_of_unknown_making_is_refused(run_step: Any, tmp_path: Any) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(StepError, match=r"the model has no model\.json"):
        run_step(evaluate, {"model": Model(tmp_path), "data": SIGNS}, OUTPUTS)


def test_classification_measures_by_hand() -> None:
    measures = Classification(["a", "b"], ["c"])
    measures.add(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.0, 1.0]], np.float32))
    measures.add(np.array([2]), np.array([[0.5, 0.5]], np.float32))
    metrics = measures.metrics()
    assert metrics["accuracy"] == 0.5
    assert metrics["loss"] == pytest.approx(-(math.log(0.9) + math.log(0.4)) / 3)
    assert metrics["classes"]["a"] == pytest.approx({"rows": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5})
    assert metrics["classes"]["b"] == pytest.approx({"rows": 1, "precision": 0.5, "recall": 1.0, "f1": 2 / 3})
    assert metrics["confusion"] == {"a": {"a": 1, "b": 1}, "b": {"a": 0, "b": 1}, "c": {"a": 1, "b": 0}}
    assert sorted(measures.metrics(full=False)) == ["accuracy", "loss", "rows"]


def test_certain_and_wrong_has_a_finite_loss() -> None:
    measures = Classification([0, 1])
    measures.add(np.array([0]), np.array([[0.0, 1.0]], np.float32))
    assert measures.metrics()["loss"] == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_measures_do_not_depend_on_batches_to_the_last_bit(task: str) -> None:
    random = np.random.default_rng(1)
    if task == "regression":
        truth, predicted = random.normal(1e4, 3, 100), random.normal(1e4, 3, 100).astype(np.float32)
    else:
        truth, predicted = random.integers(0, 3, 100), random.dirichlet((1, 1), 100).astype(np.float32)

    def measures() -> Any:
        return Regression() if task == "regression" else Classification(["a", "b"], ["c"])

    whole = measures()
    whole.add(truth, predicted)
    for _ in range(10):
        order = random.permutation(100)
        cuts = [0, *sorted(random.integers(0, 100, 3)), 100]
        merged = measures()
        for start, end in pairwise(cuts):
            part = measures()
            part.add(truth[order[start:end]], predicted[order[start:end]])
            merged.merge(part)
        assert merged.metrics() == whole.metrics()


def test_regression_measures_by_hand() -> None:
    random = np.random.default_rng(1)
    truth, predicted = random.normal(1e4, 3, 100), random.normal(1e4, 3, 100).astype(np.float32)
    whole = Regression()
    whole.add(truth, predicted)
    residual = ((truth - predicted) ** 2).sum()
    assert whole.metrics()["r2"] == pytest.approx(1 - residual / ((truth - truth.mean()) ** 2).sum())
    constant = Regression()
    constant.add(np.array([5.0, 5.0]), np.float32([5, 6]))
    assert "r2" not in constant.metrics()


def test_an_answer_that_is_no_number_shows() -> None:
    broken = Regression()
    broken.add(np.array([1.0, 2.0]), np.float32([1, np.nan]))
    assert math.isnan(broken.metrics()["loss"])
    assert "r2" not in broken.metrics()


@pytest.mark.parametrize("label", ["sign", "double"])
def test_both_compositions_give_the_same_bytes(tmp_path: Path, classifier: Any, regressor: Any, label: str) -> None:
    rows = {name: (values * 15)[:3000] for name, values in SIGNS.items()}
    rows["sign"][5], rows["double"][5] = None, None  # type: ignore[call-overload]
    rows["sign"][6] = "zero"  # type: ignore[call-overload]
    (tmp_path / "data").mkdir()
    source = DatasetOutput(tmp_path / "data", "data", cutter=Cutter(20_000, 10_000, 60_000))
    source.write(pa.table(rows))
    source.close()
    assert len(Dataset(tmp_path / "data", "data").shards) > 1
    model = {"sign": classifier, "double": regressor}[label]
    found = {}
    for way, processing in {"process": {}, "beam": DirectProcessing().options()}.items():
        folders = {name: tmp_path / way / name for name in ("scratch", "metrics", "model")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        outputs = {name: output_type(type)(folders[name], name, type) for name, type in OUTPUTS.items()}
        inputs = {"data": Dataset(tmp_path / "data", "data"), "model": model}
        params = {"slices": ["place"]}
        evaluate(Job(inputs, outputs, params, processing=processing, scratch=folders["scratch"]))
        found[way] = outputs["metrics"].values
    assert found["process"] == found["beam"]
    assert json.dumps(found["process"]) == json.dumps(found["beam"])


@pytest.mark.parametrize("rows", [1000, 1001])
def test_as_many_slices_as_there_may_be(run_step: Any, classifier: Any, rows: int) -> None:
    data = {"x": [1.0] * rows, "place": ["north"] * rows, "sign": ["positive"] * rows}
    data["id"] = [f"i{n}" for n in range(rows)]
    if rows > 1000:
        with pytest.raises(StepError, match="more than 1000 different values"):
            run_step(evaluate, {"model": classifier, "data": data}, OUTPUTS, slices=["id"])
        return
    ran = run_step(evaluate, {"model": classifier, "data": data}, OUTPUTS, slices=["id"])
    assert len(ran.outputs["metrics"].values["slices"]["id"]) == rows


def test_gates_take_dotted_names_and_their_bounds_pass() -> None:
    metrics = {"accuracy": 0.9, "slices": {"a.b": {"x y": {"accuracy": 0.5}}}}
    assert flat(metrics) == {"accuracy": 0.9, "slices.a.b.x y.accuracy": 0.5}
    check(metrics, {"accuracy": Gate(min=0.9, max=0.9), "slices.a.b.x y.accuracy": Gate(min=0.1)})
    with pytest.raises(StepError, match=r"the gate is not met: accuracy is 0\.9, wanted at most 0\.8"):
        check(metrics, {"accuracy": Gate(max=0.8)})


@pytest.mark.parametrize("wrong", [{}, {"min": 2, "max": 1}, {"mni": 1}])
def test_gates_are_checked_at_plan(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(wrong)
