"""Measures the data engine beside the straight way; `make benchmark` runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from zenctl.sdk import Dataset, Job
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.examples_encode import encode
from zenctl.steps.csv.ingest import ingest
from zenctl.steps.split.run import split

pytestmark = pytest.mark.benchmark

ROWS = 200_000
CSV = {"delimiter": ",", "header": True, "null_values": ["", "NA"], "types": {}}
RATIO = {"ratio": {"train": 0.8, "eval": 0.2}, "seed": 3, "by": [], "column": "", "values": {}}


def table(rows: int, numbers: int, texts: int) -> pa.Table:
    rng = np.random.default_rng(0)
    words = np.array(["alpha", "beta", "gamma delta", "Torgersen", "Biscoe"])
    columns: dict[str, Any] = {f"float_{i}": rng.normal(size=rows).round(4) for i in range(numbers - numbers // 2)}
    columns |= {f"int_{i}": rng.integers(0, 10 ** (i + 2), rows) for i in range(numbers // 2)}
    columns |= {f"text_{i}": words[rng.integers(0, 5, rows)] for i in range(texts)}
    return pa.table(columns)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process, the best of three."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def test_encoding_is_ten_times_the_straight_loop(tmp_path: Path) -> None:
    import tensorflow as tf

    made = table(ROWS, 9, 3)
    schema = pa.schema([(f.name, pa.float32() if pa.types.is_floating(f.type) else f.type) for f in made.schema])
    (batch,) = made.cast(schema).combine_chunks().to_batches()
    few = batch.slice(0, 10_000).to_pylist()

    def straight() -> None:
        with tf.io.TFRecordWriter(str(tmp_path / "straight")) as writer:
            for row in few:
                features = {}
                for name, value in row.items():
                    if isinstance(value, int):
                        features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
                    elif isinstance(value, float):
                        features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                    else:
                        features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())

    def columnar() -> None:
        (tmp_path / "columnar").write_bytes(encode(batch).data)

    def whole() -> None:
        folder = tmp_path / f"data{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        output = DatasetOutput(folder, "data")
        output.write(batch)
        output.close()

    rates = {"straight loop": 10_000 / seconds(straight), "encode": ROWS / seconds(columnar)}
    rates["with statistics, shards and digests"] = ROWS / seconds(whole)
    data = Dataset(next(tmp_path.glob("data*")))
    rates["decode"] = ROWS / seconds(lambda: [None for _ in data.batches()])
    print()
    for name, rate in rates.items():
        print(f"{name:>40}: {rate:12,.0f} rows/s of 12 columns, one core")
    assert rates["encode"] > 10 * rates["straight loop"]
    assert rates["with statistics, shards and digests"] > 10 * rates["straight loop"]


@pytest.mark.parametrize("rows", [344, ROWS])
def test_in_process_and_beam(tmp_path: Path, rows: int) -> None:
    file = tmp_path / "f.csv"
    pyarrow.csv.write_csv(table(rows, 7, 3), file)
    print()
    for runner in ("", "FnApiRunner", "BundleBasedDirectRunner"):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, str(file), runner, str(tmp_path / f"out{runner}")],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        whole = time.perf_counter() - start
        print(f"{rows:8,} rows, {runner or 'in process':>24}: {done.stdout.strip()}, process {whole:.2f} s")


def main(file: str, runner: str, target: str) -> None:
    """Snapshot and split one file, in a process of its own so that imports count."""
    start = time.perf_counter()
    made = {}
    for name in ("data", "train", "eval", "scratch"):
        (Path(target) / name).mkdir(parents=True)
        made[name] = DatasetOutput(Path(target) / name, name)
    job = {"processing": {"runner": runner} if runner else {}, "scratch": made.pop("scratch").path}
    ingest(Job(outputs={"data": made["data"]}, params=CSV, locations={"f.csv": file}, **job))
    made["data"].close()
    middle = time.perf_counter()
    parts = {name: made[name] for name in ("train", "eval")}
    split(Job(inputs={"data": Dataset(made["data"].path)}, outputs=parts, params=RATIO, **job))
    for output in parts.values():
        output.close()
    end = time.perf_counter()
    # Not getrusage: what it calls the peak begins with that of the process which forked.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"snapshot {middle - start:.2f} s, split {end - middle:.2f} s, {int(peak.split()[1]) >> 10} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
