"""Makes histories of applies in memory, and of what they store in a folder, for tests of what may be freed of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, cast

from zenctl.addrs import Address, parse
from zenctl.digests import sha256_text
from zenctl.engine import collecting
from zenctl.engine.collecting import Policy
from zenctl.engine.garbage import Garbage
from zenctl.engine.integrity import verify
from zenctl.engine.opening import Opened
from zenctl.engine.providers import Providers
from zenctl.engine.refreshing import damage
from zenctl.engine.requests import Inputs
from zenctl.engine.results import ResultFinder
from zenctl.engine.reusing import Trusted
from zenctl.engine.verifying import VerifyScope, _named
from zenctl.engine.world import World
from zenctl.jobs.artifacts import blob_path, code_path, store_folder, tree_path
from zenctl.jobs.spec import job_path
from zenctl.jobs.storage import TEMPORARY, FolderStorage
from zenctl.metadata.lineage import ancestry
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.state import RecordedArtifact, WorkspaceState, read_state
from zenctl.metadata.workspaces import workspaces
from zenctl.plans.actions import Components

DATA, FIT, REPORT = parse("datasource.csv.rows"), parse("step.python.fit"), parse("step.python.report")
CHAIN = (DATA, FIT, REPORT)
CONFIGURATION = """
zenctl {
  project = "p"
}

datasource "csv" "rows" {
  path    = "rows.csv"
  version = zenctl.workspace == "pinning" ? "1" : null
}
"""
ALL = Policy()
APPLYING = Holder.here("zenctl apply")


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Mortal(FolderStorage):
    """A folder whose owner dies after so many deletions."""

    root: Path
    deaths: list[int] = field(default_factory=list)

    def delete(self, path: str) -> None:
        if self.deaths:
            self.deaths[0] -= 1
            if self.deaths[0] < 0:
                self.deaths.clear()
                raise Killed
        super().delete(path)


@dataclass
class Place:
    """A project's two stores, and what happens to them."""

    opened: Opened
    root: Path
    store: MemoryStore
    storage: Mortal
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def world(self, workspace: str = "default") -> World:
        return World(self.opened, Inputs(self.root, workspace), self.store, cast(Providers, None), self.storage)

    def state(self, workspace: str = "default", project: str = "p") -> WorkspaceState:
        return read_state(self.store, project, workspace)

    def apply(self, workspace: str, parameter: int, project: str = "p") -> None:
        """Each of the chain: reuse what is recorded, else make it. Of other parameters can come the same bytes."""
        lock = acquire(self.store, project, workspace, APPLYING)
        recorder = Recorder(self.store, lock)
        allowed = Trusted(project, workspace, ((project, "*"),))
        given: dict[str, RecordedArtifact] = {}
        for addr in CHAIN:
            state = self.state(workspace, project)
            text = f"{addr} {parameter if addr != DATA else parameter % 2} {[a.digest for a in given.values()]}"
            fingerprint = sha256_text(text)
            found = ResultFinder(self.store, self.storage, state, allowed)(addr, fingerprint)
            head = state.results.get(addr)
            if found is None:
                self.run(recorder, addr, fingerprint, given)
            elif head is None or head.execution_id != found.execution_id:
                recorder.reuse(addr, found, components(fingerprint), fingerprint, given)
            outputs = self.state(workspace, project).results[addr].outputs
            given = {"data": replace(outputs["data"], address=addr)}
        lock.finish("complete")

    def run(
        self,
        recorder: Recorder,
        addr: Address,
        fingerprint: str,
        given: dict[str, RecordedArtifact],
        *,
        end: bool = True,
    ) -> int:
        number = next(self.numbers)
        job = f"job-{number}-{sha256_text(str(number))[:8]}"
        started = recorder.start(addr, job, "Process", components(fingerprint), fingerprint, given)
        self.storage.put(job_path(job), b"{}")
        self.storage.put(code_path(sha256_text(fingerprint)), fingerprint.encode())
        output = self.write(str(addr), int(fingerprint[0], 16) % 5, fingerprint)
        if end:
            recorder.complete(started, {"data": output})
        return started

    def write(self, *texts: object) -> OutputRecord:
        """An artifact of a file for each text; one of a text that another has too shares its file."""
        with tempfile.TemporaryDirectory() as folder:
            for number, text in enumerate(texts):
                Path(folder, f"{number}.txt").write_text(str(text) * 3)
            tree = store_folder(self.storage, Path(folder))
        return OutputRecord("Dataset", tree.digest, tree_path(tree.digest), tree.bytes)

    def forget(self, workspace: str, addr: Address) -> None:
        lock = acquire(self.store, "p", workspace, APPLYING)
        Recorder(self.store, lock).forget(addr)
        lock.finish("complete")

    def delete_workspace(self, workspace: str) -> None:
        lock = acquire(self.store, "p", workspace, APPLYING, renew=False)
        Recorder(self.store, lock).delete_workspace()
        lock.finish("complete")

    def abandon(self, number: int) -> None:
        """What a killed command can leave: a file without a list, a list without a record, half a file."""
        self.write("left", number)
        (self.storage.root / "blobs" / f"{TEMPORARY}{number}").write_bytes(b"half")
        self.storage.put(blob_path(sha256_text(f"alone {number}")), b"alone")

    def collect(self, policy: Policy = ALL, approved: Garbage | None = None, **options: Any) -> Garbage:
        freed = collecting._Freed(approved)
        options = {"force": False, "lock_timeout": 0.0, **options}
        collecting._collect(self.world(), policy, approved, freed, lambda _: None, **options)
        assert freed.finished
        assert freed.found is not None
        return freed.found

    def find(self, policy: Policy = ALL, *, force: bool = False) -> Garbage:
        return collecting._find(self.world(), policy, force=force)

    def whole(self, digest: str) -> bool:
        return damage(self.storage, digest) is None

    def check(self) -> None:
        """All that anybody relies on is there: what states name, what it was made from, what records say is live."""
        for scope in (VerifyScope(all_workspaces=True), VerifyScope(everything=True)):
            assert verify(self.storage, _named(self.world(), scope), lambda _: None).clean
        for name in {"default", *(item.name for item in workspaces(self.store, "p"))}:
            state = self.state(name)
            results = ResultFinder(self.store, self.storage, state, Trusted("p", name))
            for addr, recorded in state.results.items():
                found = results(addr, recorded.fingerprint)
                assert found is not None, addr
                assert found.execution_id == recorded.execution_id
                for made in ancestry(self.store, [recorded.execution_id]):
                    assert all(self.whole(a.digest) for a in (*made.inputs.values(), *made.outputs.values()))


def components(fingerprint: str) -> Components:
    return Components(type="python/1", code={"archive": sha256_text(fingerprint)})
