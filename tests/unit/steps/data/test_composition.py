"""In process and by Beam, a step gives the same bytes and the same errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from zenctl.jobs.artifacts import scan_folder
from zenctl.sdk import Dataset, Job, Output, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.csv.counting import scan
from zenctl.steps.csv.ingest import ingest
from zenctl.steps.data.files import source_digest
from zenctl.steps.split.run import split
from zenctl.steps.statistics.run import statistics
from zenctl_beam.direct import DirectProcessing

BEAM = DirectProcessing().options()
SMALL = Cutter(minimum=50_000, mean=20_000, maximum=150_000)
CSV = {"delimiter": ",", "header": True, "null_values": [""], "types": {}}
RATIO = {"ratio": {"train": 0.8, "eval": 0.2}, "seed": 3, "by": [], "column": "", "values": {}}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two CSV files of which the second changes a column's type."""
    folder = tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(1)
    table = pa.table(
        {
            "n": rng.integers(0, 10**6, 30_000),
            "x": rng.normal(size=30_000),
            "s": rng.choice(["a", "b", ""], 30_000),
        }
    )
    pyarrow.csv.write_csv(table, folder / "1.csv")
    (folder / "2.csv").write_text("s,n,x\nlate,0.5,1\n")
    return folder


def run(
    root: Path, function: Callable[[Job], None], outputs: tuple[str, ...], processing: Mapping[str, Any], **order: Any
) -> dict[str, Path]:
    made: dict[str, Any] = {}
    for name in outputs:
        (root / name).mkdir(parents=True)
        is_data = name in ("data", "train", "eval")
        made[name] = DatasetOutput(root / name, name, cutter=SMALL) if is_data else Output(root / name, name)
    (root / "scratch").mkdir()
    seen: list[tuple[float, float, str]] = []
    function(
        Job(
            outputs=made,
            processing=processing,
            scratch=root / "scratch",
            report=lambda *report: seen.append(report),
            **order,
        )
    )
    for output in made.values():
        output.close()
    return {name: output.path for name, output in made.items()}


def test_both_compositions_give_the_same_bytes(tmp_path: Path, source: Path) -> None:
    digests = {}
    for way, processing in {"process": {}, "beam": BEAM}.items():
        files = sorted(source.iterdir())
        expect = {"source": source_digest("csv", [scan(path).sha256 for path in files])}
        locations = {path.name: str(path) for path in files}
        here = tmp_path / way
        found = run(here / "1", ingest, ("data",), processing, params=CSV, locations=locations, expect=expect)
        data = Dataset(found["data"], "data")
        assert (data.num_rows, data.schema.types) == (30_001, {"n": "float", "x": "float", "s": "string"})
        assert len(data.shards) > 10
        found |= run(here / "2", split, ("train", "eval"), processing, inputs={"data": data}, params=RATIO)
        found |= run(
            here / "3", statistics, ("statistics", "schema"), processing, inputs={"data": data}, params={"bins": 7}
        )
        digests[way] = {name: scan_folder(path).digest for name, path in found.items()}
    assert digests["process"] == digests["beam"]
    assert len(digests["beam"]) == 5


@pytest.mark.parametrize("processing", [{}, BEAM], ids=["process", "beam"])
def test_both_compositions_tell_the_same_problem(tmp_path: Path, processing: Mapping[str, Any]) -> None:
    data = DatasetOutput(tmp_path / "data", "data", cutter=SMALL)
    data.write([{"s": "a" if i < 20_000 else f"v{i}"} for i in range(25_000)])
    data.close()
    params = {**RATIO, "ratio": {}, "column": "s", "values": {"train": ["a"], "eval": ["b"]}}
    with pytest.raises(StepError) as caught:
        run(tmp_path, split, ("train", "eval"), processing, inputs={"data": Dataset(data.path)}, params=params)
    assert "'v20000', which no output takes" in caught.value.message


def test_a_source_that_changes_under_beam_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zenctl.steps.data import ingesting

    file = tmp_path / "f.csv"
    file.write_text("a\n1\n")

    def write_parts(*args: Any, **options: Any) -> int:
        file.write_text("a\n2\n")
        return original(*args, **options)

    original = ingesting.write_parts
    monkeypatch.setattr(ingesting, "write_parts", write_parts)
    with pytest.raises(StepError) as caught:
        run(tmp_path, ingest, ("data",), BEAM, params=CSV, locations={"f.csv": str(file)})
    assert caught.value.kind == "source_changed"


def test_beam_is_not_loaded_where_it_is_not_used() -> None:
    code = (
        "import sys, zenctl.steps.csv.ingest, zenctl.steps.split.run, zenctl.steps.statistics.run; "
        "print({'apache_beam', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.strip() == "set()"
