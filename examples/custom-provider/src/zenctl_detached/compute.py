"""The backend: every job has a folder, and a supervisor that runs it and writes down how it ended."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.jobs.stores.opening import ACCESS
from zenctl.provider import ErrorKind, JobHandle, JobState, JobStatus, LogChunk, ProviderError, SubmitRequest
from zenctl_detached import supervisor


class DetachedCompute:
    """`folder` holds the jobs' folders. A job lives as long as its supervisor holds the lock of its file ALIVE."""

    def __init__(self, folder: Path, launcher: tuple[str, ...], grace: float) -> None:
        self._folder = folder
        self._launcher = launcher
        self._grace = grace

    def handle(self, request: SubmitRequest) -> JobHandle:
        """Follows from the request alone, and is recorded before there is a job."""
        return {"job_id": request.spec.job_id}

    def submit(self, request: SubmitRequest) -> JobHandle:
        handle = self.handle(request)
        work = self._work(handle)
        if request.spec.image:
            raise ProviderError(ErrorKind.INVALID, "the detached backend runs no images", "Leave `image` out.")
        work.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Whoever makes the folder starts the job: the same job id again starts nothing.
            work.mkdir()
        except FileExistsError:
            return handle
        command = [*self._launcher, sys.executable, str(request.runner.absolute()), request.store_uri]
        command += [request.spec.job_id, "--work", str(work), "--environments", str(self._folder / "environments")]
        access = request.access(True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **({ACCESS: json.dumps(dict(access))} if access else {})}
        alive = os.open(work / supervisor.ALIVE, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            # The lock is the open file's, which the supervisor inherits: it ends with it, however it ends.
            fcntl.flock(alive, fcntl.LOCK_EX)
            with open(work / supervisor.LOG, "wb") as log:
                process = subprocess.Popen(
                    [sys.executable, supervisor.__file__, str(work), str(self._grace), str(alive), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    pass_fds=(alive,),
                    start_new_session=True,
                )
        except OSError as error:
            raise ProviderError(ErrorKind.TRANSIENT, f"the job cannot be started: {error.strerror}") from error
        finally:
            os.close(alive)
        # It outlives this command, so nobody here waits for it.
        process.returncode = 0
        return handle

    def status(self, handle: JobHandle) -> JobStatus:
        work = self._work(handle)
        if self._lives(work):
            return JobStatus(JobState.RUNNING)
        ended = self._ended(work)
        if not ended:
            return JobStatus(JobState.LOST, reason="its supervisor is gone, and left no word of how it ended")
        code, number = ended["code"], ended["signal"]
        return JobStatus(JobState.ENDED, code, f"killed by signal {number}" if number else "")

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        try:
            with open(self._work(handle) / supervisor.LOG, "rb") as stream:
                stream.seek(offset)
                data = stream.read(1 << 20)
        except FileNotFoundError:
            return LogChunk("", offset)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data)
        # Half of a character is left for the next call.
        return LogChunk(text, offset + len(data) - len(decoder.getstate()[0]))

    def cancel(self, handle: JobHandle) -> None:
        """The supervisor passes SIGTERM on, and kills what does not heed it."""
        self._signal(self._work(handle), signal.SIGTERM)

    def release(self, handle: JobHandle) -> None:
        work = self._work(handle)
        deadline = time.monotonic() + self._grace + 5
        self._signal(work, signal.SIGTERM)
        while self._lives(work):
            if time.monotonic() > deadline:
                raise ProviderError(ErrorKind.TRANSIENT, f"job {handle['job_id']} does not end", "Apply again.")
            time.sleep(0.02)
        shutil.rmtree(work, ignore_errors=True)

    def _work(self, handle: JobHandle) -> Path:
        return self._folder / "jobs" / str(handle["job_id"])

    def _lives(self, work: Path) -> bool:
        try:
            alive = os.open(work / supervisor.ALIVE, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(alive)
        return False

    def _signal(self, work: Path, number: int) -> None:
        """To the supervisor: while it lives its number cannot be another's. It tells it as soon as it listens."""
        deadline = time.monotonic() + 5
        while self._lives(work) and time.monotonic() < deadline:
            try:
                os.kill(int((work / supervisor.PID).read_text()), number)
            except ProcessLookupError:
                return
            except (FileNotFoundError, ValueError):
                time.sleep(0.005)
                continue
            return

    def _ended(self, work: Path) -> Mapping[str, Any]:
        try:
            return dict(json.loads((work / supervisor.EXIT).read_text()))
        except (OSError, ValueError):
            return {}
