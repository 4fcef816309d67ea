"""The step transform as a whole, and its Keras layers held to its column functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zenctl.addrs import parse
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema import ArtifactRef
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.artifacts import output_type
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.transform.applying import apply
from zenctl.steps.transform.columns import raw
from zenctl.steps.transform.fitting import fit
from zenctl.steps.transform.run import transform
from zenctl.steps.transform.schema import TRANSFORM, FeatureRule, Transform
from zenctl.steps.transform.state import TransformState, read_state
from zenctl_beam.direct import DirectProcessing

TRAIN = {"x": [1.0, None, 3.0, 4.0], "c": ["a", "b", None, "a"], "y": [0, 1, 0, 1]}
EVAL = {"x": [None, 2.0], "c": ["q", "b"], "y": [1, None]}
OUTPUTS = {"train": "Dataset", "eval": "Dataset", "transform": "Transform"}


def test_all_inputs_are_transformed_as_train_was_learned(run_step: Any) -> None:
    ran = run_step(transform, {"train": TRAIN, "eval": EVAL}, OUTPUTS, label="y", fit_on="")
    state = read_state(ran.outputs["transform"].path)
    assert state == fit(pa.table({**TRAIN, "x": pa.array(TRAIN["x"], pa.float32())}).to_batches(), {}, label="y")
    for name, table in (("train", TRAIN), ("eval", EVAL)):
        assert ran.artifact(name).arrow().to_pylist() == apply(state, pa.RecordBatch.from_pydict(table)).to_pylist()
    assert ran.progress[-1] == (2, 2, "rows") or ran.progress[-1] == (4, 4, "rows")


def test_fit_on_names_the_input_to_learn_from(run_step: Any) -> None:
    ran = run_step(transform, {"train": TRAIN, "eval": EVAL}, OUTPUTS, fit_on="eval", label="y")
    assert read_state(ran.outputs["transform"].path).feature("c").vocabulary == ("b", "q")  # type: ignore[union-attr]


def test_an_input_without_rows_gives_an_output_without_rows(run_step: Any) -> None:
    empty = {"x": pa.array([], pa.float64()), "c": pa.array([], pa.string()), "y": pa.array([], pa.int64())}
    ran = run_step(transform, {"train": TRAIN, "eval": empty}, OUTPUTS, label="y")
    assert ran.artifact("eval").num_rows == 0
    assert ran.artifact("eval").schema.types == {"x": "float", "c": "int", "y": "int"}


def test_a_column_missing_in_another_input_is_named(run_step: Any) -> None:
    with pytest.raises(StepError, match='column "c" is not in input "eval"'):
        run_step(transform, {"train": TRAIN, "eval": {"x": [1.0], "y": [1]}}, OUTPUTS, label="y")


def ref(type: str = "Dataset") -> ArtifactRef:
    return ArtifactRef(parse("step.split.penguins"), "train", type)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"inputs": {}}, "at least 1 item"),
        ({"inputs": {"transform": ref()}}, "is the name of an output"),
        ({"inputs": {"train": ref("Model")}}, "must be a Dataset"),
        ({"inputs": {"train": ref()}, "fit_on": "trian"}, 'Did you mean "train"'),
        ({"inputs": {"train": ref()}, "label": "y", "exclude": ["y"]}, "is passed through"),
        ({"inputs": {"train": ref()}, "features": {"x": {"method": "zscore"}}}, "z_score"),
    ],
)
def test_block_is_checked_at_plan(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Transform.model_validate(block)


def test_outputs_follow_the_inputs() -> None:
    outputs = TRANSFORM.outputs({"inputs": {"train": ref(), "holdout": ref()}})
    assert {name: decl.type for name, decl in outputs.items()} == {
        "train": "Dataset",
        "holdout": "Dataset",
        "transform": "Transform",
    }


def keras_apply(state: TransformState, batch: Any) -> dict[str, Any]:
    """The Keras layers on the batch as a served request would hold it."""
    import tensorflow as tf

    from zenctl.steps.transform.keras_layers import Transform as TransformLayer

    tensors = {f.name: tf.constant(raw(batch, f.name, f.type, "data")) for f in state.features}
    return {name: values.numpy() for name, values in TransformLayer(state)(tensors).items()}


WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "ü", "", "日本"]))
# TensorFlow takes subnormal numbers for zero, numpy does not: no measurement is that small.
FLOATS = st.one_of(st.none(), st.floats(width=32, allow_subnormal=False))
INTS = st.one_of(st.none(), st.sampled_from([0, 1, 2, -5, 2**40, -(2**63), 2**63 - 1]))
NUMBER_RULES = st.builds(
    FeatureRule,
    method=st.sampled_from([None, "z_score", "min_max", "robust", "identity", "bucketise"]),
    fill=st.sampled_from([None, "mean", "median", "mode", "min", "max", "zero", 3.5]),
)


def index_rules(fills: list[Any]) -> st.SearchStrategy[FeatureRule]:
    return st.builds(
        FeatureRule,
        method=st.sampled_from(["one_hot", "vocabulary", "hash"]),
        fill=st.sampled_from([None, *fills]),
        max_size=st.sampled_from([2, 100]),
        min_count=st.sampled_from([1, 2]),
        buckets=st.sampled_from([None, 1, 7]),
    )


TERM_RULES = st.builds(FeatureRule, method=st.sampled_from(["n_grams", "tf_idf"]), ngrams=st.sampled_from([1, 3]))
TEXTS = st.one_of(st.none(), st.text(st.sampled_from("aB1 .-ü\n日\t"), max_size=9))


@settings(deadline=None, max_examples=15)  # a second each: layers are built for every one
@given(
    st.lists(st.tuples(FLOATS, INTS, WORDS, WORDS, TEXTS), min_size=1, max_size=20),
    st.lists(st.tuples(FLOATS, INTS, WORDS, WORDS, TEXTS), min_size=1, max_size=20),
    st.tuples(NUMBER_RULES, index_rules([1, 77]), index_rules(["b", "zz"]), TERM_RULES),
)
def test_keras_layers_compute_what_the_column_functions_compute(
    seen: list[Any], other: list[Any], rules: tuple[FeatureRule, FeatureRule, FeatureRule, FeatureRule]
) -> None:
    def batch(rows: list[Any]) -> Any:
        types = (pa.float32(), pa.int64(), pa.string(), pa.string(), pa.string())
        columns = [pa.array([row[i] for row in rows], t) for i, t in enumerate(types)]
        return pa.RecordBatch.from_arrays(columns, names=["n", "i", "c", "text", "words"])

    kept = FeatureRule(method="identity", fill="-")
    for column, rule in ((1, rules[1]), (2, rules[2])):
        values = [rule.fill if row[column] in (None, "", -(2**63)) and rule.fill else row[column] for row in seen]
        assume(max(values.count(value) for value in values) >= (rule.min_count or 1))
    assume(any(character.isalnum() for row in seen for character in row[4] or ""))
    by_name = {"n": rules[0], "i": rules[1], "c": rules[2], "text": kept, "words": rules[3]}
    state = fit([batch(seen)], by_name)
    for rows in (seen, other):
        expected = apply(state, batch(rows))
        got = keras_apply(state, batch(rows))
        assert set(got) == set(expected.schema.names)
        for name in ("n", *(name for name in got if name.startswith("words_"))):
            np.testing.assert_array_equal(got[name], expected.column(name).to_numpy())
        assert got["i"].tolist() == expected.column("i").to_pylist()
        assert got["c"].tolist() == expected.column("c").to_pylist()
        assert [text.decode() for text in got["text"].tolist()] == expected.column("text").to_pylist()


def test_logarithms_in_tensors_agree_to_the_last_bits() -> None:
    data = pa.RecordBatch.from_pydict({"n": pa.array(np.geomspace(1e-6, 1e6, 500) * ([1, -1] * 250), pa.float32())})
    state = fit([data], {"n": FeatureRule(method="log")})
    np.testing.assert_allclose(keras_apply(state, data)["n"], apply(state, data).column("n").to_numpy(), rtol=3e-7)


def test_both_compositions_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    (tmp_path / "train").mkdir()
    source = DatasetOutput(tmp_path / "train", "train", cutter=Cutter(50_000, 20_000, 150_000))
    words = rng.choice(["red", "green", "blue", "blue sky", None], 20_000)
    table = {"x": rng.normal(size=20_000), "i": rng.integers(0, 50, 20_000), "s": words, "t": words}
    source.write(pa.table({**table, "y": rng.integers(0, 2, 20_000)}))
    source.close()
    features = {
        "x": {"method": "robust", "fill": "median", "missing": "drop_row"},
        "i": {"method": "bucketise", "buckets": 4},
        "s": {"method": "vocabulary", "max_size": 2, "buckets": 3, "missing": "drop_row"},
        "t": {"method": "tf_idf", "ngrams": 2},
    }
    digests = {}
    for way, processing in {"process": {}, "beam": DirectProcessing().options()}.items():
        made = {}
        for name, kind in {"train": "Dataset", "transform": "Transform"}.items():
            (tmp_path / way / name).mkdir(parents=True)
            made[name] = output_type(kind)(tmp_path / way / name, name, kind)
        (tmp_path / way / "scratch").mkdir()
        params = {"features": features, "label": "y"}
        inputs = {"train": Dataset(tmp_path / "train", "train")}
        transform(Job(inputs, made, params, processing=processing, scratch=tmp_path / way / "scratch"))
        for output in made.values():
            output.close()
        digests[way] = {name: scan_folder(output.path).digest for name, output in made.items()}
    assert digests["process"] == digests["beam"]
