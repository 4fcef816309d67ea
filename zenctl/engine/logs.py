"""Reads logs as they are written: what a job printed, or what an endpoint's server did."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.providers import Providers, provider_diagnostic
from zenctl.engine.settling import backend_of
from zenctl.jobs.spec import log_path, result_path
from zenctl.jobs.storage import Distant, Storage, StorageError
from zenctl.metadata.state import Recorded
from zenctl.metadata.store import ExecutionState
from zenctl.provider import Compute, ErrorKind, JobState, LogChunk, ProviderError

T = TypeVar("T")

FOLLOW_SECONDS = 0.5
"""How often a followed log is looked at."""

PATIENCE = 60.0
"""Seconds for which a backend that may come back is asked again."""

PASSING = frozenset({ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED})
"""Errors that may pass by themselves."""


def job_log(recorded: Recorded, job_id: str, providers: Providers, storage: Storage, *, follow: bool) -> Iterator[str]:
    """The log of a job of this record; `follow` goes on until the job is over. DiagnosticError if there is none."""
    path = log_path(job_id)
    if storage.stat(path) is None:
        if recorded.state is ExecutionState.RUNNING and recorded.handle and isinstance(storage, Distant):
            return _Following(recorded, job_id, providers, storage).text(follow=follow)
        raise _none(recorded)

    def over() -> bool:
        if recorded.state is not ExecutionState.RUNNING or storage.stat(result_path(job_id)) is not None:
            return True
        # Killed with its apply, a job leaves no result.
        return bool(recorded.handle) and _Following(recorded, job_id, providers, storage).is_over()

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


class _Following:
    """The log of a job that still runs, as its backend has it: a distant store gets it when the job has ended.

    What may pass is waited for, and the log goes on at the very byte then. Raises DiagnosticError for what does not.
    """

    def __init__(self, recorded: Recorded, job_id: str, providers: Providers, storage: Storage) -> None:
        self._addr = str(recorded.addr)
        self._handle = recorded.handle
        self._path = log_path(job_id)
        self._storage = storage
        self._compute: Compute = self._ask(lambda: providers.compute(backend_of(recorded)))

    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self._ask(lambda: self._compute.status(self._handle)).state in (JobState.ENDED, JobState.LOST)

    def text(self, *, follow: bool) -> Iterator[str]:
        """The text in pieces, up to what is there now, or to the job's end."""
        offset = 0
        while True:
            over = not follow or self.is_over()
            while (chunk := self._logs(offset)).text:
                yield chunk.text
                if chunk.next_offset <= offset:
                    # It is beside the log: what there is more of it comes at the next look.
                    break
                offset = chunk.next_offset
            if over:
                # Whoever waits for the job has put its log here before what the backend had of it went.
                yield from self._kept(offset)
                return
            time.sleep(FOLLOW_SECONDS)

    def _logs(self, offset: int) -> LogChunk:
        try:
            return self._ask(lambda: self._compute.logs(self._handle, offset), gone=True)
        except ProviderError:
            return LogChunk("", offset)

    def _kept(self, offset: int) -> Iterator[str]:
        if self._storage.stat(self._path) is not None:
            yield from _text(lambda more: self._storage.open(self._path, offset + more), _now)

    def _ask(self, ask: Callable[[], T], *, gone: bool = False) -> T:
        """The backend's answer. With `gone`, that there is no such thing any more is a ProviderError for the caller."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return ask()
            except ProviderError as problem:
                if gone and problem.kind is ErrorKind.NOT_FOUND:
                    raise
                if problem.kind not in PASSING or time.monotonic() > deadline:
                    raise DiagnosticError(provider_diagnostic(problem, self._addr, address=self._addr)) from problem
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
