"""Drops penguins that were not measured."""

import numpy as np

from zenctl.sdk import Dataset, Output


def clean(data: Dataset, out: Output[Dataset], *, required: list) -> None:
    """Copy the rows of `data` that have a value in every column of `required`."""
    dropped = 0
    for batch in data.batches():  # Arrow record batches: all rows never have to fit into memory at once
        complete = measured(batch, required)
        out.write(batch.filter(complete))
        dropped += int(np.sum(~complete))
    print(f"dropped {dropped} of {data.num_rows} rows that lack one of {', '.join(required)}")


def measured(batch, columns: list) -> np.ndarray:
    """Which rows of the batch have a value in all of the columns, as an array of booleans."""
    return np.all([np.asarray(batch.column(name).is_valid()) for name in columns], axis=0)
