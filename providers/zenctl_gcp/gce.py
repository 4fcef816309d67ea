"""Runs jobs on virtual machines of Compute Engine: orders and results go through the artifact store's bucket."""

from __future__ import annotations

import codecs
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from zenctl.digests import sha256_bytes
from zenctl.jobs.queue import LOG, PROGRESS, RUNNERS, Ending, JobQueue, Told
from zenctl.jobs.resources import Resources
from zenctl.jobs.storage import Storage, StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import (
    ErrorKind,
    JobHandle,
    JobState,
    JobStatus,
    LogChunk,
    MachineChange,
    MachineEvent,
    MachinePool,
    MachineTemplate,
    Misfit,
    Packages,
    ProviderContext,
    ProviderError,
    SubmitRequest,
)
from zenctl_gcp.compute_client import Machine
from zenctl_gcp.gce_fleet import GONE, SHUT_DOWN, UP, Client, Fleet, Known, Pace, is_of, of_apply
from zenctl_gcp.gce_machines import is_shared, machine_name, machine_packages, owner, wanted_machine, zones_of
from zenctl_gcp.gce_pools import pool, template
from zenctl_gcp.gce_reach import check_reach, contained
from zenctl_gcp.gce_reasons import last_words, not_served
from zenctl_gcp.machine_sizes import lacks

T = TypeVar("T")

LOG_BYTES = 1 << 20
"""Bytes of a log after which one call reads no further piece."""

LEFT = 6
"""Exit code of a job that ended because its machine was about to go."""

CANCEL_PATIENCE = 90.0
"""Seconds for a machine to end a job that is canceled; one that does not is deleted."""

WORDS = 2000
"""Characters of a serial log that explain why a machine ended."""

KINDS = {
    "NOT_FOUND": ErrorKind.NOT_FOUND,
    "UNAUTHORIZED": ErrorKind.UNAUTHORIZED,
    "TRANSIENT": ErrorKind.TRANSIENT,
}
"""What an artifact store's refusals are to who asked the backend."""


@dataclass(slots=True)
class Watched:
    """A job as far as this command knows it. `ordered` says that its order is in the queue."""

    queue: JobQueue
    ordered: bool = False
    told: Told | None = None
    claimed: str = ""
    preparing: str = ""
    ending: Ending | None = None
    canceled_at: float | None = None
    serial: int = 0
    serial_at: float = 0.0
    next_look: float = 0.0
    pause: float = 0.0
    lock: threading.RLock = field(default_factory=threading.RLock)


class GceCompute:
    """The backend of type `gce`. Its handles name machine, zones and artifact store: all that a later process needs.

    `open_client` gives Compute Engine's client of a project, `open_store` the artifact store at a URI, given what
    `access(False)` told of it. `pace` is how often something is looked at.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        context: ProviderContext,
        *,
        open_client: Callable[[str], Client],
        open_store: Callable[[str, Mapping[str, Any]], Storage],
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._context = context
        self._open_client = open_client
        self._open_store = open_store
        self._pace = pace or Pace()
        self._clock = clock
        self._lock = threading.Lock()
        self._fleets: dict[str, Fleet] = {}
        self._stores: dict[str, Storage] = {}
        self._jobs: dict[str, Watched] = {}
        self._runners: dict[str, tuple[str, str]] = {}
        self._swept = False
        self._listen: Callable[[MachineEvent], None] = lambda _: None

    def pools(self, jobs: Sequence[Resources]) -> Sequence[MachinePool]:
        """One machine for all jobs of an apply, or one for each; none without a job."""
        return [pool(self._config, self._context.root)] if jobs else []

    def template(self) -> MachineTemplate:
        """What a machine is given."""
        return template(self._config, self._context)

    def announce(self, listen: Callable[[MachineEvent], None]) -> None:
        """Tell of every machine that is made, refused, lost or deleted from now on."""
        self._listen = listen

    def machine(self, handle: JobHandle) -> str:
        """The name of a job's machine."""
        return str(handle["machine"])

    def handle(self, request: SubmitRequest) -> JobHandle:
        """The machine, where it may be, and the store; no credentials."""
        return {
            "job_id": request.spec.job_id,
            "project": self._config["project"],
            "machine": machine_name(request, self._config),
            "zones": list(zones_of(self._config)),
            "shared": is_shared(request, self._config),
            "store": request.store_uri,
            "access": dict(request.access(False)),
        }

    def packages(self) -> Packages:
        """How jobs get what they import: as the backend's block says."""
        return machine_packages(self._config)

    def submit(self, request: SubmitRequest) -> JobHandle:
        """Order the job, and a machine for it unless there is one; returns before it runs.

        ProviderError(INVALID) for a job that needs what only the machine has where zenctl runs.
        """
        check_reach(request.spec)
        handle = self.handle(request)
        fleet = self._fleet(handle)
        job = self._job(handle)
        with job.lock:
            if self._over(job, handle["job_id"]):
                return handle
            runner = self._ask(lambda: self._runner(request, handle))
            wanted = wanted_machine(request, self._config, self._context, runner)
            self._sweep_others(fleet, handle, request.apply)
            container = contained(request.spec, self._config)
            self._ask(lambda: job.queue.put(handle["job_id"], handle["access"], container))
            job.ordered = True
            fleet.ensure(wanted)
        return handle

    def misfit(self, needs: Resources) -> Misfit | None:
        """Whether a machine of the backend's type has too little for a job, as far as its size is known."""
        message = lacks(needs, self._config)
        return Misfit(message) if message else None

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is, by what its machine has told, and if that is not enough by whether there is a machine."""
        job, job_id = self._job(handle), handle["job_id"]
        with job.lock:
            told = self._look(job, job_id)
            if told.ended:
                return self._ended(job, handle, told)
            if not self._is_ordered(job, job_id):
                return JobStatus(JobState.LOST, reason="no such job was ordered")
            known = self._fleet(handle).look(handle["machine"], handle["zones"])
            if not told.begun:
                return self._waiting(handle, known)
            if not job.claimed:
                job.claimed = self._ask(lambda: job.queue.claimed(job_id))
                known.served = known.served or known.id == job.claimed
            if known.state != GONE and (not known.id or known.id == job.claimed):
                self._insist(job, handle)
                return self._at_work(job, job_id, told)
            # Its last words may have come since.
            told = self._look(job, job_id, now=True)
            if told.ended:
                return self._ended(job, handle, told)
            return JobStatus(JobState.LOST, reason=known.why or f"its machine {known.name} was replaced by another")

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        """What the job printed from byte `offset` on, whole characters only.

        Until it has begun, what its machine says while it boots is given; that does not count in offsets.
        """
        job, job_id = self._job(handle), handle["job_id"]
        with job.lock:
            told = self._look(job, job_id)
            if not told.begun:
                return LogChunk(self._serial(job, handle), offset)
            data = self._ask(lambda: job.queue.read(job_id, LOG, told, offset, LOG_BYTES))
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data)
        rest = len(decoder.getstate()[0])
        if rest and rest == len(data) and told.ended:
            # It ended in the middle of a character.
            text, rest = decoder.decode(b"", final=True), 0
        return LogChunk(text, offset + len(data) - rest)

    def progress(self, handle: JobHandle, offset: int) -> bytes:
        """What the job has told of its progress from `offset` on."""
        job, job_id = self._job(handle), handle["job_id"]
        with job.lock:
            told = self._look(job, job_id)
            return self._ask(lambda: job.queue.read(job_id, PROGRESS, told, offset, LOG_BYTES))

    def cancel(self, handle: JobHandle) -> None:
        """Have the machine end the job; one that no machine has begun is never begun."""
        job, job_id = self._job(handle), handle["job_id"]
        with job.lock:
            if self._look(job, job_id, now=True).ended or not self._is_ordered(job, job_id):
                return
            if self._ask(lambda: job.queue.claim(job_id, "canceled")):
                self._ask(lambda: job.queue.end(job_id, Ending(signal=signal.SIGTERM)))
            else:
                self._ask(lambda: job.queue.cancel(job_id))
            job.next_look = 0.0
            if job.canceled_at is None:
                job.canceled_at = self._clock()

    def release(self, handle: JobHandle) -> None:
        """Remove the order. Its machine goes too if it is the job's own, or if nobody is there to give it another."""
        job = self._job(handle)
        fleet = self._fleet(handle)
        with job.lock:
            if not handle["shared"]:
                fleet.delete(handle["machine"], handle["zones"])
            self._ask(lambda: job.queue.forget(handle["job_id"]))
            if handle["shared"] and not fleet.serves(handle["machine"]) and not self._ask(job.queue.orders):
                fleet.delete(handle["machine"], handle["zones"])
        with self._lock:
            self._jobs.pop(handle["job_id"], None)

    def sweep(self, keep: Sequence[JobHandle] | None = None) -> Sequence[str]:
        """Delete the machines of this project and workspace; given what to keep, only those of applies."""
        kept = {handle.get("machine") for handle in keep or ()}
        fleet = self._fleet_of(self._config["project"])
        return fleet.sweep(owner(self._context), lambda m: keep is not None and (not of_apply(m) or m.name in kept))

    def close(self) -> None:
        """Delete the machines that this command has asked for."""
        with self._lock:
            fleets, self._fleets = list(self._fleets.values()), {}
        for fleet in fleets:
            fleet.close()

    def _waiting(self, handle: JobHandle, known: Known) -> JobStatus:
        """Of a job that no machine has begun: whether one is to come."""
        if known.state != GONE:
            return JobStatus(JobState.PENDING)
        if self._fleet(handle).again(handle["machine"]):
            return JobStatus(JobState.PENDING)
        # What is gone has no log any more; what has shut down still has.
        text = self._fleet(handle).serial(known, 0)[0][-WORDS:]
        bucket, account = urlsplit(handle["store"]).netloc, self._config.get("service_account") or ""
        parts = [known.why, not_served(text, bucket, account) if known.ending == SHUT_DOWN else ""]
        said = last_words(text)
        parts.append(f"it said last: {said}" if said else "")
        return JobStatus(JobState.LOST, reason="; ".join(part for part in parts if part))

    def _at_work(self, job: Watched, job_id: str, told: Told) -> JobStatus:
        """Of a job that runs, or whose environment is being made: the time for that is not the step's."""
        if not told.preparing:
            return JobStatus(JobState.RUNNING)
        if not job.preparing:
            job.preparing = self._ask(lambda: job.queue.preparing(job_id))
        return JobStatus(JobState.PENDING, reason=job.preparing)

    def _insist(self, job: Watched, handle: JobHandle) -> None:
        """Delete a machine that does not heed a cancellation."""
        if job.canceled_at is not None and self._clock() - job.canceled_at > CANCEL_PATIENCE:
            self._fleet(handle).delete(handle["machine"], handle["zones"])

    def _ended(self, job: Watched, handle: JobHandle, told: Told) -> JobStatus:
        if job.ending is None:
            job.ending = self._ask(lambda: job.queue.ending(handle["job_id"]))
        ending = job.ending or Ending()
        if not told.has_result and (ending.leaving or ending.code == LEFT):
            known = self._fleet(handle).look(handle["machine"], handle["zones"], now=True)
            return JobStatus(JobState.LOST, reason=known.why or f"its machine {known.name} was about to shut down")
        if not ending.signal:
            reason = "its result could not be written; its log says why" if ending.code == 3 else ""
            return JobStatus(JobState.ENDED, ending.code, ending.reason or reason)
        try:
            name = signal.Signals(ending.signal).name
        except ValueError:
            name = f"signal {ending.signal}"
        reason = f"killed by signal {ending.signal} ({name})"
        if ending.reason:
            reason += f": {ending.reason}"
        elif ending.signal == signal.SIGKILL and job.canceled_at is None:
            reason += "; the system does that when memory runs out"
        return JobStatus(JobState.ENDED, None, reason)

    def _serial(self, job: Watched, handle: JobHandle) -> str:
        """What the machine said since the last call, as long as it has not begun to serve jobs."""
        if not self._is_ordered(job, handle["job_id"]):
            return ""
        fleet = self._fleet(handle)
        known = fleet.look(handle["machine"], handle["zones"])
        if known.state != UP or self._clock() < job.serial_at:
            return ""
        job.serial_at = self._clock() + self._pace.most
        text, job.serial = fleet.serial(known, job.serial)
        return text

    def _look(self, job: Watched, job_id: str, *, now: bool = False) -> Told:
        """What is known of the job; asked of the store again after a pause that grows while nothing changes."""
        if job.told is not None and not now and (job.told.ended or self._clock() < job.next_look):
            return job.told
        found = self._ask(lambda: job.queue.look(job_id))
        if found != job.told:
            job.pause = 0.0
        job.told = found
        job.pause = min(self._pace.most, job.pause * 1.5) if job.pause else self._pace.first
        job.next_look = self._clock() + job.pause
        return found

    def _over(self, job: Watched, job_id: str) -> bool:
        """Whether an earlier order of the job has been carried out."""
        return self._look(job, job_id, now=True).ended

    def _is_ordered(self, job: Watched, job_id: str) -> bool:
        if not job.ordered:
            job.ordered = self._ask(lambda: job.queue.has(job_id))
        return job.ordered

    def _sweep_others(self, fleet: Fleet, handle: JobHandle, apply: str) -> None:
        """Once a command: delete the machines that other applies have left, but for those that still have orders."""
        if self._swept or not apply:
            return
        self._swept = True
        storage = self._store(handle)

        def keep(machine: Machine) -> bool:
            return is_of(machine, apply) or bool(self._ask(JobQueue(storage, machine.name).orders))

        for name in fleet.sweep(owner(self._context), keep):
            self._listen(MachineEvent(name, MachineChange.DELETED, reason="an earlier apply had left it"))

    def _runner(self, request: SubmitRequest, handle: JobHandle) -> tuple[str, str]:
        """Where the runner's zipapp lies in the store, and its SHA-256; it is put there once a command."""
        place = str(request.runner)
        if place not in self._runners:
            digest = sha256_bytes(request.runner.read_bytes())
            path = f"{RUNNERS}{digest}.pyz"
            self._store(handle).put(path, request.runner)
            self._runners[place] = path, digest
        return self._runners[place]

    def _job(self, handle: JobHandle) -> Watched:
        with self._lock:
            if handle["job_id"] not in self._jobs:
                queue = JobQueue(self._store_of(handle), handle["machine"])
                self._jobs[handle["job_id"]] = Watched(queue)
            return self._jobs[handle["job_id"]]

    def _store(self, handle: JobHandle) -> Storage:
        with self._lock:
            return self._store_of(handle)

    def _store_of(self, handle: JobHandle) -> Storage:
        if handle["store"] not in self._stores:
            self._stores[handle["store"]] = self._open_store(handle["store"], handle["access"])
        return self._stores[handle["store"]]

    def _fleet(self, handle: JobHandle) -> Fleet:
        return self._fleet_of(handle["project"])

    def _fleet_of(self, project: str) -> Fleet:
        with self._lock:
            if project not in self._fleets:
                self._fleets[project] = Fleet(self._open_client(project), self._pace, self._clock, self._tell)
            return self._fleets[project]

    def _tell(self, event: MachineEvent) -> None:
        self._listen(event)

    def _ask(self, ask: Callable[[], T]) -> T:
        """What the artifact store answers; its refusal is a ProviderError."""
        try:
            return ask()
        except StorageError as problem:
            kind = KINDS.get(problem.kind, ErrorKind.INVALID)
            raise ProviderError(kind, f"the artifact store refused: {problem}", problem.hint) from problem
