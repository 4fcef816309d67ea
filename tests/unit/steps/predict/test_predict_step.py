"""The step predict: any model over a dataset, into a file of each form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from zenctl.jobs.artifacts import scan_folder
from zenctl.sdk import Dataset, Job, Model, StepError
from zenctl.sdk.artifacts import output_type
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.examples_decode import decode
from zenctl.sdk.records import read_blocks
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.predict.run import predict
from zenctl.steps.predict.writing import PredictionsWriter
from zenctl.steps.train.card import FeatureCard, ModelCard, OutputCard
from zenctl_beam.direct import DirectProcessing

OUTPUTS = {"predictions": "Predictions"}
DATA = {"id": ["p", "q", None], "x": [1.0, -2.0, None], "n": [3, 4, 5]}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Tiny models without training: one with a card, a plain SavedModel, and a Keras file with one input."""
    import keras
    import tensorflow as tf

    root = tmp_path_factory.mktemp("models")
    module = tf.Module()
    column = {name: tf.TensorSpec([None], kind, name=name) for name, kind in (("x", tf.float32), ("id", tf.string))}

    @tf.function(input_signature=[column], autograph=False)
    def classify(raw: Any) -> Any:
        right = tf.sigmoid(tf.where(tf.math.is_finite(raw["x"]), raw["x"], 0.0))
        names = tf.constant(["no", "yes"])
        return {
            "scores": tf.stack([1 - right, right], axis=1),
            "class": tf.gather(names, tf.cast(right >= 0.5, tf.int32)),
            "classes": tf.broadcast_to(names, [tf.size(right), 2]),
        }

    tf.saved_model.save(module, str(root / "card"), signatures={"serving_default": classify})
    features = (FeatureCard("x", "float32", 1.0), FeatureCard("id", "string", "p"))
    outputs = (OutputCard("class", "string"), OutputCard("scores", "float32", (2,)))
    card = ModelCard("classification", "y", "string", features, outputs, ("no", "yes"))
    (root / "card" / "model.json").write_text(card.to_json())

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int32, name="n")], autograph=False)
    def double(n: Any) -> Any:
        return {"twice": tf.cast(n * 2, tf.float64), "both": tf.concat([n, -n], axis=1)}

    tf.saved_model.save(module, str(root / "plain" / "1"), signatures={"serving_default": double})
    network = keras.Sequential([keras.Input((2,), name="rows"), keras.layers.Dense(1, name="total")])
    network.set_weights([np.array([[1.0], [10.0]]), np.array([0.5])])
    (root / "keras").mkdir()
    network.save(root / "keras" / "model.keras")
    return {name: Model(root / name, "model") for name in ("card", "plain", "keras")}


def table(ran: Any) -> Any:
    folder = ran.outputs["predictions"].path
    said = json.loads((folder / "predictions.json").read_text())
    file = folder / said["file"]
    if file.suffix == ".parquet":
        return pa.parquet.read_table(file)
    if file.suffix == ".csv":
        return pa.csv.read_csv(file)
    with open(file, "rb") as stream:
        types = {column["name"]: column["type"] for column in said["columns"]}
        return pa.Table.from_batches([decode(*block, types) for block in read_blocks(stream, max_records=99)])


@pytest.mark.parametrize("form", ["parquet", "csv", "tfrecord"])
def test_a_model_with_a_card(run_step: Any, models: dict[str, Model], form: str) -> None:
    ran = run_step(
        predict, {"model": models["card"], "data": DATA}, OUTPUTS, format=form, keep=["n", "id"], batch_size=2
    )
    found = table(ran)
    assert found.schema.names == ["n", "id", "class", "score_no", "score_yes"]
    assert found.column("class").to_pylist() == ["yes", "no", "yes"]
    assert found.column("id").to_pylist()[:2] == ["p", "q"]
    assert found.column("score_yes").to_pylist() == pytest.approx([0.7310586, 0.1192029, 0.5])
    assert ran.outputs["predictions"].properties()["rows"] == 3
    assert ran.progress[-1] == (3, 3, "rows")


def test_a_model_without_a_card_names_its_columns(run_step: Any, models: dict[str, Model]) -> None:
    found = table(run_step(predict, {"model": models["plain"], "data": DATA}, OUTPUTS))
    assert found.to_pydict() == {"both_0": [3, 4, 5], "both_1": [-3, -4, -5], "twice": [6, 8, 10]}
    with pytest.raises(StepError, match="holds 1 missing values"):
        run_step(predict, {"model": models["plain"], "data": {"n": [1, None]}}, OUTPUTS)
    with pytest.raises(StepError, match='input "n" is not in input "data"'):
        run_step(predict, {"model": models["plain"], "data": {"m": [1]}}, OUTPUTS)


def test_a_keras_file_takes_rows_of_numbers(run_step: Any, models: dict[str, Model]) -> None:
    ran = run_step(predict, {"model": models["keras"], "data": DATA}, OUTPUTS, features=["n", "x"])
    assert table(ran).column("output_0").to_pylist()[:2] == [13.5, -15.5]
    with pytest.raises(StepError, match=r"takes \[2\] values a row"):
        run_step(predict, {"model": models["keras"], "data": {"rows": [1.0]}}, OUTPUTS)


def test_refused(run_step: Any, models: dict[str, Model], tmp_path: Path) -> None:
    with pytest.raises(StepError, match='keep: column "idd" is not in'):
        run_step(predict, {"model": models["card"], "data": DATA}, OUTPUTS, keep=["idd"])
    with pytest.raises(StepError, match='column "id" is not in'):
        run_step(predict, {"model": models["card"], "data": {"x": [1.0]}}, OUTPUTS)
    with pytest.raises(StepError, match="features is for models without"):
        run_step(predict, {"model": models["card"], "data": DATA}, OUTPUTS, features=["x"])
    with pytest.raises(StepError, match="neither a SavedModel nor"):
        run_step(predict, {"model": Model(tmp_path, "model"), "data": DATA}, OUTPUTS)


def test_without_rows(run_step: Any, models: dict[str, Model]) -> None:
    empty = {"id": pa.array([], pa.string()), "x": pa.array([], pa.float32())}
    for form in ("csv", "parquet", "tfrecord"):
        ran = run_step(predict, {"model": models["card"], "data": empty}, OUTPUTS, format=form, keep=["id"])
        assert ran.outputs["predictions"].properties()["rows"] == 0
        assert (ran.outputs["predictions"].path / f"predictions.{form}").exists()


@pytest.mark.parametrize("form", ["parquet", "csv", "tfrecord"])
def test_batches_do_not_show(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenctl.steps.predict.writing.GROUP_ROWS", 10)
    batch = pa.RecordBatch.from_pydict({"s": pa.array([f"v{i}" for i in range(37)], pa.large_string())})
    found = set()
    for size in (1, 7, 37):
        (tmp_path / str(size)).mkdir()
        with PredictionsWriter(tmp_path / str(size), form) as writer:
            for start in range(0, 37, size):
                writer.write(batch.slice(start, size))
        writer.finish()
        found.add(scan_folder(tmp_path / str(size)).digest)
    assert len(found) == 1


def write_one(folder: Path, batch: Any) -> None:
    with PredictionsWriter(folder, "csv") as writer:
        writer.write(batch)


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pydict({"s": pa.array([b"\xff"])})
    writer = PredictionsWriter(tmp_path, "tfrecord")
    writer.write(pa.RecordBatch.from_pydict({"s": [f"v{at}" for at in range(70_000)]}))
    assert writer.file.exists()
    writer.__exit__(KeyboardInterrupt, None, None)
    assert not list(tmp_path.iterdir())
    with pytest.raises(StepError, match="holds bytes"):
        write_one(tmp_path, batch)
    assert not list(tmp_path.iterdir())


def test_both_compositions_give_the_same_bytes(tmp_path: Path, models: dict[str, Model]) -> None:
    (tmp_path / "data").mkdir()
    source = DatasetOutput(tmp_path / "data", "data", cutter=Cutter(20_000, 10_000, 60_000))
    source.write(pa.table({"id": [f"i{i}" for i in range(3000)], "x": np.linspace(-3, 3, 3000)}))
    source.close()
    digests = {}
    for way, processing in {"process": {}, "beam": DirectProcessing().options()}.items():
        (tmp_path / way / "scratch").mkdir(parents=True)
        (tmp_path / way / "predictions").mkdir()
        output = output_type("Predictions")(tmp_path / way / "predictions", "predictions", "Predictions")
        inputs = {"data": Dataset(tmp_path / "data", "data"), "model": models["card"]}
        scratch = tmp_path / way / "scratch"
        predict(Job(inputs, {"predictions": output}, {"keep": ["id"]}, processing=processing, scratch=scratch))
        digests[way] = scan_folder(output.path).digest
    assert digests["process"] == digests["beam"]
