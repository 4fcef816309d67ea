"""A cloud for one pipeline: fake machines and a fake bucket that name their moments, and end things at one of them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Project
from tests.fakes import compute, gcs
from tests.fakes.compute.cloud import Instance, Operation
from tests.fakes.compute.guest import TOKEN
from tests.fakes.iam import Grant
from zenctl.jobs.storage import Storage
from zenctl_gcp.provider import GcpProvider

PREFIX = "p"

SETTINGS = """  project = "crash"
  artifacts "gcs" {
    bucket   = "BUCKET"
    prefix   = "p"
    endpoint = "STORAGE"
  }
  defaults { orchestrator = backend.gce.vm }
"""

BACKEND = """
backend "gce" "vm" {
  project      = "proj"
  zones        = ["europe-west1-b", "europe-west1-c"]
  machine_type = "e2-small"
  endpoint     = "COMPUTE"
}
"""

WRITTEN = re.compile(rf"{PREFIX}/jobs/[0-9a-f]{{6}}-\d+-(.+)-[0-9a-f]{{8}}/(begun|result|ended)\.json")
"""What a machine writes of a job, once each."""

MADE = re.compile(rf"{PREFIX}/(blobs|trees)/")
"""What a job writes before its result."""

Act = Callable[[Instance], None]
"""What is done to the machine that has come to a moment."""

Strike = Callable[[compute.FakeCompute, Instance], None]


@dataclass
class Cloud:
    """Compute Engine and a bucket of one pipeline's own. `made` are all machines that there ever were.

    `points` is the file that the moments are written to; `at` is the moment at which `act` is called. Whoever writes
    the next object whose name has `unheard` in it gets no answer, though it is there.
    """

    machines: compute.Running
    buckets: gcs.Running
    name: str = ""
    points: Path | None = None
    at: str = ""
    act: Act = lambda _: None
    acted: bool = False
    unheard: str = ""
    made: list[Instance] = field(default_factory=list)
    _begun: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.name = self.buckets.fake.bucket()
        self.buckets.fake.grants[TOKEN] = [Grant(self.name, f"{PREFIX}/")]
        self._watch_machines()
        self._watch_bucket()

    @property
    def fake(self) -> compute.FakeCompute:
        return self.machines.fake

    @property
    def storage(self) -> Storage:
        """The artifact store."""
        return GcpProvider().storage("gcs", {"bucket": self.name, "prefix": PREFIX, "endpoint": self.buckets.endpoint})

    def configure(self, project: Project) -> None:
        """Have the steps of a project run on machines here, and its artifacts lie in the bucket."""
        settings = SETTINGS.replace("BUCKET", self.name).replace("STORAGE", self.buckets.endpoint)
        project.edit("main.zen.hcl", '  project = "crash"\n', settings)
        project.write("backend.zen.hcl", BACKEND.replace("COMPUTE", self.machines.endpoint))
        project.environment["ZENCTL_TEST_PACE"] = "0.05 0.5"

    def arm(self, points: Path, at: str = "", act: Act = lambda _: None) -> None:
        """Name the moments from here on anew, and do something at one of them."""
        self.points, self.at, self.act, self.acted = points, at, act, False
        self._begun.clear()
        self._counts.clear()

    @property
    def nothing_waits(self) -> bool:
        """Whether every fault that was asked for has been committed."""
        return not self.unheard and self.fake.losing == 0 and self.fake.faults.empty and self.buckets.fake.faults.empty

    def left(self) -> list[str]:
        """What should not be there once no command runs: machines, their processes, what is said to them."""
        self.fake.settle()
        with self.fake.lock:
            found = [f"machine {instance.name} ({instance.status})" for instance in self.fake.instances.values()]
        found += [f"process {pid} of {item.name}" for item in self.made for pid in item.guest.processes()]
        names = list(self.buckets.fake.buckets[self.name])
        found += [name for name in names if name.startswith(f"{PREFIX}/queues/") or "/log/" in name]
        return sorted(found)

    def orders(self) -> list[str]:
        """The orders in the queues, by their paths in the artifact store."""
        return sorted(info.path for info in self.storage.list("queues/"))

    def check(self) -> None:
        """Every request, and every answer, was as the services' descriptions have it, and none was refused."""
        assert (self.fake.problems, self.buckets.fake.problems, self.buckets.fake.denied) == ([], [], [])

    # ------------------------------------------------------------ moments

    def _watch_machines(self) -> None:
        insert = self.fake.insert

        def watched(project: str, zone: str, wanted: Mapping[str, Any], request_id: str) -> Operation:
            operation = insert(project, zone, wanted, request_id)
            if operation.target not in self.made:
                self.made.append(operation.target)
            return operation

        self.fake.insert = watched  # type: ignore[method-assign]

    def _watch_bucket(self) -> None:
        insert = self.buckets.fake.insert

        def watched(
            bucket: str, described: Mapping[str, Any], query: Mapping[str, str], data: bytes, header: str = ""
        ) -> gcs.Stored:
            name = str(described.get("name") or query.get("name") or "")
            # What is there already is refused, or replaced: neither makes anything.
            what = "" if name in self.buckets.fake.buckets[bucket] else self._of_machine(name)
            if what:
                self._reached(f"{what}:before")
            stored = insert(bucket, described, query, data, header)
            if what:
                self._reached(f"{what}:after")
            if self.unheard and self.unheard in name:
                self.unheard = ""
                raise ConnectionResetError
            return stored

        self.buckets.fake.insert = watched  # type: ignore[method-assign]

    def _of_machine(self, key: str) -> str:
        """The moment that is the writing of an object by a machine or its job; empty for what zenctl itself writes."""
        written = WRITTEN.fullmatch(key)
        with self._lock:
            if written and written[2] == "begun":
                self._begun.append(written[1])
            if not self._begun or (written and written[1] not in self._begun):
                return ""
            if written:
                what = f"machine {written[1]}/{written[2]}"
                if written[2] == "ended":
                    self._begun.remove(written[1])
            elif made := MADE.match(key):
                what = f"machine {self._begun[-1]}/{made[1]}"
            else:
                return ""
            self._counts[what] += 1
            return f"{what}#{self._counts[what]}"

    def _reached(self, moment: str) -> None:
        if self.points is not None:
            with open(self.points, "a") as points:
                points.write(f"{moment}\n")
        if moment != self.at or self.acted:
            return
        self.acted = True
        instance = self.made[-1]
        self.act(instance)
        if moment.endswith(":before") and instance.status != "RUNNING":
            raise ConnectionResetError


@contextmanager
def cloud() -> Iterator[Cloud]:
    """A cloud that is served; whatever is left of it goes."""
    with compute.serving() as machines, gcs.serving() as buckets:
        yield Cloud(machines, buckets)


def attendants(instance: Instance) -> list[int]:
    """The processes that serve a machine's queue."""
    found = []
    for pid in instance.guest.processes():
        with contextlib.suppress(OSError):
            if b"zenctl.runner.attending" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def kill_attendant(instance: Instance) -> None:
    """The process dies that serves the queue; the machine notices, and shuts down."""
    for pid in attendants(instance):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


STRIKES: Mapping[str, Strike] = {
    "preempted": lambda fake, instance: fake.preempt(instance.name),
    "host failed": lambda fake, instance: fake.crash(instance.name),
    "shut down": lambda fake, instance: fake._power_off(instance),
    "deleted": lambda fake, instance: _delete(fake, instance),
    "attendant killed": lambda _, instance: kill_attendant(instance),
}
"""What can happen to a machine while zenctl lives, by what it is called."""


def _delete(fake: compute.FakeCompute, instance: Instance) -> None:
    fake.delete(instance.zone, instance.name, "")
