"""Dataset and DatasetOutput: what is written is read back, by every way of reading, and equal rows are equal bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from zenctl.jobs.artifacts import scan_folder
from zenctl.sdk.dataset import Dataset, DatasetOutput
from zenctl.sdk.errors import StepError
from zenctl.sdk.snapshot import CorruptDataset, Cutter

ROWS = [
    {"island": "Biscoe", "mass": 3750, "bill": 39.0, "sex": "male"},
    {"island": "Dream", "mass": 3800, "bill": 40.5, "sex": None},
    {"island": "Dream", "mass": None, "bill": 18.25, "sex": "female"},
]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Dataset]:
    def made(*writes: Any, **options: Any) -> Dataset:
        folder = tmp_path / f"dataset{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        output = DatasetOutput(folder, "out", **options)
        for data in writes:
            output.write(data)
        output.close()
        return Dataset(folder, "out")

    return made


def test_every_way_of_reading_gives_the_rows(make: Callable[..., Dataset]) -> None:
    data = make(ROWS)
    assert data.num_rows == len(data) == 3
    assert data.schema.types == {"island": "string", "mass": "int", "bill": "float", "sex": "string"}
    assert [f.presence for f in data.schema.features] == ["required", "optional", "required", "optional"]
    assert list(data) == ROWS
    assert data.arrow().to_pylist() == ROWS
    assert data.arrow(["sex", "mass"]).column_names == ["sex", "mass"]
    assert [b.num_rows for b in data.batches(batch_rows=2)] == [2, 1]
    assert [b.schema.names for b in data.batches(["sex", "island"])] == [["sex", "island"]]
    frame = data.pandas()
    assert frame["bill"].tolist() == [39.0, 40.5, 18.25]
    assert np.isnan(frame["mass"][2])
    with pytest.raises(KeyError, match="no column 'colour'"):
        list(data.batches(["colour"]))


def test_tf_dataset(make: Callable[..., Dataset]) -> None:
    import tensorflow as tf

    data = make(ROWS)
    ((features, labels), (rest, _)) = data.tf_dataset(2, label="sex")
    assert labels.numpy().tolist() == [b"male", b""]
    assert {name: t.dtype for name, t in features.items()} == {
        "island": tf.string,
        "mass": tf.int64,
        "bill": tf.float32,
    }
    assert rest["mass"].numpy().tolist() == [0]
    (batch,) = data.tf_dataset(10, columns=["mass"], defaults={"mass": -1})
    assert batch["mass"].numpy().tolist() == [3750, 3800, -1]
    assert [len(b["bill"]) for b in data.tf_dataset(2, drop_remainder=True)] == [2]


def test_shuffle_is_the_same_for_a_seed_and_another_in_each_epoch(make: Callable[..., Dataset]) -> None:
    data = make([{"n": i} for i in range(200)])

    def order(ds: Any) -> list[int]:
        return [int(n) for batch in ds for n in batch["n"]]

    first = data.tf_dataset(32, shuffle=True, seed=3)
    epochs = [order(first), order(first)]
    assert sorted(epochs[0]) == list(range(200)) != epochs[0]
    assert epochs[0] != epochs[1]
    again = data.tf_dataset(32, shuffle=True, seed=3)
    assert [order(again), order(again)] == epochs
    assert order(data.tf_dataset(32, shuffle=True, seed=4)) != epochs[0]
    assert order(data.tf_dataset(32, shuffle=True)) == order(data.tf_dataset(32, shuffle=True))


def test_a_dataset_without_rows(make: Callable[..., Dataset]) -> None:
    data = make(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}))
    assert (data.num_rows, data.shards, data.schema.types) == (0, (), {"a": "int", "b": "string"})
    assert list(data) == []
    assert data.arrow().schema.names == ["a", "b"]
    assert list(data.tf_dataset(4)) == []


def test_nothing_written_is_no_artifact(tmp_path: Path) -> None:
    output = DatasetOutput(tmp_path, "out")
    output.close()
    assert not output.written()


def random_table(rows: int) -> pa.Table:
    rng = np.random.default_rng(5)
    words = np.array(["a", "bb", "ccc", "é" * 30])
    return pa.table(
        {
            "n": pa.array(rng.integers(-(10**6), 10**6, rows), mask=rng.random(rows) < 0.1),
            "x": pa.array((rng.normal(size=rows) * 10.0 ** rng.integers(-30, 30, rows)).astype(np.float32)),
            "s": pa.array(words[rng.integers(0, 4, rows)], mask=rng.random(rows) < 0.2),
        }
    )


SMALL = Cutter(minimum=20_000, mean=5_000, maximum=60_000)


def test_equal_rows_are_equal_bytes_however_they_are_written(make: Callable[..., Dataset]) -> None:
    table = random_table(5000)
    whole = make(table, cutter=SMALL)
    ways = [
        make(*(table.slice(at, 333) for at in range(0, 5000, 333)), cutter=SMALL),
        make(iter(table.to_batches(max_chunksize=1)), cutter=SMALL),
        make(table.to_pylist(), cutter=SMALL),
        make(table.slice(0, 4000).to_pandas().astype({"n": "Int64"}), table.slice(4000), cutter=SMALL),
    ]
    assert len(whole.shards) > 5
    for way in ways:
        assert scan_folder(way.path).digest == scan_folder(whole.path).digest
    assert sum(s.rows for s in whole.manifest.shards) == 5000
    assert {s.bytes for s in whole.manifest.shards} == {p.stat().st_size for p in whole.shards}


@pytest.mark.parametrize("change", ["append", "delete", "insert"])
def test_a_local_change_makes_few_new_shards(make: Callable[..., Dataset], change: str) -> None:
    table = random_table(20_000)
    changed = {
        "append": pa.concat_tables([table, table.slice(0, 200)]),
        "delete": pa.concat_tables([table.slice(0, 9000), table.slice(9100)]),
        "insert": pa.concat_tables([table.slice(77, 3), table]),
    }[change]
    before = {s.sha256 for s in make(table, cutter=SMALL).manifest.shards}
    after = {s.sha256 for s in make(changed, cutter=SMALL).manifest.shards}
    assert len(before) > 30
    assert len(after - before) <= 4


def test_a_shard_never_exceeds_its_maximum_unless_one_record_does(make: Callable[..., Dataset]) -> None:
    rows = [{"s": "x" * size} for size in [10, 5000, 70_000, 10, 20]] + [{"s": "same"}] * 3000
    data = make(rows, cutter=SMALL)
    for shard in data.manifest.shards:
        assert shard.bytes <= SMALL.maximum or shard.rows == 1
    assert list(data) == rows


def test_columns_are_settled_by_the_first_write(make: Callable[..., Dataset]) -> None:
    late = make([{"a": None, "b": 1.5}], [{"a": "x", "b": 2}], [{"a": None, "b": None}])
    assert late.schema.types == {"a": "string", "b": "float"}
    assert [row["a"] for row in late] == [None, "x", None]
    never = make([{"a": None, "b": 1}] * 3)
    assert never.schema.types == {"a": "string", "b": "int"}
    assert list(never) == [{"a": None, "b": 1}] * 3
    rows = make({"a": 1}, {"a": 2}, [{}, {"a": 4}])
    assert [row["a"] for row in rows] == [1, 2, None, 4]


@pytest.mark.parametrize(
    ("later", "message"),
    [
        ([{"a": 1.5, "b": "x"}], 'column "a" is int, but now float'),
        ([{"a": 1, "b": 2}], 'column "b" is string, but now int'),
        ([{"a": 1, "b": "x", "c": 0}], 'unexpected column "c"'),
        (pa.table({"a": [1]}), 'column "b" is missing'),
        ([{"a": [1, 2], "b": "x"}], 'column "a" is of type list<item: int64>'),
        ([{"a": 1, "b": "x"}, {"a": "y", "b": "x"}], 'column "a" mixes int and str'),
        ([{"a": 2**63, "b": "x"}], 'column "a"'),
        (pa.table({"a": pa.array([2**63], pa.uint64()), "b": ["x"]}), 'column "a"'),
        (3, "cannot write a int"),
        (pd.DataFrame([[1, 2]]), "column names must be strings"),
        (pd.DataFrame({"a": [1], "b": [pd.Timestamp(0)]}), 'column "b" is of type timestamp'),
    ],
)
def test_what_does_not_fit_names_the_column(make: Callable[..., Dataset], later: Any, message: str) -> None:
    with pytest.raises(StepError) as caught:
        make([{"a": 1, "b": "x"}], later)
    assert message in caught.value.message
    assert "output 'out'" in caught.value.message


def test_values_of_other_types_are_stored_as_documented(make: Callable[..., Dataset]) -> None:
    table = pa.table(
        {
            "flag": [True, False],
            "small": pa.array([1, 2], pa.uint8()),
            "double": [39.1, 1e300],
            "word": pa.array(["x", "y"]).dictionary_encode(),
            "raw": pa.array([b"\xff", None]),
        }
    )
    data = make(table)
    assert data.schema.types == {"flag": "int", "small": "int", "double": "float", "word": "string", "raw": "bytes"}
    assert next(iter(data)) == {"flag": 1, "small": 1, "double": float(np.float32(39.1)), "word": "x", "raw": b"\xff"}
    assert list(data)[1]["double"] == float("inf")


def test_statistics(make: Callable[..., Dataset]) -> None:
    data = make([{"x": x, "n": n, "s": s} for x, n, s in [(1.0, 2, "b"), (2.0, None, "a"), (float("nan"), -4, "b")]])
    assert data.statistics == {
        "x": {
            "type": "float",
            "count": 3,
            "missing": 0,
            "nan": 1,
            "infinite": 0,
            "zeros": 0,
            "min": 1,
            "max": 2,
            "mean": 1.5,
            "std": 0.5,
            "distribution": {"shift": 0, "keys": [0x3F800000, 0x40000000], "counts": [1, 1]},
        },
        "n": {
            "type": "int",
            "count": 2,
            "missing": 1,
            "zeros": 0,
            "min": -4,
            "max": 2,
            "mean": -1,
            "std": 3,
            "distribution": {"shift": 0, "keys": [-0x40800001, 0x40000000], "counts": [1, 1]},
        },
        "s": {
            "type": "string",
            "count": 3,
            "missing": 0,
            "unique": 2,
            "length": {"min": 1, "max": 1, "mean": 1},
            "top": [{"value": "b", "count": 2}, {"value": "a", "count": 1}],
        },
    }


def test_discard_starts_anew(tmp_path: Path) -> None:
    output = DatasetOutput(tmp_path, "out")
    output.write([{"a": i} for i in range(50_000)])
    output.discard()
    output.write([{"b": "x"}])
    output.close()
    assert list(Dataset(tmp_path)) == [{"b": "x"}]
    assert output.properties() == {"rows": 1}


def test_damaged_files_are_named(make: Callable[..., Dataset]) -> None:
    data = make(ROWS)
    shard = data.shards[0]
    damaged = bytearray(shard.read_bytes())
    damaged[30] ^= 255
    shard.write_bytes(bytes(damaged))
    with pytest.raises(StepError, match=r"00000.tfrecord of input 'out'") as caught:
        list(data.batches(verify=True))
    assert caught.value.kind == "input_corrupt"
    (data.path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(CorruptDataset, match="newer zenctl"):
        _ = Dataset(data.path).num_rows
    (data.path / "schema.json").unlink()
    with pytest.raises(CorruptDataset, match=r"schema.json is missing"):
        _ = Dataset(data.path).schema


def test_importing_it_loads_the_standard_library_only() -> None:
    code = "import sys, zenctl.sdk; from zenctl.sdk import Dataset; print({'numpy', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.strip() == "set()"
