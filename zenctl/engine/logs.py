"""Reads logs as they are written: what a job printed, or what an endpoint's server did."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.providers import Providers
from zenctl.engine.settling import backend_of
from zenctl.jobs.spec import log_path, result_path
from zenctl.jobs.storage import Distant, Storage, StorageError
from zenctl.metadata.state import Recorded
from zenctl.metadata.store import ExecutionState
from zenctl.provider import Compute, JobHandle, JobState

FOLLOW_SECONDS = 0.5
"""How often a followed log is looked at."""


def job_log(recorded: Recorded, job_id: str, providers: Providers, storage: Storage, *, follow: bool) -> Iterator[str]:
    """The log of a job of this record; `follow` goes on until the job is over. DiagnosticError if there is none."""
    path = log_path(job_id)
    if storage.stat(path) is None:
        if recorded.state is ExecutionState.RUNNING and recorded.handle and isinstance(storage, Distant):
            return _told(providers.compute(backend_of(recorded)), recorded.handle, follow=follow)
        raise _none(recorded)

    def over() -> bool:
        if recorded.state is not ExecutionState.RUNNING or storage.stat(result_path(job_id)) is not None:
            return True
        # Killed with its apply, a job leaves no result.
        status = providers.compute(backend_of(recorded)).status(recorded.handle) if recorded.handle else None
        return status is not None and status.state in (JobState.ENDED, JobState.LOST)

    return _text(lambda offset: storage.open(path, offset), over if follow else _now)


def server_log(recorded: Recorded, data_dir: Path, *, follow: bool) -> Iterator[str]:
    """The log of an endpoint's server on this machine; `follow` goes on until the endpoint is gone."""
    path = data_dir / str(recorded.attributes.get("log") or "")
    if not path.is_file():
        raise _none(recorded)

    def open_at(offset: int) -> BinaryIO:
        stream = path.open("rb")
        stream.seek(offset)
        return stream

    return _text(open_at, (lambda: not path.exists()) if follow else _now)


def _told(compute: Compute, handle: JobHandle, *, follow: bool) -> Iterator[str]:
    """The log of a job that still runs, as its backend has it: a distant store gets it when the job has ended."""
    offset = 0
    while True:
        over = not follow or compute.status(handle).state in (JobState.ENDED, JobState.LOST)
        while (chunk := compute.logs(handle, offset)).text:
            yield chunk.text
            if chunk.next_offset <= offset:
                # It is beside the log: what there is more of it comes at the next look.
                break
            offset = chunk.next_offset
        if over:
            return
        time.sleep(FOLLOW_SECONDS)


def _none(recorded: Recorded) -> DiagnosticError:
    detail = "It printed nothing, or its log was removed."
    if recorded.imported_from:
        detail = f"It was imported in apply {recorded.serial}: nothing ran."
    return DiagnosticError(error("no_log", f"There is no log of {recorded.addr}", detail))


def _now() -> bool:
    return True


def _text(open_at: Callable[[int], BinaryIO], over: Callable[[], bool]) -> Iterator[str]:
    """The text in pieces; `over` is asked before the last look, so that nothing written before the end is missed."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    offset = 0
    while True:
        last = over()
        try:
            with open_at(offset) as stream:
                for data in iter(lambda: stream.read(1 << 16), b""):
                    offset += len(data)
                    yield decoder.decode(data)
        except (FileNotFoundError, StorageError):
            # Removed while it was followed.
            return
        if last:
            return
        time.sleep(FOLLOW_SECONDS)
