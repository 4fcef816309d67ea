"""Passes on what a job that runs tells: its log, its progress, what it waits for; none of it is worth failing for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.engine.events import ChangeLog, ChangeProgress, Listener, Notice
from zenctl.engine.outages import RETRIED
from zenctl.jobs.spec import progress_path
from zenctl.jobs.storage import Distant, Storage, StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import Compute, JobHandle, LogChunk, Progressing, ProviderError

LAST_WORDS = 4000
"""Characters of a job's log that are kept for the case that it leaves no result."""

SAID = "zenctl: "
"""What the runner's own lines in a log begin with."""


@dataclass(slots=True)
class Following:
    """How far a job's log and progress have been told. `words` is the end of the log, `awaited` what it waits for.

    `refused`: the log cannot be read, which has been told and is not tried again.
    """

    job_id: str
    address: str
    compute: Compute
    handle: JobHandle
    storage: Storage
    listener: Listener
    log: int = 0
    words: str = ""
    refused: bool = False
    awaited: str = ""
    progress: int = 0
    rest: bytes = b""
    told: Mapping[str, Any] = field(default_factory=dict)

    def waits(self, reason: str) -> None:
        """Say once what the job that has not begun is waiting for, if its backend tells."""
        if reason and reason != self.awaited:
            self.listener(Notice(f"{self.address}: {reason}"))
        self.awaited = reason or self.awaited

    def pass_on(self) -> None:
        """Tell what is new."""
        chunk = self._new_log()
        if chunk.text:
            self.listener(ChangeLog(self.address, chunk.text))
            self.words = (self.words + chunk.text)[-LAST_WORDS:]
        self.log = chunk.next_offset
        data = self._new_progress()
        if not data:
            return
        self.progress += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        latest = _last_progress(lines)
        if latest is not None and latest != self.told:
            self.told = latest
            done, total, unit = latest.get("done", 0), latest.get("total", 0), str(latest.get("unit", ""))
            self.listener(ChangeProgress(self.address, done, total, unit))

    def last_words(self) -> str:
        """The last that the runner itself said in the log, such as why it could not write its result."""
        said = [line.partition(SAID)[2] for line in self.words.splitlines() if line.startswith(SAID)]
        return f"It said: {said[-1]}" if said else ""

    def _new_log(self) -> LogChunk:
        if not self.refused:
            try:
                return self.compute.logs(self.handle, self.log)
            except ProviderError as problem:
                self.refused = problem.kind not in RETRIED
                if self.refused:
                    self.listener(Notice(f"{self.address}: what it prints cannot be read: {problem.message}"))
        return LogChunk("", self.log)

    def _new_progress(self) -> bytes:
        """What the job has told of its progress since; a distant store is not asked several times a second."""
        try:
            if isinstance(self.storage, Distant):
                compute = self.compute
                return compute.progress(self.handle, self.progress) if isinstance(compute, Progressing) else b""
            path = progress_path(self.job_id)
            info = self.storage.stat(path)
            if info is None or info.size <= self.progress:
                return b""
            with self.storage.open(path, self.progress) as stream:
                return stream.read()
        except (ProviderError, StorageError):
            # It is asked again at the next look; what counts comes with the result.
            return b""


def _last_progress(lines: list[bytes]) -> Mapping[str, Any] | None:
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "done" in record:
            return record
    return None
