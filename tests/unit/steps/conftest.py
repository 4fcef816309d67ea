"""Runs a built-in step on tables in memory, without a runner or stored datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from zenctl.sdk import Artifact, Job, Model, Output
from zenctl.sdk.artifacts import MetricsOutput


class TableDataset:
    """A Dataset as far as the steps read it, over a table in memory, cut into small batches."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.num_rows = table.num_rows

    def batches(self) -> Iterator[Any]:
        return iter(self.table.to_batches(max_chunksize=64))


class TableOutput(Output[Any]):
    """Keeps the batches it is given."""

    type = "Dataset"

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        self.batches: list[Any] = []

    def write(self, rows: Any) -> None:
        self.batches.append(rows)

    @property
    def dataset(self) -> TableDataset:
        return TableDataset(pa.Table.from_batches(self.batches))


@dataclass
class Ran:
    """What a step left: its outputs' writers, and the progress it reported."""

    outputs: dict[str, Any]
    progress: list[tuple[float, float, str]] = field(default_factory=list)

    def artifact(self, name: str) -> Artifact:
        kind = Model if name == "model" else Artifact
        return kind(self.outputs[name].path, name)


StepRunner = Callable[..., Ran]


@pytest.fixture(scope="session")
def run_step(tmp_path_factory: pytest.TempPathFactory) -> StepRunner:
    """run_step(function, inputs, outputs, **params) -> Ran; a dict among the inputs becomes a dataset."""

    def run(
        function: Callable[[Job], None], inputs: Mapping[str, Any], outputs: Mapping[str, str], **params: Any
    ) -> Ran:
        root = tmp_path_factory.mktemp("step")
        kinds = {"Dataset": TableOutput, "Metrics": MetricsOutput}
        writers = {}
        for name, kind in outputs.items():
            (root / name).mkdir()
            writers[name] = kinds.get(kind, Output)(root / name, name)
        given = {name: TableDataset(pa.table(i)) if isinstance(i, dict) else i for name, i in inputs.items()}
        ran = Ran(writers)
        job = Job(given, writers, params, report=lambda *report: ran.progress.append(report))
        function(job)
        return ran

    return run
