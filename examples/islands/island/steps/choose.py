"""Chooses the penguins of one island."""

import numpy as np

from zenctl.sdk import Dataset, Output

MEASURED = ("flipper_length_mm", "body_mass_g")


def of_island(penguins: Dataset, chosen: Output[Dataset], *, island: str) -> None:
    """Copy the rows of an island whose flippers and weight were measured."""
    for batch in penguins.batches():
        there = np.asarray([value == island for value in batch.column("island").to_pylist()])
        measured = [np.asarray(batch.column(name).is_valid()) for name in MEASURED]
        chosen.write(batch.filter(np.all([there, *measured], axis=0)))
