"""Runs one job: `python runner.pyz STORE JOB_ID` reads its order, runs it, and writes result.json last."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from zenctl.jobs.environments import default_cache
from zenctl.jobs.objects import buckets
from zenctl.jobs.result import JobError, JobResult, OutputResult
from zenctl.jobs.spec import JobSpec, job_path, progress_path, result_path
from zenctl.jobs.storage import FolderStorage, Storage, StorageError
from zenctl.jobs.stores.opening import ACCESS, SECRETS, SOURCES, open_store
from zenctl.jobs.wire import WireError, result_from_json, result_to_json, spec_from_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.runner import calling, code
from zenctl.runner.checkpointing import keeper
from zenctl.runner.contained import attend
from zenctl.runner.environment import everything, recorded
from zenctl.runner.environment_errors import EnvironmentProblem
from zenctl.runner.failures import Place, describe
from zenctl.runner.inputs import check_unchanged, fetch_inputs
from zenctl.runner.lifetime import CANCELED, MACHINE, Guard, Interrupted, die_with
from zenctl.runner.limits import limited
from zenctl.runner.masking import masked
from zenctl.runner.memory import StoreMemory
from zenctl.runner.outputs import make_writers, store_outputs
from zenctl.runner.progress import ProgressFile
from zenctl.runner.secrets import redact, resolve
from zenctl.runner.settling import SETTLED, Settling
from zenctl.runner.warned import Warned
from zenctl.sdk.checkpoints import Checkpoints
from zenctl.sdk.job import listen, progress

if TYPE_CHECKING:
    from zenctl.runner.objects import Fetched

DONE, FAILED, NO_RESULT, NO_SPACE, LEFT = 0, 1, 3, 5, 6
"""Exit codes: the outputs are there; result.json says what went wrong; not even that could be written; it had no space;
its machine goes, so that whoever knows why is to say what became of it.

Where a log lies beside the result it has no space either: the last of them is all that can be told then.
"""

ALIVE = "alive"
"""File in the work folder that a job touches first, so that a process which hangs at its start is known."""


OBJECTS = "objects"
"""Folder in the scratch folder with what was fetched of the source."""

PROGRESS = "progress.jsonl"
"""File in the work folder with the job's progress, where the artifact store is no folder that it could stand in."""


@dataclass(frozen=True)
class Folders:
    """A job's own folders below its work folder. `code` stands for the configuration's folder."""

    work: Path

    @property
    def code(self) -> Path:
        return self.work / "code"

    @property
    def inputs(self) -> Path:
        return self.work / "inputs"

    @property
    def outputs(self) -> Path:
        return self.work / "outputs"

    @property
    def scratch(self) -> Path:
        return self.work / "scratch"

    @property
    def checkpoints(self) -> Path:
        return self.work / "checkpoints"

    def make(self) -> None:
        """Make them anew: an interrupted run may have left something there."""
        for folder in (self.code, self.inputs, self.outputs, self.scratch):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def free(self) -> None:
        """Remove what a failed job no longer needs, which on a full disk makes room for its result."""
        for folder in (self.inputs, self.outputs, self.scratch, self.checkpoints):
            shutil.rmtree(folder, ignore_errors=True)


def main(argv: Optional[List[str]] = None) -> int:
    """Run the job that the arguments name and return the exit code."""
    parser = argparse.ArgumentParser(prog="runner.pyz", description=__doc__)
    parser.add_argument("store", help="the artifact store: a folder, or a file://, gs:// or s3:// URI")
    parser.add_argument("job_id", help="the job, whose order is jobs/JOB_ID/job.json in the store")
    parser.add_argument("--work", help="folder for the job's files, best on the store's file system")
    parser.add_argument("--parent", type=int, help="process id of the starter, with which the job is to end")
    parser.add_argument("--root", type=Path, default=Path(), help="folder at which relative paths of secrets start")
    parser.add_argument("--environments", type=Path, help="folder in which virtual environments of steps are kept")
    parser.add_argument("--memory", type=int, default=0, help="most bytes of memory that a process of the job may take")
    parser.add_argument(SETTLED, action="store_true", help="this is the interpreter of the job's environment")
    parser.add_argument("--contained", metavar="IMAGE", default="", help="this is a container's first process")
    arguments = parser.parse_args(argv)
    if arguments.contained:
        attend(Path(arguments.work) if arguments.work else None)
    if arguments.parent:
        die_with(arguments.parent)
    _open_log()
    words = tuple(sys.argv[1:] if argv is None else argv)
    variables = {name: os.environ[name] for name in (ACCESS, MACHINE) if name in os.environ}
    access = _access()
    try:
        storage = open_store(arguments.store, access)
    except StorageError as error:
        _say(f"zenctl: {error}")
        return NO_RESULT
    settling = Settling(arguments.environments or default_cache(), words, variables)
    more: Dict[str, Any] = {"settling": settling, "memory": arguments.memory, "sources": access.get(SOURCES, {})}
    more["keepers"] = access.get(SECRETS, {})
    more["image"] = arguments.contained
    more["machine"] = bool(os.environ.pop(MACHINE, ""))
    if arguments.work:
        return run(storage, arguments.job_id, Path(arguments.work), arguments.root, **more)
    with tempfile.TemporaryDirectory(prefix="zenctl-job-") as work:
        return run(storage, arguments.job_id, Path(work), arguments.root, **more)


def _access() -> Mapping[str, Any]:
    """What the job was told of its store. It leaves the environment, so that the step's code does not come by it."""
    return json.loads(os.environ.pop(ACCESS, "{}"))  # type: ignore[no-any-return]


def run(
    storage: Storage,
    job_id: str,
    work: Path,
    root: Path = Path(),
    sources: Optional[Mapping[str, Mapping[str, Any]]] = None,
    settling: Optional[Settling] = None,
    memory: int = 0,
    keepers: Optional[Mapping[str, Mapping[str, Any]]] = None,
    image: str = "",
    machine: bool = False,
) -> int:
    """Run one job in the folder `work`. A job that has a result already is not run again.

    Relative paths of its secrets start at `root`. `sources` says how to reach the buckets of its source, by URI;
    `keepers` what keeps its secrets, by scheme. `memory` limits the step's code, in bytes. `image` is the one that
    this is a container of. `machine` says that it ends with its machine, unless it is canceled. A job with a virtual
    environment of its own goes on in that, in the same process: then this does not return.
    """
    started = time.time()
    before = _earlier(storage, job_id)
    if before is not None:
        return DONE if before.ok else FAILED
    work.mkdir(parents=True, exist_ok=True)
    folders = Folders(Path(os.path.realpath(work)))
    (folders.work / ALIVE).touch()
    try:
        with storage.open(job_path(job_id)) as stream:
            spec = spec_from_json(stream.read())
        # What its backend runs jobs in that name none is recorded as well.
        spec = replace(spec, image=image or spec.image)
    except (StorageError, WireError) as error:
        _say(f"zenctl: {error}")
        result = JobResult(job_id, error=JobError("internal", str(error)), started=started, ended=time.time())
        return _write(storage, result)
    try:
        if settling is not None:
            settling.settle(spec, storage, folders.work, _say)
    except EnvironmentProblem as problem:
        _say(f"zenctl: {problem.message}\n{problem.hint}".rstrip())
        failure = JobError("storage" if problem.full else "environment", problem.message, hint=problem.hint)
        return _write(storage, JobResult(job_id, error=failure, started=started, ended=time.time()))
    except StorageError as problem:
        _say(f"zenctl: {problem}\n{problem.hint}".rstrip())
        failure = JobError("storage", f"its environment cannot be made: {problem}", hint=problem.hint)
        return _write(storage, JobResult(job_id, error=failure, started=started, ended=time.time()))
    if machine and not image:
        # A container has its limit around it.
        memory = memory or spec.resources.memory
    result = _Run(storage, spec, folders, started, root, sources or {}, memory, keepers or {}).result()
    ended_early = result.error is not None and result.error.kind == "canceled"
    if machine and ended_early and not (folders.work / CANCELED).exists():
        return LEFT
    return _write(storage, result)


class _Run:
    """One run of one order."""

    def __init__(
        self,
        storage: Storage,
        spec: JobSpec,
        folders: Folders,
        started: float,
        root: Path,
        sources: Mapping[str, Mapping[str, Any]],
        memory: int,
        keepers: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._storage = storage
        self._spec = spec
        self._folders = folders
        self._started = started
        self._root = root
        self._sources = sources
        self._keepers = keepers
        self._fetched: Optional[Fetched] = None
        self._secrets: Mapping[str, str] = {}
        self._warned = Warned()
        self._place = Place(str(folders.code), builtin=spec.entry.arguments == "job", memory=memory)
        self._guard = Guard(spec.timeout, self._expire)
        self._keeper = keeper(storage, spec, folders.checkpoints, _say)
        self._checkpoints: Optional[Checkpoints] = None

    def result(self) -> JobResult:
        """Run it; whatever happens is in the result."""
        try:
            with self._guard:
                try:
                    outputs = self._perform()
                finally:
                    self._guard.disarm()
            return self._result(outputs=outputs)
        except BaseException as error:  # noqa: BLE001 - whatever ends the user's code is told as its result
            described = describe(error, self._place)
        failure = JobError(**{**vars(described), **self._redacted(described)})
        _say(failure.traceback or f"{failure.message}\n{failure.hint}".rstrip())
        os.chdir(self._folders.work)
        self._folders.free()
        return self._result(error=failure)

    def _perform(self) -> Dict[str, OutputResult]:
        spec, folders = self._spec, self._folders
        folders.make()
        self._secrets = resolve(spec.secrets, self._root, self._keepers)
        self._warned = Warned(self._secrets.values())
        if spec.code:
            code.fetch_code(self._storage, spec.code, folders.code)
        inputs = fetch_inputs(self._storage, spec.inputs, folders.inputs)
        writers = make_writers(spec.outputs, folders.outputs)
        os.environ.update(spec.environment)
        os.environ.update(self._secrets)
        os.environ["ZENCTL_JOB_ID"] = spec.job_id
        if spec.virtual_environment is not None:
            # Programs that come with its packages are found as in an environment that a shell has activated.
            os.environ["VIRTUAL_ENV"] = sys.prefix
            os.environ["PATH"] = os.pathsep.join([os.path.join(sys.prefix, "bin"), os.environ.get("PATH", os.defpath)])
        os.chdir(folders.code)
        progress = self._progress()
        try:
            if spec.checkpoints is not None:
                self._checkpoints = self._keeper.checkpoints()
            with self._keeper, masked(self._secrets.values()), limited(self._place.memory):
                self._call(inputs, writers, progress)
        finally:
            listen(None)
            if progress is not None:
                progress.close()
        self._guard.check()
        check_unchanged(self._storage, inputs)
        outputs = store_outputs(self._storage, writers, spec.entry)
        self._guard.check()
        return outputs

    def _call(self, inputs: Mapping[str, Any], writers: Mapping[str, Any], progress: Optional[ProgressFile]) -> None:
        spec = self._spec
        listen(progress, self._warned)
        if spec.entry.command:
            code.set_path(self._folders.code)
            calling.run_command(spec, inputs, writers, self._folders.scratch, self._checkpoints)
            return
        sys.argv = [spec.entry.file or spec.entry.module]
        try:
            function = code.load(spec.entry, self._folders.code)
            if spec.entry.arguments == "job":
                spec = self._with_files(spec)
                memory = StoreMemory(self._storage, spec.notes)
                job = calling.make_job(spec, inputs, writers, self._folders.scratch, memory)
                calling.call_job(function, spec, job, writers)
            else:
                calling.call_keywords(function, spec, inputs, writers, self._checkpoints)
        except SystemExit as error:
            # sys.exit() at the end of a step means what it says: done. What it left unwritten is seen afterwards.
            if error.code not in (None, 0):
                raise

    def _with_files(self, spec: JobSpec) -> JobSpec:
        """The order with what lies in buckets fetched: of the versions that plan saw, which is then all to expect."""
        if not buckets(spec.locations):
            return spec
        from zenctl.runner.objects import fetch_objects

        folder = self._folders.scratch / OBJECTS
        self._fetched = fetch_objects(
            spec.locations, lambda uri: open_store(uri, self._sources.get(uri)), folder, progress
        )
        return replace(spec, locations=self._fetched.locations, expect={})

    def _progress(self) -> Optional[ProgressFile]:
        storage = self._storage
        if isinstance(storage, FolderStorage):
            return ProgressFile(storage.local_path(progress_path(self._spec.job_id)))
        return ProgressFile(self._folders.work / PROGRESS)

    def _result(
        self, outputs: Optional[Mapping[str, OutputResult]] = None, error: Optional[JobError] = None
    ) -> JobResult:
        own = self._spec.virtual_environment
        environment = everything() if own is not None and own.is_own else recorded(self._spec.imports)
        if self._spec.image:
            environment["image"] = self._spec.image
        job_id, warnings = self._spec.job_id, self._warned.all()
        restored = self._keeper.restored
        resumed = restored.job_id if restored is not None else ""
        return JobResult(job_id, outputs or {}, error, environment, self._started, time.time(), warnings, resumed)

    def _redacted(self, error: JobError) -> Dict[str, str]:
        values = list(self._secrets.values())
        texts = {name: redact(getattr(error, name), values) for name in ("message", "traceback", "hint")}
        if self._fetched is None:
            return texts
        return {name: self._fetched.told(text) for name, text in {**texts, "file": error.file}.items()}

    def _expire(self, interrupted: Interrupted) -> None:
        """Called from a thread when the code does not heed its time limit."""
        _say(f"zenctl: {interrupted.message}, nor after it was asked to")
        leave(_write(self._storage, self._result(error=describe(interrupted, self._place))))


def leave(exit_code: int) -> None:
    """End the process now: threads that the code left behind must not keep it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(exit_code)


def _earlier(storage: Storage, job_id: str) -> Optional[JobResult]:
    """The result that an earlier start of the same job has written."""
    try:
        with storage.open(result_path(job_id)) as stream:
            return result_from_json(stream.read())
    except (StorageError, WireError):
        return None


def _write(storage: Storage, result: JobResult) -> int:
    try:
        storage.put(result_path(result.job_id), result_to_json(result))
    except StorageError as error:
        _say(f"zenctl: the result cannot be written: {error}")
        return NO_SPACE if error.kind == "NO_SPACE" else NO_RESULT
    return DONE if result.ok else FAILED


def _open_log() -> None:
    """Make what the code prints appear at once and as UTF-8; a crash in C leaves a traceback too."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    try:
        faulthandler.enable()
    except (AttributeError, OSError, ValueError):
        # Standard error is no real file, as under a test runner.
        return


def _say(text: str) -> None:
    """Write a line to the job's log. That nobody reads it any more is no reason to fail."""
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the job's log
    except (OSError, ValueError):
        return


code.BASE.update(name.split(".")[0] for name in sys.modules)
