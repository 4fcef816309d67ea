"""Times encoding of an Arrow batch as tf.train.Example: by tfx-bsl where it is installed, else by zenctl."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pyarrow as pa


def columns(rows: int, count: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    words = np.array(["alpha", "beta", "gamma delta", "Torgersen", "Biscoe"])
    made: dict[str, Any] = {f"float_{i}": pa.array(rng.random(rows), pa.float32()) for i in range(count - 7)}
    made |= {f"int_{i}": pa.array(rng.integers(0, 10 ** (i + 2), rows)) for i in range(4)}
    return made | {f"text_{i}": pa.array(words[rng.integers(0, 5, rows)]) for i in range(3)}


def main(count: int, rows: int) -> None:
    made = columns(rows, count)
    try:
        from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder
    except ImportError:
        from zenctl.sdk.examples_encode import encode

        batch = pa.RecordBatch.from_pydict(made)
        what, work = "framed records with checksums", lambda: encode(batch)
    else:
        # It takes lists of values, and gives serialised Examples that are yet to be framed.
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32))
        lists = {
            name: pa.ListArray.from_arrays(
                offsets, column.cast(pa.binary()) if pa.types.is_string(column.type) else column
            )
            for name, column in made.items()
        }
        batch = pa.RecordBatch.from_pydict(lists)
        encoder = RecordBatchToExamplesEncoder()
        what, work = "examples, not framed", lambda: encoder.encode(batch)
    took = []
    for _ in range(3):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    print(f"{rows / min(took):11,.0f} rows/s of {count} columns, {what}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
