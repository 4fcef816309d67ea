"""Serves a machine's queue: starts each job that is ordered, passes on what it prints, and ends when it is idle.

`python -m zenctl.runner.attending STORE MACHINE INCARNATION` with the runner's zipapp on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from zenctl.jobs.containers import CONTAINER
from zenctl.jobs.environments import PREPARING
from zenctl.jobs.queue import LOG, PROGRESS, Contained, Ending, JobQueue
from zenctl.jobs.storage import Storage, StorageError
from zenctl.jobs.stores.opening import ACCESS, open_store
from zenctl.lazy_dataclasses import dataclass
from zenctl.runner.containing import ENDING
from zenctl.runner.lifetime import CANCELED, MACHINE
from zenctl.runner.notices import watch

PAUSE_FIRST, PAUSE_MOST = 0.1, 2.0
"""Seconds between two looks at the queue: short while something happens, longer while nothing does."""

PASS_ON_MOST = 3.0
"""Most seconds for which what a job printed is held back; the first lines go at once."""

PIECE = 1 << 20
"""Bytes of a log that are sent at a time."""

IDLE, GIVEN_UP, LEFT_OVER = 0, 3, 4
"""Exit codes: there was nothing to do for a while; the store cannot be used; a container could not be ended."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Settings:
    """How a machine serves. `slots` is how many jobs run at a time, 0 for any number.

    `idle`, `grace` (of a job that is canceled) and `last` (of one whose machine goes) are seconds. `runner` is the
    zipapp, `store` the URI of the store.
    """

    store: str
    runner: str
    slots: int = 0
    idle: float = 600.0
    grace: float = 10.0
    last: float = 25.0


class Tail:
    """A file that a job appends to, passed on in pieces that grow rarer as it lasts."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind = kind
        self._path = path
        self._offset = 0
        self._next = 0.0
        self._pause = PAUSE_FIRST

    def pass_on(self, queue: JobQueue, job_id: str, now: float, *, last: bool = False) -> bool:
        """Send what is new, unless that was done just now; whether something was sent."""
        sent = False
        while last or now >= self._next:
            try:
                with open(self._path, "rb") as stream:
                    stream.seek(self._offset)
                    data = stream.read(PIECE)
            except FileNotFoundError:
                return sent
            if not data:
                return sent
            queue.pass_on(job_id, self.kind, self._offset, data)
            self._offset += len(data)
            sent = True
            if not last and len(data) < PIECE:
                self._next = now + self._pause
                self._pause = min(self._pause * 1.5, PASS_ON_MOST)
        return sent


class Job:
    """A job that runs on this machine; `removal` is what ends and removes its container, once it has ended itself."""

    def __init__(self, job_id: str, process: "subprocess.Popen[bytes]", work: Path) -> None:
        self.job_id = job_id
        self.process = process
        self.work = work
        self.removal: Optional["subprocess.Popen[bytes]"] = None
        self.tails = (Tail(work / "log.txt", LOG), Tail(work / "progress.jsonl", PROGRESS))
        self.kill_at: Optional[float] = None
        self._mark = work / PREPARING
        self._is_prepared: Optional[bool] = None

    def tell_preparing(self, queue: JobQueue) -> bool:
        """Say that what it is to run in is being made, and that it is there; whether there was something to say."""
        try:
            words = self._mark.read_text(encoding="utf-8")
        except FileNotFoundError:
            words = ""
        # There is one time of preparing in a job's life, at its start.
        if (bool(words), self._is_prepared) not in ((True, None), (False, False)):
            return False
        queue.prepare(self.job_id, words)
        self._is_prepared = not words
        return True

    def signal(self, number: int) -> None:
        """To the job and all that it has started."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return


class Attendant:
    """One machine's service. `step` does what there is to do now, and nothing in it waits."""

    def __init__(
        self,
        queue: JobQueue,
        incarnation: str,
        settings: Settings,
        folder: Path,
        clock: Clock = time.monotonic,
    ) -> None:
        self._queue = queue
        self._incarnation = incarnation
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._running: Dict[str, Job] = {}
        self._done: Dict[str, None] = {}
        self._leaving = False
        self._busy_at = clock()
        self.has_left_over = False

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to do for so long that the machine should go, or it goes anyway."""
        idle = self._clock() - self._busy_at >= self._settings.idle
        return not self._running and (idle or self._leaving)

    def leave(self) -> None:
        """The machine is going to be gone: begin no job, and have those that run save what they have. Any thread."""
        self._leaving = True

    def step(self) -> bool:
        """Start, cancel, pass on; whether anything has happened."""
        happened = False
        for job in self._running.values() if self._leaving else ():
            # The store may be out of reach already: what the jobs have is saved first.
            if job.kill_at is None:
                job.kill_at = self._clock() + self._settings.last
                job.signal(signal.SIGTERM)
        for job_id, canceled in sorted(self._queue.orders().items()):
            if job_id in self._done:
                continue
            if job_id in self._running:
                if canceled:
                    happened |= self._cancel(self._running[job_id])
            elif not self._leaving and (canceled or self._has_room()):
                happened |= self._take(job_id, canceled)
        for job in list(self._running.values()):
            happened |= self._attend(job)
        if self._running or happened:
            self._busy_at = self._clock()
        return happened

    def _has_room(self) -> bool:
        return not self._settings.slots or len(self._running) < self._settings.slots

    def _take(self, job_id: str, canceled: bool) -> bool:
        """Begin a job, unless another incarnation of the machine has; one that is canceled already ends so."""
        # All that the store may fail at comes before the claim: what is claimed is begun.
        order = self._queue.order(job_id)
        if order is None:
            return False
        if not self._queue.claim(job_id, self._incarnation):
            self._done[job_id] = None
            return False
        if canceled:
            self._queue.end(job_id, Ending(signal=signal.SIGTERM))
            self._done[job_id] = None
            return True
        work = self._folder / job_id
        work.mkdir(parents=True)
        environment = {**os.environ, ACCESS: json.dumps(order.access)}
        environment.pop("PYTHONPATH", None)
        environment[MACHINE] = "1"
        command = [sys.executable, self._settings.runner, self._settings.store, job_id, "--work", str(work)]
        if order.container is not None:
            (work / PREPARING).write_text("preparing its container", encoding="utf-8")
            environment["PYTHONPATH"] = self._settings.runner
            command = self._containing(job_id, work, order.container)
        command += ["--parent", str(os.getpid())]
        with open(work / "log.txt", "wb") as log:
            process = subprocess.Popen(
                command,
                cwd=str(work),
                env=environment,
                # A container, which is no child of this process, ends when this end of the pipe is gone.
                stdin=subprocess.DEVNULL if order.container is None else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[job_id] = Job(job_id, process, work)
        return True

    def _containing(self, job_id: str, work: Path, container: Optional[Contained] = None) -> List[str]:
        """The command that runs a job in its container, or, given none, removes what may be left of that."""
        command = [sys.executable, "-m", "zenctl.runner.containing", self._settings.store, job_id, "--work", str(work)]
        if container is None:
            return [*command, "--remove"]
        command += ["--runner", self._settings.runner, "--image", container.image, "--memory", str(container.memory)]
        return [*command, "--gpus"] if container.gpus else command

    def _cancel(self, job: Job) -> bool:
        if job.kill_at is not None:
            return False
        (self._folder / job.job_id / CANCELED).touch()
        job.kill_at = self._clock() + self._settings.grace
        job.signal(signal.SIGTERM)
        return True

    def _attend(self, job: Job) -> bool:
        """Pass on what a job has told; if it has ended, all the rest and how."""
        now = self._clock()
        if job.kill_at is not None and now >= job.kill_at:
            job.signal(signal.SIGKILL)
        code = job.process.poll()
        told = job.tell_preparing(self._queue)
        sent = [tail.pass_on(self._queue, job.job_id, now, last=code is not None) for tail in job.tails]
        if code is None:
            return told or any(sent)
        # What it has started must not go on under the jobs to come.
        job.signal(signal.SIGKILL)
        if job.process.stdin is not None:
            job.process.stdin.close()
        if not self._is_cleared(job):
            return any(sent)
        self._queue.end(job.job_id, replace(_ending(job.work, code), leaving=self._leaving))
        shutil.rmtree(self._folder / job.job_id, ignore_errors=True)
        del self._running[job.job_id]
        self._done[job.job_id] = None
        return True

    def _is_cleared(self, job: Job) -> bool:
        """Whether nothing is left of a job's container that may have outlived the job; has it removed."""
        if job.removal is None:
            if not (job.work / CONTAINER).exists():
                return True
            environment = {**os.environ, "PYTHONPATH": self._settings.runner}
            command = self._containing(job.job_id, job.work)
            job.removal = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
        code = job.removal.poll()
        self.has_left_over |= bool(code)
        return code is not None


def _ending(work: Path, code: int) -> Ending:
    """How a job ended: as the program says that has run its container, or as its process did."""
    try:
        return Ending(**json.loads((work / ENDING).read_bytes()))
    except (OSError, ValueError):
        return Ending(code) if code >= 0 else Ending(signal=-code)


def serve(attendant: Attendant, sleep: Callable[[float], None] = time.sleep) -> int:
    """Go on until the machine is idle, the store refuses, or a container cannot be ended; gives the exit code."""
    pause = PAUSE_FIRST
    while not attendant.is_idle:
        try:
            pause = PAUSE_FIRST if attendant.step() else min(pause * 1.3, PAUSE_MOST)
        except StorageError as problem:
            print(f"zenctl: {problem}", file=sys.stderr, flush=True)  # noqa: T201 - the machine's log
            if problem.kind != "TRANSIENT":
                return GIVEN_UP
        if attendant.has_left_over:
            # It would go on beside the jobs to come: better the machine goes, which ends it.
            print("zenctl: a job's container cannot be ended", file=sys.stderr, flush=True)  # noqa: T201 - see above
            return LEFT_OVER
        sleep(pause)
    return IDLE


def main(argv: Optional[List[str]] = None) -> int:
    """Serve the queue that the arguments name."""
    parser = argparse.ArgumentParser(prog="attending", description=__doc__)
    parser.add_argument("store", help="URI of the artifact store")
    parser.add_argument("machine", help="whose queue it is")
    parser.add_argument("incarnation", help="what tells this machine from an earlier one of the same name")
    parser.add_argument("--runner", required=True, help="path of the runner's zipapp")
    parser.add_argument("--slots", type=int, default=0, help="how many jobs run at a time; 0 for any number")
    parser.add_argument("--idle", type=float, default=600.0, help="seconds without a job after which to end")
    parser.add_argument("--notice", default="", help="URL that says TRUE when the machine is about to be taken away")
    arguments = parser.parse_args(argv)
    access = os.environ.pop(ACCESS, "{}")
    settings = Settings(arguments.store, os.path.abspath(arguments.runner), slots=arguments.slots, idle=arguments.idle)
    try:
        storage = _opened(arguments.store, access)
    except (StorageError, ValueError) as problem:
        print(f"zenctl: {problem}", file=sys.stderr, flush=True)  # noqa: T201 - the machine's log
        return GIVEN_UP
    print(f"zenctl: serves {arguments.store} as {arguments.machine}", flush=True)  # noqa: T201 - the machine's log
    with tempfile.TemporaryDirectory(prefix="zenctl-jobs-") as folder:
        queue = JobQueue(storage, arguments.machine)
        attendant = Attendant(queue, arguments.incarnation, settings, Path(folder))
        awake = threading.Event()

        def taken() -> None:
            print("zenctl: this machine is about to be taken away", flush=True)  # noqa: T201 - the machine's log
            attendant.leave()
            awake.set()

        # A machine that shuts down for another reason says it with a signal only.
        signal.signal(signal.SIGTERM, lambda *_: attendant.leave())
        if arguments.notice:
            watch(arguments.notice, taken)

        def sleep(seconds: float) -> None:
            if awake.wait(seconds):
                time.sleep(PAUSE_FIRST)

        return serve(attendant, sleep)


def _opened(store: str, access: str) -> Storage:
    told: Mapping[str, Any] = json.loads(access)
    return open_store(store, told)


if __name__ == "__main__":
    sys.exit(main())
