"""Measures snapshots of 1,000,000 rows from each kind of source, beside pyarrow or pandas; `make benchmark` runs it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
import pytest

from zenctl.schema import DatasourceType, SourceModel
from zenctl.steps.csv.schema import CSV, Csv
from zenctl.steps.data.testing import SourceCase, job_of, observed, run
from zenctl.steps.jsonl.schema import JSONL, Jsonl
from zenctl.steps.parquet.schema import PARQUET, Parquet
from zenctl.steps.sql.schema import SQL, Sql
from zenctl.steps.text.schema import TEXT, Text
from zenctl.steps.tfrecord.schema import TFRECORD, TfRecord

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROWS = int(os.environ.get("ZENCTL_BENCHMARK_ROWS", "1000000"))
WORDS = np.array(["alpha", "beta", "gamma delta", "Torgersen", "Biscoe"])


def table() -> pa.Table:
    chance = np.random.default_rng(1)
    columns = {f"float_{at}": chance.random(ROWS).round(4) for at in range(3)}
    columns |= {f"int_{at}": chance.integers(0, 10 ** (at + 2), ROWS) for at in range(3)}
    columns |= {f"text_{at}": WORDS[chance.integers(0, 5, ROWS)] for at in range(2)}
    return pa.table(columns)


def _take(type: DatasourceType, model: SourceModel, root: Path) -> float:
    """CPU seconds of a snapshot, after one look by plan."""
    case = SourceCase(type, model, root, lambda: None, lambda: None)
    begin = time.process_time()
    state = observed(case)
    looked = time.process_time() - begin
    job = job_of(case, state, root / f"out-{type.name}")
    begin = time.process_time()
    run(case, job)
    job.outputs["data"].close()
    took = time.process_time() - begin
    print(f"\n{type.name:9} plan {looked:6.2f} s  snapshot {took:6.2f} s  {ROWS / took:>10,.0f} rows/s", end="")
    return took


def _other(name: str, read: Callable[[], object]) -> None:
    begin = time.process_time()
    read()
    took = time.process_time() - begin
    print(f"  | {name} {took:.2f} s, {ROWS / took:,.0f} rows/s", end="")


def test_snapshots_of_every_kind_of_source(tmp_path: Path) -> None:
    data = table()
    path = str(tmp_path / "f.parquet")
    pq.write_table(data, path, row_group_size=100_000)
    took = {"parquet": _take(PARQUET, Parquet(path="f.parquet"), tmp_path)}
    _other("pyarrow", lambda: pq.read_table(path, use_threads=False))
    (tmp_path / "records").mkdir()
    (tmp_path / "out-parquet/shards").rename(tmp_path / "records/shards")
    took["tfrecord"] = _take(TFRECORD, TfRecord(path="records"), tmp_path)

    with closing(sqlite3.connect(tmp_path / "f.db")) as database:
        data.append_column("id", pa.array(range(ROWS))).to_pandas().to_sql("rows", database, index=False)
    model = Sql(dialect="sqlite", database="f.db", table="rows", partition="id")
    took["sql"] = _take(SQL, model, tmp_path)
    with closing(sqlite3.connect(tmp_path / "f.db")) as database:
        _other("pandas", lambda: pd.read_sql_query("select * from rows", database))
    (tmp_path / "f.db").unlink()
    pa.csv.write_csv(data, tmp_path / "f.csv")
    took["csv"] = _take(CSV, Csv(path="f.csv"), tmp_path)
    _other("pandas", lambda: pd.read_csv(tmp_path / "f.csv"))
    with open(tmp_path / "f.jsonl", "w") as stream:
        for batch in data.to_batches(100_000):
            stream.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
    took["jsonl"] = _take(JSONL, Jsonl(path="f.jsonl"), tmp_path)
    options = pa.json.ReadOptions(use_threads=False, block_size=16 << 20)
    _other("pyarrow", lambda: pa.json.read_json(tmp_path / "f.jsonl", options))
    _other("pandas", lambda: pd.read_json(tmp_path / "f.jsonl", lines=True))
    (tmp_path / "f.csv").rename(tmp_path / "f.txt")
    took["text"] = _take(TEXT, Text(path="f.txt"), tmp_path)
    print()
    # Far below what a free core does: a change that makes one of them crawl must not pass.
    assert all(ROWS / seconds > 15_000 for seconds in took.values())
