"""Runs the step `transform`: fits on one input, applies to all, writes the state."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Job
from zenctl.steps.data.composition import DatasetSource, as_dataset, fold, write_rows
from zenctl.steps.transform.applying import FIRST_ROW, Apply, types
from zenctl.steps.transform.fitting import Batches, fit
from zenctl.steps.transform.log import log
from zenctl.steps.transform.schema import TransformSettings
from zenctl.steps.transform.state import TRANSFORM_FILE, TransformState

if TYPE_CHECKING:
    from zenctl.sdk import Dataset

IMAGE_BYTES = 8 << 20
"""Bytes of images that are resized at a time."""


def transform(job: Job) -> None:
    """Write every input, transformed, under its own name, and `transform`. Raises StepError for bad data."""
    settings = TransformSettings.model_validate(dict(job.params))
    datasets: dict[str, Dataset] = {name: as_dataset(data) for name, data in sorted(job.inputs.items())}
    fit_on = settings.fit_on or ("train" if "train" in datasets else next(iter(datasets)))
    learning = datasets[fit_on]

    def folded(function: Callable[[Any], Any], merge: Callable[[Any, Any], Any], empty: Any) -> Any:
        return fold(DatasetSource(learning.path, learning.name), function, merge, empty, job)

    state = fit(
        Batches(learning),
        settings.features,
        label=settings.label,
        exclude=settings.exclude,
        numbers=settings.numbers,
        texts=settings.texts,
        where=f'input "{fit_on}"',
        fold=folded,
    )
    (job.outputs["transform"].path / TRANSFORM_FILE).write_text(state.to_json(), encoding="utf-8")
    for name, dataset in datasets.items():
        label = dataset.schema.types.get(state.label or "", "")
        source = _numbered(DatasetSource(dataset.path, name), dataset, state)
        outputs = {name: job.outputs[name]}
        write_rows(source, Apply(state, name), types(state, label), outputs, job, total=dataset.num_rows)
        dropped = dataset.num_rows - outputs[name].rows
        left = f", {dropped} left out for a missing value" if dropped else ""
        log(f"{name}: {dataset.num_rows} rows{left}, {len(state.features)} features")


@dataclass(frozen=True)
class Numbered:
    """Rows of a source in batches of at most so many `rows`, each with the number of its first one, for errors."""

    source: DatasetSource
    rows: int
    firsts: tuple[int, ...]

    @property
    def parts(self) -> int:
        return len(self.firsts)

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        first = self.firsts[part]
        for batch in self.source.read(part):
            for at in range(0, batch.num_rows, self.rows):
                yield batch.slice(at, self.rows).replace_schema_metadata({FIRST_ROW: str(first + at).encode()})
            first += batch.num_rows


def _numbered(source: DatasetSource, dataset: Dataset, state: TransformState) -> DatasetSource | Numbered:
    """The source itself where there are no images; else in batches that do not become too large."""
    largest = max((feature.image.size for feature in state.features if feature.image is not None), default=0)
    if not largest:
        return source
    counts = [shard.rows for shard in dataset.manifest.shards]
    return Numbered(source, max(1, IMAGE_BYTES // largest), tuple(itertools.accumulate(counts[:-1], initial=0)))
