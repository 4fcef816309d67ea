"""Following the log of a job on a machine: nothing is lost or told twice, whatever the backend does meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from zenctl.addrs import parse
from zenctl.diagnostics import DiagnosticError
from zenctl.engine import logs
from zenctl.engine.logs import job_log
from zenctl.engine.providers import Providers
from zenctl.jobs.spec import log_path
from zenctl.jobs.storage import FolderStorage
from zenctl.metadata.state import Recorded
from zenctl.metadata.store import ExecutionState
from zenctl.provider import ErrorKind, JobHandle, JobState, JobStatus, LogChunk, ProviderError

ADDR = parse("step.python.fit")
RECORDED = Recorded(ADDR, 1, "j", ExecutionState.RUNNING, 1, "Process", handle={"job_id": "j"})
AWAY = ProviderError(ErrorKind.TRANSIENT, "away", "Wait.")
GONE = ProviderError(ErrorKind.NOT_FOUND, "gone")


class FarStorage(FolderStorage):
    """A folder that passes for a bucket."""

    workers = 1

    def access(self, credentials: bool) -> Mapping[str, Any]:
        return {}


@dataclass
class Scripted:
    """A backend whose job says one more word at each look; `problems` are raised first, by the look's number."""

    words: list[str]
    problems: dict[int, list[ProviderError]] = field(default_factory=dict)
    looks: int = 0
    released: bool = False

    def status(self, handle: JobHandle) -> JobStatus:
        self._trouble()
        self.looks += 1
        return JobStatus(JobState.RUNNING if self.looks < len(self.words) else JobState.ENDED)

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        self._trouble()
        if self.released:
            return LogChunk("", offset)
        said = "".join(self.words[: self.looks])[offset:]
        return LogChunk(said, offset + len(said))

    def compute(self, addr: object) -> Scripted:
        return self

    def _trouble(self) -> None:
        waiting = self.problems.get(self.looks)
        if waiting:
            raise waiting.pop(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FOLLOW_SECONDS", 0.0)


def followed(storage: FolderStorage, scripted: Scripted) -> list[str]:
    return list(job_log(RECORDED, "j", cast(Providers, scripted), storage, follow=True))


def test_what_passes_is_waited_for_and_the_log_goes_on_where_it_was(tmp_path: Path) -> None:
    scripted = Scripted(["a\n", "b\n", "c\n"], {0: [AWAY] * 3, 1: [AWAY], 2: [AWAY, AWAY]})
    assert "".join(followed(FarStorage(tmp_path), scripted)) == "a\nb\nc\n"
    assert not any(scripted.problems.values())


def test_what_does_not_pass_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = ProviderError(ErrorKind.UNAUTHORIZED, "no longer yours", "Log in.")
    text = job_log(
        RECORDED, "j", cast(Providers, Scripted(["a\n", "b\n"], {1: [refused]})), FarStorage(tmp_path), follow=True
    )
    with pytest.raises(DiagnosticError) as caught:
        list(text)
    [told] = caught.value.diagnostics
    assert (told.summary, told.detail) == ("step.python.fit: no longer yours", "Log in.")
    monkeypatch.setattr(logs, "PATIENCE", 0.0)
    with pytest.raises(DiagnosticError, match="away"):
        followed(FarStorage(tmp_path), Scripted(["a\n"], {0: [AWAY] * 9999}))


@pytest.mark.parametrize("problem", [None, GONE])
def test_what_goes_with_the_job_is_read_from_where_it_is_kept(tmp_path: Path, problem: ProviderError | None) -> None:
    """The apply that waits for the job clears up while somebody follows its log."""
    storage = FarStorage(tmp_path)
    scripted = Scripted(["a\n", "b\n", "c\n"], {3: [problem]} if problem else {})
    text = job_log(RECORDED, "j", cast(Providers, scripted), storage, follow=True)
    assert (next(text), next(text)) == ("a\n", "b\n")
    storage.put(log_path("j"), b"a\nb\nc\nlast\n")
    scripted.released = True
    assert "".join(text) == "c\nlast\n"
