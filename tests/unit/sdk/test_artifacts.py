"""What a step's function is given: artifacts to read, outputs to write, and what they refuse."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sdk import Artifact, Metrics, Model, Output, StepError
from zenctl.sdk.artifacts import MetricsOutput, input_type, json_value, output_type

SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


def metrics_output(tmp_path: Path) -> MetricsOutput:
    return MetricsOutput(tmp_path, "scores")


class TestMetrics:
    def test_log_merges(self, tmp_path: Path) -> None:
        output = metrics_output(tmp_path)
        assert not output.written()
        output.log(accuracy=0.5, loss={"train": 1})
        output.log(accuracy=0.75, note="x")
        assert Metrics(tmp_path).values == {"accuracy": 0.75, "loss": {"train": 1}, "note": "x"}
        assert output.values == output.properties() == Metrics(tmp_path).values
        assert output.written()

    def test_equal_values_give_equal_bytes(self, tmp_path: Path) -> None:
        for name, order in (("a", ("x", "y")), ("b", ("y", "x"))):
            (tmp_path / name).mkdir()
            output = MetricsOutput(tmp_path / name)
            for key in order:
                output.log(**{key: 1})
        assert (tmp_path / "a" / "metrics.json").read_bytes() == (tmp_path / "b" / "metrics.json").read_bytes()

    def test_numpy_scalars_are_numbers(self, tmp_path: Path) -> None:
        output = metrics_output(tmp_path)
        output.log(a=numpy.float32(0.5), b=numpy.int64(3), c=numpy.bool_(True), d=numpy.float64(0.25), e=numpy.array(7))  # type: ignore[arg-type]
        assert output.values == {"a": 0.5, "b": 3, "c": True, "d": 0.25, "e": 7}

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (float("nan"), "'m' is nan"),
            (float("inf"), "'m' is inf"),
            ({"x": [1, float("nan")]}, r"'m'.x\[1\]"),
            ({1: 2}, "keys must be strings"),
            (None, "None"),
            (object(), "object"),
            (numpy.arange(3), "array"),
            (b"bytes", "bytes"),
        ],
    )
    def test_what_is_no_json_is_refused_by_name(self, tmp_path: Path, value: Any, text: str) -> None:
        output = metrics_output(tmp_path)
        output.log(good=1)
        with pytest.raises((TypeError, ValueError), match=text):
            output.log(better=2, m=value)
        assert output.values == {"good": 1}

    @pytest.mark.parametrize("text", ["[1]", "{", '{"a": NaN}'])
    def test_a_damaged_file_is_an_error(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "metrics.json").write_text(text)
        with pytest.raises(ValueError):
            _ = Metrics(tmp_path).values

    @given(JSON)
    def test_json_values_stay_what_they_are(self, value: Any) -> None:
        assert json.loads(json.dumps(json_value(value, "it"))) == value


class TestOutputs:
    def test_only_metrics_have_log_and_only_datasets_write(self, tmp_path: Path) -> None:
        output: Output[Any] = Output(tmp_path, "model", "Model")
        with pytest.raises(TypeError, match="'model' is a Model"):
            output.log(a=1)
        with pytest.raises(TypeError, match="'model' is a Model"):
            output.write([])
        assert output.properties() == {}

    def test_written_means_a_file_somewhere(self, tmp_path: Path) -> None:
        output: Output[Model] = Output(tmp_path / "o", "o")
        assert not output.written()
        (tmp_path / "o" / "deep" / "er").mkdir(parents=True)
        assert not output.written()
        (tmp_path / "o" / "deep" / "er" / "x").write_text("")
        assert output.written()

    def test_a_path_that_became_a_file_is_written(self, tmp_path: Path) -> None:
        output: Output[Model] = Output(tmp_path / "o", "o")
        (tmp_path / "o").write_text("x")
        assert output.written()

    def test_types(self) -> None:
        assert input_type("Model") is Model
        assert input_type("Statistics") is Artifact
        assert output_type("Metrics") is MetricsOutput
        assert output_type("Model") is Output
        assert Output("x", type="Model").type == "Model"
        assert Output("x").type == "Artifact"

    def test_they_are_paths(self, tmp_path: Path) -> None:
        assert os.fspath(Artifact(tmp_path)) == os.fspath(Output(tmp_path)) == str(tmp_path)
        assert "data" in repr(Artifact(tmp_path, "data", "ab" * 32))
        assert "Output[Artifact]" in repr(Output(tmp_path))


def test_a_step_error_survives_a_worker() -> None:
    error = StepError("bad row", "fix it", "a.csv", 7, "source_changed")
    copy = pickle.loads(pickle.dumps(error))
    assert vars(copy) == vars(error)
    assert str(copy) == "bad row"


def test_importing_the_sdk_is_light() -> None:
    check = "import sys, zenctl.sdk; print(sorted({n.split('.')[0] for n in sys.modules} - sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-S", "-c", check], capture_output=True, text=True, check=True, cwd=_root())
    assert done.stdout.strip() in ("['__main__', 'zenctl']", "['zenctl']")


def _root() -> Path:
    import zenctl

    return Path(zenctl.__file__).parent.parent
