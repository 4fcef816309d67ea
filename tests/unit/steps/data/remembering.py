"""Runs data steps on one artifact store after another, as the runner does, so that later ones know of earlier ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenctl.jobs.artifacts import fetch_tree
from zenctl.jobs.spec import Entry
from zenctl.jobs.storage import FolderStorage
from zenctl.runner.memory import StoreMemory
from zenctl.runner.outputs import store_outputs
from zenctl.sdk import Dataset, Job, Output, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.memory import NoMemory
from zenctl.sdk.snapshot import OTHER_FILES, Cutter

SHARDS = Cutter(minimum=1500, mean=800, maximum=6000)


@dataclass(frozen=True)
class Made:
    """A stored data set: its digest, and how many of its shards were named instead of written."""

    digest: str
    data: Dataset
    shards: int
    reused: int


class Workspace:
    """A store, and folders for jobs."""

    def __init__(self, root: Path, cutter: Cutter = SHARDS) -> None:
        self.root = root
        self.cutter = cutter
        self.storage = FolderStorage(root / "store")
        self.notes: dict[str, list[tuple[str, str]]] = {}
        self.kept: list[dict[str, Any]] = []
        """Rows that the last job kept apart."""
        self.warned: list[tuple[str, str]] = []
        """What the last job warned of."""

    def run(
        self,
        function: Callable[[Job], None],
        *names: str,
        remembers: bool = True,
        kill: bool = False,
        fetch: bool = True,
        quarantine: bool = False,
        **order: Any,
    ) -> dict[str, Made]:
        """Run a step with data sets as outputs. `kill`: nothing is stored, as if the job had died at its end.

        `quarantine`: it has an output of this name besides.
        """
        work = Path(tempfile.mkdtemp(dir=self.root))
        outputs: dict[str, Output[Any]] = {}
        for name in names:
            (work / name).mkdir()
            outputs[name] = DatasetOutput(work / name, name, cutter=self.cutter)
        if quarantine:
            (work / "quarantine").mkdir()
            outputs["quarantine"] = Output(work / "quarantine", "quarantine", "Anomalies")
        (work / "scratch").mkdir()
        memory = StoreMemory(self.storage, self.notes) if remembers else NoMemory()
        self.warned = []
        alert = lambda *said: self.warned.append(said)  # noqa: E731
        try:
            function(Job(outputs=outputs, memory=memory, scratch=work / "scratch", alert=alert, **order))
        except StepError:
            for name in names:
                outputs[name].discard()  # type: ignore[attr-defined]
            raise
        if kill:
            return {}
        if quarantine:
            lines = (work / "quarantine" / "bad_rows.jsonl").read_text(encoding="utf-8").splitlines()
            self.kept = [json.loads(line) for line in lines]
        results = store_outputs(self.storage, outputs, Entry(module="steps"))
        made = {}
        for name in names:
            result = results[name]
            data = Dataset(work / name, name, result.digest)
            shards = len(data.manifest.shards)
            if fetch:
                fetch_tree(self.storage, result.digest, work / "fetched" / name)
                data = Dataset(work / "fetched" / name, name, result.digest)
            assert result.files == shards + OTHER_FILES
            made[name] = Made(result.digest, data, shards, result.reused)
            for key, note in result.notes.items():
                self.notes.setdefault(key, []).insert(0, (result.digest, note))
        return made


def csv_job(path: Path, **params: Any) -> Mapping[str, Any]:
    """What a csv datasource's job is told of one file."""
    block = {"delimiter": ",", "header": True, "null_values": [""], "types": {}, **params}
    return {"params": block, "locations": {path.name: str(path)}}
