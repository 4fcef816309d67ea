"""Measures snapshots from each kind of source, and what they cost after a change; `make benchmark` runs it.

Each snapshot is of a process of its own: CPU seconds of what plan and the job do there, imports left out, and the most
memory that it held. Beside it, what pyarrow or pandas take to read the source, in CPU seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
import subprocess
import sys
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

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROWS = int(os.environ.get("ZENCTL_BENCHMARK_ROWS", "1000000"))
ROOT = Path(__file__).parents[4]
WORDS = np.array(["alpha", "beta", "gamma delta", "Torgersen", "Biscoe"])
PLACES = {
    "csv": "f.csv", "jsonl": "f.jsonl", "parquet": "f.parquet", "sql": "f.db", "text": "f.txt", "tfrecord": "f.tfrecord"
}  # fmt: skip


def table(seed: int, rows: int) -> pa.Table:
    chance = np.random.default_rng(seed)
    columns = {f"float_{at}": chance.random(rows).round(4) for at in range(3)}
    columns |= {f"int_{at}": chance.integers(0, 10 ** (at + 2), rows) for at in range(3)}
    columns |= {f"text_{at}": WORDS[chance.integers(0, 5, rows)] for at in range(2)}
    return pa.table(columns)


def changes() -> dict[str, pa.Table]:
    """The rows of each snapshot, in order."""
    first, new = table(1, ROWS), table(2, ROWS // 100)
    chosen = np.arange(ROWS)
    chosen[::100] = ROWS + np.arange(len(chosen[::100]))
    both = pa.concat_tables([first, table(3, -(-ROWS // 100))])
    return {
        "first": first,
        "no change": first,
        "1 % appended": pa.concat_tables([first, new]),
        "1 % all over": both.take(pa.array(chosen)),
    }


def write(kind: str, rows: pa.Table, path: Path) -> None:
    """The source, made of these rows."""
    path.unlink(missing_ok=True)
    if kind == "parquet":
        pq.write_table(rows, path, row_group_size=min(100_000, ROWS // 10))
    elif kind == "sql":
        with closing(sqlite3.connect(path)) as database:
            numbered = rows.append_column("id", pa.array(range(rows.num_rows)))
            numbered.to_pandas().to_sql("rows", database, index=False)
    elif kind == "jsonl":
        with open(path, "w") as stream:
            for batch in rows.to_batches(100_000):
                stream.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
    elif kind == "tfrecord":
        from zenctl.sdk.examples_encode import encode

        floats = [(f.name, pa.float32() if pa.types.is_floating(f.type) else f.type) for f in rows.schema]
        with open(path, "wb") as stream:
            for batch in rows.cast(pa.schema(floats)).to_batches(100_000):
                stream.write(encode(batch).data)
    else:
        pa.csv.write_csv(rows, path)


def readers(kind: str, path: Path) -> dict[str, Callable[[], object]]:
    """How else the source can be read."""
    if kind == "parquet":
        return {"pyarrow": lambda: pq.read_table(path, use_threads=False)}
    if kind == "csv":
        return {"pandas": lambda: pd.read_csv(path)}
    if kind == "jsonl":
        options = pa.json.ReadOptions(use_threads=False, block_size=16 << 20)
        return {
            "pyarrow": lambda: pa.json.read_json(path, options),
            "pandas": lambda: pd.read_json(path, lines=True),
        }
    return {}


@pytest.mark.parametrize("kind", PLACES)
def test_snapshots_and_their_changes(kind: str, tmp_path: Path) -> None:
    path, cpu, notes = tmp_path / PLACES[kind], {}, []
    print()
    for name, rows in changes().items():
        write(kind, rows, path)
        if name == "first":
            for other, read in readers(kind, path).items():
                begin = time.process_time()
                read()
                took = time.process_time() - begin
                notes.append(f"{other} reads it in {took:.2f} s, {ROWS / took:,.0f} rows/s")
        command = [sys.executable, __file__, kind, str(tmp_path)]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = json.loads(said.splitlines()[-1])
        cpu[name] = found["snapshot"]
        if name == "no change" and found["shards"] > 1:
            assert found["reused"] == found["shards"]
        rates = f"{ROWS / cpu[name]:>10,.0f} rows/s {path.stat().st_size / cpu[name] / 1e6:6.1f} MB/s"
        memory, shards = f"{found['mib']:5,.0f} MiB", f"{found['reused']} of {found['shards']} shards reused"
        print(f"{kind:>8}, {name:12}: plan {found['plan']:5.2f} s, {cpu[name]:6.2f} s {rates} {memory} {shards}")
    print(f"{kind:>8}: {path.stat().st_size / 1e6:.1f} MB; {'; '.join(notes)}")
    # Far below what a free core does: a change that makes one of them crawl must not pass.
    assert ROWS / cpu["first"] > 15_000


# ----------------------------------------------------------- what runs in a process of its own


def take(kind: str, folder: str) -> None:
    """Look at the source as plan does, and take a snapshot, which knows of those that were taken before."""
    sys.path.insert(0, str(ROOT))
    from tests.unit.steps.data.remembering import Workspace
    from zenctl.schema import DatasourceType, SourceModel
    from zenctl.schema.block import fingerprinted
    from zenctl.sdk.snapshot import Cutter
    from zenctl.steps.csv.schema import CSV, Csv
    from zenctl.steps.data.testing import SourceCase, observed
    from zenctl.steps.jsonl.schema import JSONL, Jsonl
    from zenctl.steps.parquet.schema import PARQUET, Parquet
    from zenctl.steps.sql.schema import SQL, Sql
    from zenctl.steps.text.schema import TEXT, Text
    from zenctl.steps.tfrecord.schema import TFRECORD, TfRecord

    place = PLACES[kind]
    sources: dict[str, tuple[DatasourceType, SourceModel]] = {
        "csv": (CSV, Csv(path=place)),
        "jsonl": (JSONL, Jsonl(path=place)),
        "parquet": (PARQUET, Parquet(path=place)),
        "sql": (SQL, Sql(dialect="sqlite", database=place, table="rows", partition="id")),
        "text": (TEXT, Text(path=place)),
        "tfrecord": (TFRECORD, TfRecord(path=place)),
    }
    type, model = sources[kind]
    case = SourceCase(type, model, Path(folder), lambda: None, lambda: None)
    store, recorded = Path(folder, "store"), Path(folder, "notes.json")
    store.mkdir(exist_ok=True)
    work = Workspace(store, Cutter())
    if recorded.exists():
        work.notes = json.loads(recorded.read_bytes())
    module, _, function = type.implementation.partition(":")
    ingest = getattr(importlib.import_module(module), function)
    began = time.process_time()
    state = observed(case)
    planned = time.process_time()
    order = {"params": fingerprinted(model), "locations": state.locations, "expect": {"source": state.digest}}
    made = work.run(ingest, "data", fetch=False, **order)["data"]
    ended = time.process_time()
    recorded.write_text(json.dumps(work.notes))
    # Not getrusage: what it calls the peak begins with that of the process which forked.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    found = {"plan": planned - began, "snapshot": ended - planned, "mib": int(peak.split()[1]) >> 10}
    print(json.dumps({**found, "reused": made.reused, "shards": made.shards}))


if __name__ == "__main__":
    take(*sys.argv[1:])
