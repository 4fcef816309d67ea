"""Runs the step `predict`: calls the model batch by batch, in process or on Beam's workers, and writes what it says."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Dataset, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.tables import feature_type
from zenctl.steps.data.composition import DatasetSource, as_dataset, write_rows
from zenctl.steps.predict.schema import PredictSettings
from zenctl.steps.predict.writing import PredictionsWriter
from zenctl.steps.transform.columns import missing_column
from zenctl.steps.transform.log import log, prepare_tensorflow

if TYPE_CHECKING:
    from zenctl.sdk import Job
    from zenctl.steps.predict.models import LoadedModel

WHERE = 'input "data"'


def predict(job: Job) -> None:
    """Write `predictions`. Raises StepError for data that does not fit the model."""
    settings = PredictSettings.model_validate(dict(job.params))
    data = as_dataset(job.inputs["data"])
    for name in settings.keep:
        if name not in data.schema.names:
            raise missing_column(name, data.schema.names, WHERE, "keep: column")
    function = Ask(job.inputs["model"].path, settings)
    source = DatasetSource(data.path, data.name, function.columns(data))
    output = job.outputs["predictions"]
    with PredictionsWriter(output.path, settings.format) as writer:
        if not data.num_rows:
            schema = data.arrow(function.columns(data)).schema
            writer.write(function(pa.RecordBatch.from_pylist([], schema=schema))["predictions"])
        elif job.processing:
            _by_beam(source, function, job, writer, data.num_rows)
        else:
            _in_process(source, function, job, writer, data.num_rows)
    writer.finish()
    output.describe(rows=writer.rows, file=writer.file.name, columns=list(writer.columns))
    log(f"{writer.rows:,} rows: {', '.join(writer.columns)}")


@dataclass(frozen=True)
class Ask:
    """From a batch to the columns that are kept and what the model says. Loads the model once in each process."""

    folder: Path
    settings: PredictSettings

    def columns(self, data: Dataset) -> tuple[str, ...]:
        """The columns that are read of the data; others that the model wants are told of with the first rows."""
        wanted = dict.fromkeys((*self.settings.keep, *self._model().columns))
        return tuple(name for name in wanted if name in data.schema.names)

    def __call__(self, batch: Any) -> dict[str, Any]:
        said = self._model()(batch, self.settings.batch_size)
        kept = {name: _plain(batch.column(batch.schema.get_field_index(name))) for name in self.settings.keep}
        both = sorted(kept.keys() & said.keys())
        if both:
            raise StepError(f'the model gives a column "{both[0]}", which keep names, too', "Take it out of keep.")
        return {"predictions": pa.RecordBatch.from_pydict({**kept, **said})}

    def _model(self) -> LoadedModel:
        features = self.settings.features
        return _load(self.folder, None if features is None else tuple(features))


@lru_cache(maxsize=1)
def _load(folder: Path, features: tuple[str, ...] | None) -> LoadedModel:
    prepare_tensorflow()
    from zenctl.steps.predict.models import LoadedModel

    return LoadedModel(folder, features)


def _in_process(source: DatasetSource, function: Ask, job: Job, writer: PredictionsWriter, total: int) -> None:
    for part in range(source.parts):
        for batch in source.read(part):
            writer.write(function(batch)["predictions"])
            job.progress(writer.rows, total, "rows")


def _by_beam(source: DatasetSource, function: Ask, job: Job, writer: PredictionsWriter, total: int) -> None:
    """Beam's workers leave rows in order as a Dataset in the scratch folder, which is then written as one file."""
    first = next(batch for part in range(source.parts) for batch in source.read(part))
    made = function(first.slice(0, 1))["predictions"]
    types = {field.name: feature_type(field.name, field.type, "predictions") for field in made.schema}
    folder = job.scratch / "predicted"
    folder.mkdir()
    between = DatasetOutput(folder, "predictions")
    write_rows(source, function, types, {"predictions": between}, job, total=total)
    between.close()
    for batch in Dataset(folder, "predictions").batches():
        writer.write(batch.cast(made.schema))


def _plain(column: Any) -> Any:
    """Texts in one Arrow type, of which batches have several."""
    wanted = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    return column.cast(wanted.get(column.type, column.type))
