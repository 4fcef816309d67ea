"""Kills real applies of a small pipeline at moments that its own code names, and examines what they leave behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.clouds import STRIKES, Act, Cloud
from tests.e2e.conftest import Project, clean_environment
from tests.fakes.faults import Fault
from tests.measuring import PATIENCE
from zenctl.digests import sha256_bytes
from zenctl.engine.collecting import Policy, collect
from zenctl.engine.execution import read_result
from zenctl.engine.requests import Inputs, PlanOptions
from zenctl.engine.verifying import VerifyScope, verify_state
from zenctl.engine.workflow import make_plan
from zenctl.jobs.storage import FolderStorage, Storage
from zenctl.metadata.opening import open_store
from zenctl.metadata.state import read_state
from zenctl.metadata.store import Execution, ExecutionState, MetadataStore, Where
from zenctl.provider import ProviderContext
from zenctl_local.endpoint import LocalEndpoints

HERE = Path(__file__).parent
SITE = HERE / "site"
PROJECT, WORKSPACE, ENDPOINT = "crash", "default", "line"

STAGING = ("work/*", "**/.put-*", "**/*.tmp", "**/.server.json.*", "endpoints/*/models/.*", "cache/**/.*")
"""What is made on the way to something lasting, below `.zenctl`."""


@dataclass(frozen=True)
class Picture:
    """What an apply brings about, by address: fingerprints, digests, root outputs, the model that is served."""

    heads: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]
    outputs: Mapping[str, Any]
    served: str


@dataclass
class Crash:
    """One kill: at which moment (`at seconds` where time decided it), and what came of it."""

    moment: str
    said: str = ""
    finished: list[str] = field(default_factory=list)
    staging: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Pipeline:
    """The pipeline in a folder of its own, whose applies can be killed."""

    def __init__(self, root: Path, cloud: Cloud | None = None) -> None:
        """Its steps run as processes here, or on the machines of a cloud, which also has its artifacts then."""
        self.root = root
        self.cloud = cloud
        shutil.copytree(HERE / "pipeline", root, ignore=shutil.ignore_patterns("__pycache__"))
        self.points = root.with_name(f"{root.name}.points")
        self.project = Project(root, clean_environment(PYTHONPATH=str(SITE), ZENCTL_TEST_STANDIN_MODELS="1"))
        if cloud is not None:
            cloud.configure(self.project)

    # ------------------------------------------------------------ applying

    def apply(self) -> str:
        """Apply to the end; gives what it printed."""
        return self.project.ok("apply", "-auto-approve")

    def undisturbed(self) -> list[str]:
        """Apply to the end; gives the moments that it came through, in order."""
        self._run({}, None)
        return self.points.read_text().splitlines()

    def killed(self, moment: str) -> Crash | None:
        """Apply until that moment; None if the apply came to its end without it."""
        return Crash(moment) if self._run({"ZENCTL_TEST_KILL_AT": moment}, None, moment) else None

    def struck(self, moment: str, what: str) -> Crash | None:
        """Apply to the end, and let something happen to the machine at that moment; None if it was not met."""
        cloud = self.cloud
        assert cloud is not None
        self._run({}, None, moment, lambda instance: STRIKES[what](cloud.fake, instance))
        return Crash(f"{what} at {moment}") if cloud.acted else None

    def refused(self, method: str) -> Crash | None:
        """Apply to the end although a call of the cloud is refused once, of which the apply may fail."""
        assert self.cloud is not None
        self.cloud.fake.faults.add(Fault(method, status=403, reason="forbidden"))
        self._run({}, None, "", lambda _: None)
        return Crash(f"{method} refused") if self.cloud.nothing_waits else None

    def misheard(self, method: str, key: str = "") -> Crash | None:
        """Apply to the end although the answer to a call is lost, or (`operation`) what tells of the machine's making.

        Of a bucket that is the first that writes or deletes an object whose name has `key` in it.
        """
        assert self.cloud is not None
        name = f"{method} {key}".strip()
        if method == "operation":
            self.cloud.fake.losing = 1
        elif method == "objects.insert":
            self.cloud.unheard = key
        else:
            fakes = self.cloud.buckets.fake if method.startswith("objects.") else self.cloud.fake
            fakes.faults.add(Fault(method, lost=True, key=key))
        assert not self._run({}, None)
        assert len(self.cloud.made) == 1
        return Crash(f"lost answer of {name}") if self.cloud.nothing_waits else None

    def killed_after(self, seconds: float) -> Crash | None:
        """Apply for so long; None if the apply ended before."""
        return Crash(f"at {seconds:.3f} s") if self._run({}, seconds) else None

    def _run(self, more: Mapping[str, str], seconds: float | None, moment: str = "", strike: Act | None = None) -> bool:
        """Whether it was killed. What it printed goes to a file: nothing may hold up a process that dies.

        With a `strike` at a moment it comes to its end, and may fail.
        """
        self.points.unlink(missing_ok=True)
        started: list[int] = []
        if self.cloud is not None:
            self.cloud.arm(self.points, moment, strike or (lambda _: os.kill(started[0], signal.SIGKILL)))
        environment = {**self.project.environment, "ZENCTL_TEST_POINTS": str(self.points), **more}
        with open(f"{self.points}.out", "w+") as printed:
            process = Project(self.root, environment).start("apply", "-auto-approve", printed=printed)
            started.append(process.pid)
            try:
                process.wait(PATIENCE if seconds is None else seconds)
            except subprocess.TimeoutExpired:
                assert seconds is not None, f"{more} is never reached, and the apply does not end"
                os.kill(process.pid, signal.SIGKILL)
                process.wait(PATIENCE)
            printed.seek(0)
            allowed = (0, 1) if strike is not None else (0, -signal.SIGKILL)
            assert process.returncode in allowed, printed.read()
        return process.returncode != 0

    # ------------------------------------------------------------ examining

    @property
    def data(self) -> Path:
        return self.root / ".zenctl"

    @contextmanager
    def store(self) -> Iterator[MetadataStore]:
        store = open_store("sqlite", {}, self.data, create=False)
        try:
            yield store
        finally:
            store.close()

    def picture(self) -> Picture:
        """What is recorded and served now."""
        with self.store() as store:
            state = read_state(store, PROJECT, WORKSPACE)
        heads = {
            str(addr): (found.fingerprint, tuple(sorted((n, a.digest) for n, a in found.outputs.items())))
            for addr, found in state.results.items()
        }
        assert not state.attempts, state.attempts
        live = self._endpoints().read(ENDPOINT)
        assert live is not None
        assert live.ready, live.problem
        return Picture(heads, dict(state.outputs), live.model_digest or "")

    def executions(self) -> list[Execution]:
        """Every run that is recorded."""
        with self.store() as store:
            return store.executions(Where(properties={"operation": "run"}))

    def completed(self) -> list[str]:
        """Addresses whose runs are recorded as COMPLETE, one for each."""
        done = [e for e in self.executions() if e.state is ExecutionState.COMPLETE]
        return sorted(str(e.properties["address"]) for e in done)

    @property
    def storage(self) -> Storage:
        """The artifact store."""
        return FolderStorage(self.data / "artifacts") if self.cloud is None else self.cloud.storage

    def finished(self) -> list[str]:
        """Jobs that have put down a result without an error, recorded or not, one address for each."""
        storage = self.storage
        paths = [info.path.split("/") for info in storage.list("jobs/")]
        results = {path[1]: read_result(storage, path[1]) for path in paths if path[2:] == ["result.json"]}
        return sorted(id.split("-", 2)[2].rsplit("-", 1)[0] for id, result in results.items() if result and result.ok)

    def staging(self) -> list[str]:
        """What is half made, by its path below `.zenctl`."""
        found = {path.relative_to(self.data).as_posix() for place in STAGING for path in self.data.glob(place)}
        return sorted(found) + ([] if self.cloud is None else self.cloud.orders())

    def damaged(self) -> list[str]:
        """Objects of the artifact store that are not what their names say."""
        found = []
        storage = self.storage
        for info in [*storage.list("blobs/"), *storage.list("trees/")]:
            with storage.open(info.path) as stream:
                if sha256_bytes(stream.read()) != info.path.rpartition("/")[2].partition(".")[0]:
                    found.append(info.path)
        return found

    def unknown_machines(self) -> list[str]:
        """Machines that have been made, and that no record names."""
        made = {item.name for item in self.cloud.made} if self.cloud is not None else set()
        if not made:
            return []
        known = {json.loads(str(e.properties.get("handle") or "{}")).get("machine") for e in self.executions()}
        return sorted(made - known)

    def is_up_to_date(self) -> bool:
        """Whether a plan has nothing to do."""
        outcome = make_plan(Inputs(self.root), PlanOptions(), lambda _: None)
        assert outcome.plan is not None, outcome.diagnostics
        return outcome.plan.is_empty

    def clear_up(self) -> None:
        """Collect garbage and verify all that is left: what `state gc` and `state verify` do, without two processes."""
        inputs = Inputs(self.root)
        collected = collect(inputs, Policy(), None, listener=lambda _: None)
        assert collected.finished, collected.diagnostics
        found = verify_state(inputs, VerifyScope(), lambda _: None)
        assert found.verified is not None, found.diagnostics
        assert found.verified.clean, found.verified.faults

    def lives(self) -> bool:
        """Whether the endpoint's server runs, recorded or not."""
        return self._endpoints().read(ENDPOINT) is not None

    def close(self) -> None:
        """Stop the endpoint's server, whether it is recorded or not; what a cloud has goes with the cloud."""
        self._endpoints().delete(ENDPOINT)

    def _endpoints(self) -> LocalEndpoints:
        return LocalEndpoints(ProviderContext(PROJECT, WORKSPACE, self.data, self.root))


def note(pipeline: Pipeline, crash: Crash) -> None:
    """Write down what a killed apply has left, before anything else looks at it."""
    crash.staging = pipeline.staging()
    crash.finished = pipeline.finished()
    assert pipeline.damaged() == [], crash.moment
    assert pipeline.unknown_machines() == [], crash.moment


def recover(pipeline: Pipeline, expected: Picture, crashes: Sequence[Crash]) -> None:
    """Apply once more and hold the outcome to that of an undisturbed apply."""
    last = crashes[-1]
    before = Counter(pipeline.completed() if (pipeline.data / "metadata.db").exists() else [])
    last.said = pipeline.apply()
    last.left = pipeline.staging()
    assert [path for path in last.left if "/.put-" not in path] == []
    moments = [crash.moment for crash in crashes]
    assert pipeline.picture() == expected, moments
    assert pipeline.damaged() == [], moments
    # An endpoint whose apply died is made again; a step that has completed never is.
    runs = Counter(address for address in pipeline.completed() if not address.startswith("endpoint."))
    assert set(runs.values()) == {1}, (moments, runs)
    assert all(runs[address] == 1 for address in before if not address.startswith("endpoint.")), (moments, before, runs)
    assert not [e for e in pipeline.executions() if e.state is ExecutionState.RUNNING], moments
    results = Counter(pipeline.finished())
    assert set(results.values()) == {1}, (moments, results)
    if pipeline.cloud is not None:
        left = pipeline.cloud.left()
        assert left == [], (left, moments, last.said)
        # One apply makes one machine, and another one for each that is taken from it.
        assert len(pipeline.cloud.made) <= len(crashes) + 1, moments
        pipeline.cloud.check()
    pipeline.clear_up()
    assert pipeline.staging() == [], moments
    assert pipeline.is_up_to_date(), moments
