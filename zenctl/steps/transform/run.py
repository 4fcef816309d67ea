"""Runs the step `transform`: fits on one input, applies to all, writes the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zenctl.sdk import Job
from zenctl.steps.data.composition import DatasetSource, as_dataset, fold, write_rows
from zenctl.steps.transform.applying import Apply, types
from zenctl.steps.transform.fitting import Batches, fit
from zenctl.steps.transform.log import log
from zenctl.steps.transform.schema import TransformSettings
from zenctl.steps.transform.state import TRANSFORM_FILE

if TYPE_CHECKING:
    from zenctl.sdk import Dataset


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
        source = DatasetSource(dataset.path, name)
        outputs = {name: job.outputs[name]}
        write_rows(source, Apply(state, name), types(state, label), outputs, job, total=dataset.num_rows)
        dropped = dataset.num_rows - outputs[name].rows
        left = f", {dropped} left out for a missing value" if dropped else ""
        log(f"{name}: {dataset.num_rows} rows{left}, {len(state.features)} features")
