"""Runs a built-in step on stored datasets, without a runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from zenctl.sdk import Artifact, Dataset, Job, Metrics, Model
from zenctl.sdk.artifacts import output_type
from zenctl.sdk.dataset import DatasetOutput


class SmallBatches(Dataset):
    """A Dataset that comes in batches so small that every test has several."""

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = 64, *, verify: bool = False
    ) -> Iterator[Any]:
        return super().batches(columns, batch_rows, verify=verify)


def stored(table: Any, folder: Path, name: str) -> Dataset:
    """The table as a Dataset in a folder that is made for it."""
    folder.mkdir()
    output = DatasetOutput(folder, name)
    output.write(table)
    output.close()
    return SmallBatches(folder, name)


@dataclass
class Ran:
    """What a step left: its outputs' writers, the progress it reported, and what it warned of."""

    outputs: dict[str, Any]
    progress: list[tuple[float, float, str]] = field(default_factory=list)
    warned: list[tuple[str, str]] = field(default_factory=list)

    def artifact(self, name: str) -> Any:
        """An output as the next step gets it."""
        kinds = {"Dataset": SmallBatches, "Model": Model, "Metrics": Metrics}
        return kinds.get(self.outputs[name].type, Artifact)(self.outputs[name].path, name)


StepRunner = Callable[..., Ran]


@pytest.fixture(scope="session")
def run_step(tmp_path_factory: pytest.TempPathFactory) -> StepRunner:
    """run_step(function, inputs, outputs, **params) -> Ran; a dict of columns among the inputs becomes a Dataset."""

    def run(
        function: Callable[[Job], None], inputs: Mapping[str, Any], outputs: Mapping[str, str], **params: Any
    ) -> Ran:
        root = tmp_path_factory.mktemp("step")
        writers = {}
        for name, kind in outputs.items():
            (root / name).mkdir()
            writers[name] = output_type(kind)(root / name, name, kind)
        given = {
            name: stored(pa.table(value), root / f"input-{name}", name) if isinstance(value, dict) else value
            for name, value in inputs.items()
        }
        ran = Ran(writers)
        job = Job(
            given,
            writers,
            params,
            report=lambda *report: ran.progress.append(report),
            alert=lambda *said: ran.warned.append(said),
        )
        function(job)
        for writer in writers.values():
            writer.close()
            assert writer.written()
        return ran

    return run
