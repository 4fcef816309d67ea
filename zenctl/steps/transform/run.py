"""Runs the step `transform`: fits on one input, applies to all, writes the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.sdk import Job
from zenctl.steps.transform.applying import apply, nothing
from zenctl.steps.transform.fitting import fit
from zenctl.steps.transform.log import log
from zenctl.steps.transform.schema import TransformSettings
from zenctl.steps.transform.state import TRANSFORM_FILE

if TYPE_CHECKING:
    from zenctl.sdk import Dataset


def transform(job: Job) -> None:
    """Write every input, transformed, under its own name, and `transform`. Raises StepError for bad data."""
    settings = TransformSettings.model_validate(dict(job.params))
    datasets: dict[str, Dataset] = dict(sorted(job.inputs.items()))
    fit_on = settings.fit_on or ("train" if "train" in datasets else next(iter(datasets)))
    state = fit(
        datasets[fit_on].batches(),
        settings.features,
        label=settings.label,
        exclude=settings.exclude,
        where=f'input "{fit_on}"',
    )
    (job.outputs["transform"].path / TRANSFORM_FILE).write_text(state.to_json(), encoding="utf-8")
    total = sum(dataset.num_rows for dataset in datasets.values())
    done = 0
    for name, dataset in datasets.items():
        output = job.outputs[name]
        if not dataset.num_rows:
            # No batch may come of it, and yet the columns and their types must be known downstream.
            output.write(nothing(state))
        for batch in dataset.batches():
            output.write(apply(state, batch, f'input "{name}"'))
            done += batch.num_rows
            job.progress(done, total, "rows")
        log(f"{name}: {dataset.num_rows} rows, {len(state.features)} features")
