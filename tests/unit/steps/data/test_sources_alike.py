"""The same rows are the same bytes, from whichever kind of source, however it is cut, in process and by Beam."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.steps.tfrecord.test_tfrecord_source import example, framed
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema import DatasourceType, SourceModel
from zenctl.schema.block import fingerprinted
from zenctl.sdk import Job
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.csv import ingest as from_csv
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.csv.schema import CSV, Csv
from zenctl.steps.data.testing import SourceCase, observed, run
from zenctl.steps.jsonl import ingest as from_jsonl
from zenctl.steps.jsonl.schema import JSONL, Jsonl
from zenctl.steps.parquet.schema import PARQUET, Parquet
from zenctl.steps.tfrecord import ingest as from_tfrecord
from zenctl.steps.tfrecord.schema import TFRECORD, TfRecord
from zenctl_beam.direct import DirectProcessing

NAMES = ("a", "b", "c")
ROW = st.tuples(
    st.integers(-(2**63), 2**63 - 1) | st.none(),
    st.floats(width=32, allow_nan=False, allow_infinity=False) | st.none(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=6) | st.none(),
)
KINDS: list[tuple[DatasourceType, SourceModel]] = [
    (CSV, Csv(path="f.csv", null_values=[""], types={"a": "int", "b": "float", "c": "string"})),
    (PARQUET, Parquet(path="f.parquet")),
    (JSONL, Jsonl(path="f.jsonl")),
    (TFRECORD, TfRecord(path="f.tfrecord")),
]


def write(root: Path, rows: list[tuple[Any, ...]], group: int) -> None:
    with open(root / "f.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([NAMES, *rows])
    types = [("a", pa.int64()), ("b", pa.float64()), ("c", pa.string())]
    columns = {name: pa.array([row[at] for row in rows], type) for at, (name, type) in enumerate(types)}
    pq.write_table(pa.table(columns), root / "f.parquet", row_group_size=group)
    found = [dict(zip(NAMES, row, strict=True)) for row in rows]
    (root / "f.jsonl").write_text("\n".join(map(json.dumps, found)), encoding="utf-8")
    present = [{name: value for name, value in row.items() if value is not None} for row in found]
    (root / "f.tfrecord").write_bytes(framed(*(example(**row) for row in present)))


def digest(root: Path, type: DatasourceType, model: SourceModel, way: str, processing: Any) -> str:
    case = SourceCase(type, model, root, lambda: None, lambda: None)
    state = observed(case)
    folder, scratch = root / f"{type.name}-{way}", root / f"scratch-{type.name}-{way}"
    folder.mkdir()
    scratch.mkdir()
    output = DatasetOutput(folder, "data", cutter=Cutter(minimum=300, mean=200, maximum=2000))
    run(
        case,
        Job(
            outputs={"data": output},
            params=fingerprinted(model),
            locations=state.locations,
            expect={"source": state.digest},
            processing=processing,
            scratch=scratch,
        ),
    )
    output.close()
    return scan_folder(folder).digest


def _small_parts(patch: pytest.MonkeyPatch, size: int) -> None:
    for module in (from_csv, from_jsonl, from_tfrecord):
        patch.setattr(module, "PART", PartSize(size, size, 4 * size))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, min_size=1, max_size=12), st.integers(1, 5), st.integers(40, 200))
def test_the_same_rows_are_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], group: int, size: int
) -> None:
    # One row has all values, so that each kind of source sees each column and its type.
    rows = [*rows, (1, 0.5, "x")]
    root = tmp_path_factory.mktemp("alike")
    write(root, rows, group)
    with pytest.MonkeyPatch.context() as patch:
        _small_parts(patch, size)
        found = {type.name: digest(root, type, model, "process", {}) for type, model in KINDS}
    assert len(set(found.values())) == 1, found


def test_beam_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small_parts(monkeypatch, 400)
    write(tmp_path, [(at, at / 8, f"w{at % 7}") for at in range(120)], 40)
    beam = DirectProcessing().options()
    expected = digest(tmp_path, *KINDS[0], "process", {})
    found = {type.name: digest(tmp_path, type, model, "beam", beam) for type, model in KINDS}
    assert set(found.values()) == {expected}, found
