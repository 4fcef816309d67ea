"""The step train: what it learns, exports and refuses, and that equal seeds give equal bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from zenctl.addrs import parse
from zenctl.schema import ArtifactRef
from zenctl.sdk import StepError
from zenctl.steps.train.card import ModelCard, read_card
from zenctl.steps.train.run import train
from zenctl.steps.train.schema import Train
from zenctl.steps.train.target import fit_target
from zenctl.steps.transform.run import transform

OUTPUTS = {"model": "Model", "metrics": "Metrics", "history": "History"}
TRANSFORMED = {"train": "Dataset", "eval": "Dataset", "transform": "Transform"}
QUICK = {"epochs": 4, "learning_rate": 0.02, "batch_size": 16}


def part(rows: dict[str, Any], start: int, stop: int, *without: str) -> dict[str, Any]:
    return {name: values[start:stop] for name, values in rows.items() if name not in without}


def serve(folder: Path) -> Any:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    call = loaded.signatures["serving_default"]

    def predict(**raw: Any) -> dict[str, Any]:
        assert loaded is not None
        return {name: value.numpy() for name, value in call(**{k: tf.constant(v) for k, v in raw.items()}).items()}

    return predict


def test_classification_with_a_transform(
    run_step: Any, rows: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = run_step(
        transform,
        {"train": part(rows, 0, 240), "eval": part(rows, 240, 300)},
        TRANSFORMED,
        label="kind",
        exclude=["price"],
        features={"n": {"method": "min_max"}},
    )
    inputs = {name: fitted.artifact(name) for name in TRANSFORMED}
    ran = run_step(train, inputs, OUTPUTS, label="kind", **QUICK)

    metrics = ran.outputs["metrics"].values
    assert metrics["rows"] == 240
    assert metrics["epochs"] == 4
    assert metrics["accuracy"] > 0.85
    assert metrics["eval_accuracy"] > 0.85
    history = json.loads((ran.outputs["history"].path / "history.json").read_text())
    assert sorted(history) == ["accuracy", "eval_accuracy", "eval_loss", "loss"]
    assert all(len(values) == 4 for values in history.values())
    assert history["eval_loss"][-1] == pytest.approx(metrics["eval_loss"], rel=1e-5)
    assert ran.progress == [(epoch, 4, "epochs") for epoch in range(5)]
    assert [line[:9] for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")] == [
        f"epoch {epoch}/4" for epoch in (1, 2, 3, 4)
    ]

    model = ran.outputs["model"].path
    assert sorted(p.name for p in model.iterdir() if p.is_file()) == ["model.json", "saved_model.pb"]
    card = read_card(model)
    assert (card.task, card.label, card.classes) == ("classification", "kind", ("high", "low"))
    assert [(f.name, f.type) for f in card.features] == [("x", "float32"), ("n", "float32"), ("colour", "string")]
    assert ModelCard.from_json(card.to_json()) == card

    # What is served on raw features, gaps included, is what was measured on transformed ones.
    held_out = part(rows, 240, 300)
    served = serve(model)(
        x=np.array([np.nan if v is None else v for v in held_out["x"]], np.float32),
        n=np.array([np.nan if v is None else v for v in held_out["n"]], np.float32),
        colour=[v or "" for v in held_out["colour"]],
    )
    right = [got.decode() == wanted for got, wanted in zip(served["class"], held_out["kind"], strict=True)]
    assert np.mean(right) == pytest.approx(metrics["eval_accuracy"])
    assert served["scores"].sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    assert served["classes"].tolist() == [[b"high", b"low"]] * 60
    unseen = serve(model)(x=np.float32([0.1]), n=np.float32([5]), colour=["infrared"])
    assert np.isfinite(unseen["scores"]).all()


def test_regression_on_raw_rows(run_step: Any, rows: dict[str, Any]) -> None:
    params = {"label": "price", "epochs": 30, "learning_rate": 0.01, "features": ["x", "n", "colour"]}
    ran = run_step(train, {"train": rows}, OUTPUTS, **params)
    metrics = ran.outputs["metrics"].values
    deviation = float(np.std(rows["price"]))
    assert metrics["rmse"] < deviation / 3
    assert metrics["loss"] == pytest.approx(metrics["rmse"] ** 2, rel=1e-3)
    card = read_card(ran.outputs["model"].path)
    assert [f.name for f in card.features] == ["x", "n", "colour"]
    assert [output.name for output in card.outputs] == ["prediction"]
    example = {f.name: np.array([f.example], "O" if f.type == "string" else f.type) for f in card.features}
    got = serve(ran.outputs["model"].path)(**example)["prediction"]
    assert got.shape == (1,)
    assert 800 < got[0] < 1300


def test_embedding_dropout_and_early_stopping(run_step: Any, rows: dict[str, Any]) -> None:
    words = {"word": [f"w{i % 70}" for i in range(300)], "flag": [i % 70 < 35 for i in range(300)]}
    ran = run_step(
        train,
        {"train": words, "eval": part(words, 0, 70)},
        OUTPUTS,
        label="flag",
        epochs=50,
        learning_rate=0.05,
        early_stopping_patience=1,
        dropout=0.2,
        optimizer="rmsprop",
        hidden_layers=[8],
    )
    metrics = ran.outputs["metrics"].values
    assert metrics["epochs"] < 50
    assert metrics["eval_accuracy"] == 1
    history = json.loads((ran.outputs["history"].path / "history.json").read_text())
    assert metrics["eval_loss"] == pytest.approx(min(history["eval_loss"]), rel=1e-4)
    assert read_card(ran.outputs["model"].path).classes == (0, 1)
    assert serve(ran.outputs["model"].path)(word=["w1", "w69"])["class"].tolist() == [1, 0]


def test_rows_without_label_and_unknown_eval_labels_are_left_out(
    run_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = {"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": ["a", None, "b", "", "a"]}
    ran = run_step(train, {"train": seen, "eval": {"x": [1.0, 2.0], "y": ["a", "new"]}}, OUTPUTS, label="y", epochs=1)
    assert ran.outputs["metrics"].values["rows"] == 3
    printed = capsys.readouterr().out
    assert "train: left out 2 rows without a value of y" in printed
    assert "eval: left out 1 rows whose y does not occur in train" in printed


def test_diverging_training_is_told(run_step: Any, rows: dict[str, Any]) -> None:
    with pytest.raises(StepError, match="training diverged") as caught:
        run_step(train, {"train": rows}, OUTPUTS, label="price", optimizer="sgd", learning_rate=1e20, epochs=3)
    assert "learning_rate" in caught.value.hint


@pytest.mark.parametrize(
    ("params", "message", "hint"),
    [
        ({"label": "knid"}, 'label "knid" is not in input "train"', 'Did you mean "kind"?'),
        ({"label": "knid"}, 'label "knid" is not in input "train"', "x, n, colour, kind, price"),
        ({"label": "kind", "features": ["x", "color"]}, 'no feature "color"', 'Did you mean "colour"?'),
        ({"label": "kind", "features": ["kind"]}, '"kind" is the label', "features"),
        ({"label": "kind", "features": []}, "features is empty", "every column"),
        ({"label": "kind", "task": "regression"}, "holds texts", "classification"),
        ({"label": "price", "task": "classification"}, "holds numbers with a fraction", "regression"),
    ],
)
def test_refused(run_step: Any, rows: dict[str, Any], params: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(StepError) as caught:
        run_step(train, {"train": rows}, OUTPUTS, **params)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": [1.0, 2.0], "y": ["a", "a"]}, "label \"y\" is 'a' in every row"),
        ({"x": [1.0, 2.0], "y": [None, ""]}, 'no rows with a label "y"'),
        ({"x": pa.array([], pa.float32()), "y": pa.array([], pa.string())}, "no rows"),
    ],
)
def test_labels_that_teach_nothing(run_step: Any, data: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError) as caught:
        run_step(train, {"train": data}, OUTPUTS, label="y")
    assert message in caught.value.message


def test_a_transform_that_does_not_fit_the_data(run_step: Any, rows: dict[str, Any]) -> None:
    def fitted(**params: Any) -> Any:
        return run_step(transform, {"train": rows}, {"train": "Dataset", "transform": "Transform"}, **params)

    with_label = fitted(label="kind", exclude=["price"])
    state = with_label.artifact("transform")
    with pytest.raises(StepError, match='input "train" holds texts, but integers were expected') as caught:
        run_step(train, {"train": rows, "transform": state}, OUTPUTS, label="kind")
    assert "Give the output of the step transform" in caught.value.hint
    raw = {**rows, "colour": [0] * 300}
    with pytest.raises(StepError, match="is not transformed: it holds n, price"):
        run_step(train, {"train": raw, "transform": state}, OUTPUTS, label="kind")
    with pytest.raises(StepError, match='"price" is not in input "train"') as caught:
        run_step(train, {"train": with_label.artifact("train"), "transform": state}, OUTPUTS, label="price")
    assert "left it out" in caught.value.hint
    without = fitted()
    inputs = {"train": without.artifact("train"), "transform": without.artifact("transform")}
    with pytest.raises(StepError, match='label "kind" was transformed'):
        run_step(train, inputs, OUTPUTS, label="kind")


@pytest.mark.parametrize(
    ("values", "task", "decided"),
    [
        (["a", "b"], "auto", "classification"),
        ([True, False], "auto", "classification"),
        (list(range(20)), "auto", "classification"),
        (list(range(21)), "auto", "regression"),
        (list(range(21)), "classification", "classification"),
        ([0, 1], "regression", "regression"),
        ([0.0, 1.0], "auto", "regression"),
    ],
)
def test_task_follows_from_the_label(values: list[Any], task: str, decided: str) -> None:
    target = fit_target(pa.array(values), "y", task)
    assert target.task == decided
    assert list(target.classes) == (sorted(values) if decided == "classification" else [])


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"learning_rate": 0}, {"hidden_layers": [0]}, {"dropout": 1}, {"activation": "rleu"}, {"y": 1}],
)
def test_block_is_checked_at_plan(wrong: dict[str, Any]) -> None:
    ref = ArtifactRef(parse("step.split.penguins"), "train", "Dataset")  # type: ignore[arg-type]
    Train.model_validate({"inputs": {"train": ref}, "label": "y"})
    with pytest.raises(ValidationError):
        Train.model_validate({"inputs": {"train": ref}, "label": "y", **wrong})


PROGRAM = """
import os, sys
from pathlib import Path
import pyarrow as pa
from zenctl.jobs.artifacts import scan_folder
from zenctl.sdk import Job, Output
from zenctl.sdk.artifacts import MetricsOutput
from zenctl.steps.train.run import train

class Rows:
    num_rows = 200
    def batches(self):
        x = [i % 17 - 8.5 for i in range(200)]
        words = ["ab"[i % 3 == 0] for i in range(200)]
        labels = ["yes" if i % 17 > 8 else "no" for i in range(200)]
        yield pa.RecordBatch.from_pydict({"x": x, "word": words, "label": labels})

def run(folder):
    outputs = {}
    for name in ("model", "metrics", "history"):
        (folder / name).mkdir(parents=True)
        outputs[name] = (MetricsOutput if name == "metrics" else Output)(folder / name, name)
    train(Job({"train": Rows()}, outputs, {"label": "label", "epochs": 2, "dropout": 0.1, "seed": int(sys.argv[3])}))
    digests = [scan_folder(folder / name).digest for name in ("model", "metrics", "history")]
    (folder / "digests").write_text(" ".join(digests))

folder = Path(sys.argv[1])
if sys.argv[2] == "warm":  # as in a fork server: TensorFlow imported, then forked
    import tensorflow
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
run(folder)
"""


def test_equal_seeds_give_equal_bytes_in_fresh_and_in_warm_processes(tmp_path: Path) -> None:
    runs = [("cold", "cold", "0"), ("warm", "warm", "0"), ("other", "warm", "1")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path / name, start, seed],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, start, seed in runs
    ]
    for process in processes:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    cold, warm, other = ((tmp_path / name / "digests").read_text() for name, _, _ in runs)
    assert cold == warm
    assert cold.split()[0] != other.split()[0]
