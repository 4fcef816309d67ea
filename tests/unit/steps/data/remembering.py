"""Runs data steps on one artifact store after another, as the runner does, so that later ones know of earlier ones."""

from __future__ import annotations

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
from zenctl.sdk import Dataset, Job
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

    def run(
        self,
        function: Callable[[Job], None],
        *names: str,
        remembers: bool = True,
        kill: bool = False,
        fetch: bool = True,
        **order: Any,
    ) -> dict[str, Made]:
        """Run a step with data sets as outputs. `kill`: nothing is stored, as if the job had died at its end."""
        work = Path(tempfile.mkdtemp(dir=self.root))
        outputs = {}
        for name in names:
            (work / name).mkdir()
            outputs[name] = DatasetOutput(work / name, name, cutter=self.cutter)
        (work / "scratch").mkdir()
        memory = StoreMemory(self.storage, self.notes) if remembers else NoMemory()
        function(Job(outputs=outputs, memory=memory, scratch=work / "scratch", **order))
        if kill:
            return {}
        results = store_outputs(self.storage, outputs, Entry(module="steps"))
        made = {}
        for name, result in results.items():
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
