"""The orders of a machine that serves several jobs, and what it tells of each: objects in the artifact store.

A machine may read and create objects, and no more: nothing is ever written a second time, and only zenctl deletes.
"""

from __future__ import annotations

import json
from dataclasses import field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from zenctl.digests import canonical_json
from zenctl.jobs.spec import result_path
from zenctl.jobs.storage import Storage, StorageError
from zenctl.lazy_dataclasses import dataclass

QUEUES = "queues/"
"""Where the orders of machines lie: `queues/MACHINE/JOB.order`, and `.cancel` beside it."""

RUNNERS = "runners/"
"""Where the zipapps lie that machines run: `runners/DIGEST.pyz`. Whoever orders a job puts its own there."""

LOG, PROGRESS = "log", "progress"
"""What a machine passes on of a job, piece by piece: `jobs/JOB/log/OFFSET`."""


@dataclass(frozen=True)
class Ending:
    """How a job's process ended: with an exit code, or by a signal; `reason` says more where that is known.

    `leaving` says that its machine was about to go.
    """

    code: Optional[int] = None
    signal: int = 0
    reason: str = ""
    leaving: bool = False


@dataclass(frozen=True)
class Contained:
    """That a job is to run in a container of `image`, `NAME@sha256:...`, with all the machine's GPUs or none.

    `memory` is its limit in bytes, 0 for none.
    """

    image: str
    memory: int = 0
    gpus: bool = False


@dataclass(frozen=True)
class Order:
    """What a machine is told of a job besides its job.json: `access` to its stores, and its container if it has one."""

    access: Mapping[str, Any] = field(default_factory=dict)
    container: Optional[Contained] = None


@dataclass(frozen=True)
class Told:
    """What is known of a job. `begun` and `ended` say that there is something to read about that.

    `preparing`: what it is to run in is not there yet, so that its own time has not begun.
    `pieces` are the offsets and sizes in bytes of what was passed on, by LOG and PROGRESS, in order.
    """

    begun: bool
    ended: bool
    has_result: bool
    pieces: Mapping[str, Tuple[Tuple[int, int], ...]]
    preparing: bool = False


class JobQueue:
    """One machine's queue, as zenctl and as the machine see it. Every method may raise StorageError."""

    def __init__(self, storage: Storage, machine: str) -> None:
        self._storage = storage
        self._prefix = f"{QUEUES}{machine}/"

    def put(self, job_id: str, access: Mapping[str, Any], container: Optional[Contained] = None) -> None:
        """Order a job, whose job.json is in the store; the same one again orders nothing.

        `access` is what the job is told of its stores (`stores.opening.ACCESS`), without any credentials.
        """
        told: Dict[str, Any] = {"access": dict(access)}
        if container is not None:
            told["container"] = {"image": container.image, "memory": container.memory, "gpus": container.gpus}
        self._storage.put(f"{self._prefix}{job_id}.order", canonical_json(told))

    def order(self, job_id: str) -> Optional[Order]:
        """What an ordered job is told; None of one that is forgotten."""
        found = self._read(f"{self._prefix}{job_id}.order")
        if not found:
            return None
        container = found.get("container")
        return Order(dict(found.get("access", {})), Contained(**container) if container else None)

    def has(self, job_id: str) -> bool:
        """Whether the job is ordered, and not forgotten yet."""
        return self._storage.stat(f"{self._prefix}{job_id}.order") is not None

    def cancel(self, job_id: str) -> None:
        """Have the machine end the job."""
        self._storage.put(f"{self._prefix}{job_id}.cancel", b"{}")

    def orders(self) -> Dict[str, bool]:
        """The jobs that are ordered and not forgotten, in no order that matters; True for those that are canceled."""
        names = [info.path[len(self._prefix) :] for info in self._storage.list(self._prefix)]
        canceled = {name[: -len(".cancel")] for name in names if name.endswith(".cancel")}
        return {job: job in canceled for job in (name[: -len(".order")] for name in names if name.endswith(".order"))}

    def forget(self, job_id: str) -> None:
        """Remove the order and what was passed on piece by piece. Its result, and how it ended, stay."""
        for kind, pieces in self.look(job_id).pieces.items():
            for offset, _ in pieces:
                self._storage.delete(_piece(job_id, kind, offset))
        for ending in ("order", "cancel"):
            self._storage.delete(f"{self._prefix}{job_id}.{ending}")

    def claim(self, job_id: str, incarnation: str) -> bool:
        """Take the job for a machine's incarnation; False if another one has it: a job is started once.

        Who has it takes it again: that it was heard the first time is not sure.
        """
        taken = self._storage.put(_begun(job_id), canonical_json({"machine": incarnation}))
        return taken or self.claimed(job_id) == incarnation

    def claimed(self, job_id: str) -> str:
        """The incarnation that has begun the job; empty if none has."""
        return str(self._read(_begun(job_id)).get("machine", ""))

    def end(self, job_id: str, ending: Ending) -> None:
        """Say how the job's process ended; after its log, which is complete then."""
        told = {"code": ending.code, "signal": ending.signal, "reason": ending.reason, "leaving": ending.leaving}
        self._storage.put(_ended(job_id), canonical_json(told))

    def ending(self, job_id: str) -> Optional[Ending]:
        """How the job's process ended; None if it has not."""
        found = self._read(_ended(job_id))
        if not found:
            return None
        reason, leaving = str(found.get("reason", "")), bool(found.get("leaving"))
        return Ending(found.get("code"), int(found.get("signal", 0)), reason, leaving)

    def prepare(self, job_id: str, words: str) -> None:
        """Say that what a job is to run in is being made, with a few words on it; once that is over, with none."""
        text = canonical_json({"words": words})
        self._storage.put(_preparing(job_id) if words else _prepared(job_id), text)

    def preparing(self, job_id: str) -> str:
        """What was said of what a job is to run in while that is made."""
        return str(self._read(_preparing(job_id)).get("words", ""))

    def pass_on(self, job_id: str, kind: str, offset: int, data: bytes) -> None:
        """Store what comes from a byte on."""
        self._storage.put(_piece(job_id, kind, offset), data)

    def look(self, job_id: str) -> Told:
        """What is there of a job: one listing."""
        base = f"jobs/{job_id}/"
        found = {info.path: info.size for info in self._storage.list(base)}
        pieces: Dict[str, List[Tuple[int, int]]] = {LOG: [], PROGRESS: []}
        for path, size in found.items():
            kind, _, offset = path[len(base) :].partition("/")
            if kind in pieces and offset.isdigit():
                pieces[kind].append((int(offset), size))
        return Told(
            begun=_begun(job_id) in found,
            ended=_ended(job_id) in found,
            has_result=result_path(job_id) in found,
            pieces={kind: tuple(sorted(several)) for kind, several in pieces.items()},
            preparing=_preparing(job_id) in found and _prepared(job_id) not in found,
        )

    def read(self, job_id: str, kind: str, told: Told, offset: int, most: int) -> bytes:
        """What was passed on from a byte on, `most` bytes or a piece more."""
        parts: List[bytes] = []
        length = 0
        for start, size in told.pieces[kind]:
            if start + size <= offset or length >= most:
                continue
            with self._storage.open(_piece(job_id, kind, start), max(0, offset - start)) as stream:
                parts.append(stream.read())
            length += len(parts[-1])
        return b"".join(parts)

    def _read(self, path: str) -> Mapping[str, Any]:
        try:
            with self._storage.open(path) as stream:
                found = json.loads(stream.read())
        except StorageError as problem:
            if problem.kind != "NOT_FOUND":
                raise
            return {}
        return found if isinstance(found, dict) else {}


def _begun(job_id: str) -> str:
    return f"jobs/{job_id}/begun.json"


def _ended(job_id: str) -> str:
    return f"jobs/{job_id}/ended.json"


def _preparing(job_id: str) -> str:
    return f"jobs/{job_id}/preparing.json"


def _prepared(job_id: str) -> str:
    return f"jobs/{job_id}/prepared.json"


def _piece(job_id: str, kind: str, offset: int) -> str:
    return f"jobs/{job_id}/{kind}/{offset:015d}"
