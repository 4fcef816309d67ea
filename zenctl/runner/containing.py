"""Runs one job in a container of a machine: has an engine and the image, starts it, waits, and says how it ended.

`python -m zenctl.runner.containing STORE JOB_ID ...` with the runner's zipapp on PYTHONPATH, beside the attendant.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import List, Optional

from zenctl.jobs.containers import (
    ALIVE,
    CONTAINER,
    Container,
    ContainerProblem,
    container_command,
    explain_end,
    note_container,
    remove_container,
)
from zenctl.jobs.environments import PREPARING
from zenctl.jobs.queue import Ending
from zenctl.jobs.result import JobError, JobResult
from zenctl.jobs.spec import result_path
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.google_tokens import MetadataToken
from zenctl.jobs.stores.opening import ACCESS, open_store
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.wire import result_to_json
from zenctl.runner.engines import have_engine
from zenctl.runner.lifetime import MACHINE, die_with
from zenctl.runner.registries import is_there, pull, qualified

ENDING = "ending.json"
"""File in the work folder, written last: how the job ended."""

PASSED_ON = (ACCESS, MACHINE, "GCE_METADATA_HOST", "STORAGE_EMULATOR_HOST")
"""What a job reads of its machine's environment to reach its store."""

FAILED, NO_RESULT, NOT_REMOVED = 1, 3, 1

TOKEN_PATIENCE = 20.0
"""Seconds for which the metadata server is asked for a token."""


class Canceled(BaseException):
    """SIGTERM came while there was no container yet."""


def main(argv: Optional[List[str]] = None) -> int:
    """Run the job that the arguments name, or with `--remove` only end and remove its container."""
    parser = argparse.ArgumentParser(prog="containing", description=__doc__)
    parser.add_argument("store", help="URI of the artifact store")
    parser.add_argument("job_id", help="the job")
    parser.add_argument("--work", type=Path, required=True, help="folder for the job's files")
    parser.add_argument("--runner", type=Path, help="path of the runner's zipapp")
    parser.add_argument("--parent", type=int, help="process id of the starter, with which this is to end")
    parser.add_argument("--image", help="the image, NAME@sha256:...")
    parser.add_argument("--memory", type=int, default=0, help="most bytes of memory that the container may take")
    parser.add_argument("--gpus", action="store_true", help="the container gets the machine's GPUs")
    parser.add_argument("--remove", action="store_true", help="only remove the job's container, which has ended")
    arguments = parser.parse_args(argv)
    os.environ.pop("PYTHONPATH", None)
    if arguments.remove:
        return _remove(arguments.work)
    if arguments.parent:
        die_with(arguments.parent)
    container = Container(
        arguments.job_id,
        qualified(arguments.image),
        arguments.runner,
        arguments.store,
        arguments.work,
        arguments.work,
        variables=tuple(name for name in PASSED_ON if name in os.environ),
        memory=arguments.memory,
        gpus=arguments.gpus,
    )
    ending = run(container)
    told = {"code": ending.code, "signal": ending.signal, "reason": ending.reason}
    (container.work / ENDING).write_text(json.dumps(told), encoding="utf-8")
    return 0


def run(container: Container) -> Ending:
    """Run the job to its end. What keeps it from running is its result, written here.

    The note of its container is gone afterwards if that is certain to have ended.
    """
    signal.signal(signal.SIGTERM, _cancel)
    canceled: List[int] = []
    try:
        command = _prepare(container)
        # The engine passes the signal on to the job, whose end is waited for. A handler, as what is ignored would be
        # ignored by the engine and the job too.
        signal.signal(signal.SIGTERM, lambda number, _: canceled.append(number))
    except Canceled:
        return Ending(signal=signal.SIGTERM)
    except ContainerProblem as problem:
        return _refuse(container, problem)
    finally:
        (container.work / PREPARING).unlink(missing_ok=True)
    with subprocess.Popen(command) as engine:
        if canceled:
            # It may have come before the engine was there.
            engine.terminate()
        raw = engine.wait()
    if raw < 0:
        return Ending(signal=-raw, reason="the program that ran its container was killed")
    code, number, reason = explain_end(container.work, raw, container.work / "log.txt")
    if (container.work / ALIVE).exists():
        (container.work / CONTAINER).unlink()
    elif reason:
        hint = "GPUs need nvidia-container-toolkit on the machine's boot image." if container.gpus else ""
        return _refuse(container, ContainerProblem(reason, hint))
    return Ending(code, number, reason)


def _prepare(container: Container) -> List[str]:
    """Have an engine and the image, and give the command that runs the job."""
    engine = have_engine(_say, container.work.parent / "installing")
    if not is_there(engine, container.image):
        pull(engine, container.image, container.work, MetadataToken(Retrying(TOKEN_PATIENCE)), _say)
    command = container_command(engine, container)
    note_container(engine, container)
    return command


def _refuse(container: Container, problem: ContainerProblem) -> Ending:
    """Write why the job cannot run as its result."""
    _say(f"zenctl: {problem.message}\n{problem.hint}".rstrip())
    now = time.time()
    error = JobError("environment", problem.message, hint=problem.hint)
    result = JobResult(container.job_id, error=error, started=now, ended=now)
    try:
        storage = open_store(container.store, json.loads(os.environ.get(ACCESS, "{}")))
        storage.put(result_path(container.job_id), result_to_json(result))
    except StorageError as refused:
        _say(f"zenctl: the result cannot be written: {refused}")
        return Ending(NO_RESULT, reason=problem.message)
    return Ending(FAILED)


def _remove(work: Path) -> int:
    try:
        remove_container(work)
    except ContainerProblem as problem:
        _say(f"zenctl: {problem.message}")
        return NOT_REMOVED
    return 0


def _cancel(number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG001 - a signal handler's signature
    raise Canceled


def _say(text: str) -> None:
    """Write a line to the job's log. That nobody reads it any more is no reason to fail."""
    try:
        print(text, flush=True)  # noqa: T201 - the job's log
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
