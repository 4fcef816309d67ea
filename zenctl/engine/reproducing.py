"""Runs a recorded job once more, from its recorded order, code, inputs and environment, and compares what it writes.

Nothing of it is recorded: the job has a store of its own in a temporary folder, which holds what it reads and writes.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from zenctl.addrs import EndpointAddr
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.comparing import FileDifference, OutputComparison, differing_files, side_by_side
from zenctl.engine.environments import FoundEnvironment, find_environment
from zenctl.engine.events import Listener, Notice
from zenctl.engine.execution import Order, Services, execute
from zenctl.engine.jobs import from_the_beginning
from zenctl.engine.naming import find_recorded
from zenctl.engine.requests import Stop
from zenctl.engine.world import World
from zenctl.fingerprint.environment import compare
from zenctl.jobs.artifacts import CorruptArtifact, archive_path, blob_path, code_path, read_tree, tree_path
from zenctl.jobs.environments import ENVIRONMENT
from zenctl.jobs.result import JobError, JobResult
from zenctl.jobs.spec import JobSpec, job_path
from zenctl.jobs.storage import FolderStorage, Storage, StorageError
from zenctl.jobs.wire import WireError, spec_from_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded
from zenctl.provider import Compute, ProviderContext, ProviderError
from zenctl.provider.registry import Registry
from zenctl.runner.zipapp import build_runner

RUNS_ON = "local"
"""The backend type that jobs are reproduced on."""


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What came of it. `recorded` is the execution that really ran, where a reuse stands for it.

    `code` is the digest of its code archive, empty for built-in steps.
    """

    recorded: Recorded
    outputs: tuple[OutputComparison, ...]
    environment: FoundEnvironment
    code: str = ""
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        return all(output.equal for output in self.outputs)


@dataclass(frozen=True, slots=True)
class ReproduceOutcome:
    """A comparison, or only diagnostics."""

    reproduced: Reproduced | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def reproduce(world: World, text: str, listener: Listener, *, build: bool) -> Reproduced:
    """Run it again and compare. Raises DiagnosticError where it cannot be run, or fails."""
    recorded = _recorded(world, text)
    if recorded.imported_from:
        detail = f"No run is recorded that could be made again; -replace={recorded.addr} records one."
        summary = f"{recorded.addr} was imported in apply {recorded.serial}"
        raise DiagnosticError(error("not_reproducible", summary, detail))
    ran = recorded
    if recorded.source:
        [found] = world.store.executions_by_id([recorded.source])
        ran = replace(recorded, job_id=found.name)
    spec = _order(world.storage, ran)
    if spec.virtual_environment is not None and not spec.virtual_environment.is_own:
        # What a machine was brought that had nothing is no part of the order: it has just what was recorded.
        spec = replace(spec, virtual_environment=None)
    environment = _environment(world, recorded, spec, listener, build=build)
    if environment.problem:
        listener(Notice(f"the recorded environment cannot be had ({environment.problem}); running with this one"))
    with closing(environment), _scratch(world.inputs.data_dir) as folder:
        store = FolderStorage(folder / "artifacts")
        _bring(world.storage, store, spec, recorded)
        result = _run(world, spec, store, environment, folder, listener)
        if result.error is not None:
            raise DiagnosticError(_failed(recorded, result.error, environment))
        outputs = tuple(_compare(world.storage, store, recorded, result))
    ran_with = tuple(compare(recorded.environment, result.environment))
    environment = replace(environment, differences=ran_with, lock=None)
    return Reproduced(recorded, outputs, environment, spec.code, result.ended - result.started)


def _environment(
    world: World, recorded: Recorded, spec: JobSpec, listener: Listener, *, build: bool
) -> FoundEnvironment:
    """Where to run it. An image and a virtual environment are the job's own: its backend brings them."""
    if spec.image:
        return FoundEnvironment(origin="image")
    if spec.virtual_environment is not None:
        return FoundEnvironment(origin="requirements")
    ran_with, cache = _ran_with(recorded), world.inputs.data_dir / "cache"
    return find_environment(ran_with, cache, build=build, say=lambda line: listener(Notice(line)))


def _ran_with(recorded: Recorded) -> dict[str, Any]:
    """The environment of the run: what the job reported, and what its packages need, as the plan saw it."""
    planned = recorded.components.get("environment", {}).get("distributions", {})
    reported = recorded.environment
    return {**reported, "distributions": {**planned, **reported.get("distributions", {})}}


def _recorded(world: World, text: str) -> Recorded:
    """The result that the words name."""
    project = world.opened.configuration.settings.project
    found = find_recorded(world.store, project, world.inputs.workspace, text, results_only=True)
    if isinstance(found.addr, EndpointAddr):
        detail = "An endpoint is no result. Reproduce the step that made its model."
        raise DiagnosticError(error("not_reproducible", f"{found.addr} cannot be reproduced", detail))
    return found


def _order(storage: Storage, ran: Recorded) -> JobSpec:
    """The job as it was ordered."""
    path = job_path(ran.job_id)
    try:
        with storage.open(path) as stream:
            return spec_from_json(stream.read())
    except (StorageError, WireError) as problem:
        detail = f"{problem}. Without it nobody knows what was run; apply with -replace={ran.addr} records a new run."
        summary = f"The order of {ran.addr} in apply {ran.serial} cannot be read"
        raise DiagnosticError(error("not_reproducible", summary, detail)) from problem


@contextmanager
def _scratch(data_dir: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, near the artifacts, so that files can be linked instead of copied."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reproduce-", dir=data_dir, ignore_cleanup_errors=True) as folder:
        yield Path(folder).absolute()


def _bring(storage: Storage, scratch: FolderStorage, spec: JobSpec, recorded: Recorded) -> None:
    """Take the recorded code and inputs into the job's own store; raises DiagnosticError where one is gone."""
    freed = [f"{name} ({a.type} {a.digest[:12]})" for name, a in recorded.inputs.items() if a.deleted]
    if freed:
        detail = "What a result was made from must be there to make it again."
        summary = f"{spec.address} cannot be reproduced: `zenctl state gc` has freed its input {', '.join(freed)}"
        raise DiagnosticError(error("not_reproducible", summary, detail))
    try:
        paths = [code_path(spec.code)] if spec.code else []
        for given in spec.inputs.values():
            paths += [blob_path(file.sha256) for file in read_tree(storage, given.digest).files]
            paths.append(tree_path(given.digest))
        if spec.virtual_environment is not None and ENVIRONMENT not in spec.locations:
            paths += [archive_path(digest) for digest in spec.virtual_environment.files.values()]
        for path in dict.fromkeys(paths):
            _take(storage, scratch, path)
    except (CorruptArtifact, StorageError) as problem:
        detail = f"{problem}. What a result was made from must be there to make it again."
        raise DiagnosticError(error("not_reproducible", f"{spec.address} cannot be reproduced", detail)) from problem


def _take(storage: Storage, scratch: FolderStorage, path: str) -> None:
    place = scratch.local_path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(storage, FolderStorage):
        try:
            os.link(storage.local_path(path), place)
            return
        except FileExistsError:
            return
        except OSError:
            # Another file system, or too many links: it is copied, or found to be gone.
            pass
    with storage.open(path) as stream, tempfile.NamedTemporaryFile(dir=place.parent) as copy:
        while chunk := stream.read(1 << 20):
            copy.write(chunk)
        copy.flush()
        scratch.put(path, Path(copy.name))


def _run(
    world: World,
    spec: JobSpec,
    store: FolderStorage,
    environment: FoundEnvironment,
    folder: Path,
    listener: Listener,
) -> JobResult:
    registry = world.opened.registry
    provider, _ = registry.backend_type(RUNS_ON)
    job_id = f"{spec.job_id}-again-{secrets.token_hex(4)}"
    again = replace(from_the_beginning(spec), job_id=job_id, processing={})
    services = Services(
        storage=store,
        providers=world.providers,
        runner=build_runner(world.inputs.data_dir / "cache"),
        listener=listener,
        stop=Stop(),
    )
    with _local(registry, provider, world, folder, environment.python) as compute:
        return execute(Order(again, compute, None), services)


@contextmanager
def _local(registry: Registry, name: str, world: World, folder: Path, python: str) -> Iterator[Compute]:
    """A backend of this machine that keeps what it needs in the temporary folder."""
    project = world.opened.configuration.settings.project
    provider = registry.instance(name)
    # An environment of its own must not find this one's packages first.
    own = os.environ.pop("PYTHONPATH", None) if python else None
    try:
        provider.configure({}, ProviderContext(project, world.inputs.workspace, folder, world.inputs.root.absolute()))
        yield provider.compute(RUNS_ON, {"slots": None, "python": python or None})
    except ProviderError as problem:
        summary = f"It cannot be run here: {problem.message}"
        raise DiagnosticError(error("not_reproducible", summary, problem.hint)) from problem
    finally:
        provider.close()
        if own is not None:
            os.environ["PYTHONPATH"] = own


def _failed(recorded: Recorded, problem: JobError, environment: FoundEnvironment) -> Diagnostic:
    summary = f"{recorded.addr} of apply {recorded.serial} cannot be reproduced: {problem.message}"
    detail = problem.hint
    if problem.kind == "source_changed":
        detail = "Its source does not hold any more what the snapshot was taken from. The snapshot itself is recorded."
    if environment.differences:
        told = ", ".join(str(change) for change in environment.differences)
        detail = f"{detail} It ran in another environment than recorded: {told}.".strip()
    more = f"\n{problem.traceback}" if problem.traceback else ""
    return error("not_reproducible", summary, f"{detail}{more}", address=str(recorded.addr))


def _compare(storage: Storage, store: Storage, recorded: Recorded, result: JobResult) -> Iterator[OutputComparison]:
    for name in sorted(recorded.outputs.keys() | result.outputs.keys()):
        before, after = recorded.outputs.get(name), result.outputs.get(name)
        type_ = before.type if before else after.type if after else ""
        old, new = before.digest if before else "", after.digest if after else ""
        metrics: dict[str, tuple[Any, Any]] = {}
        if before is not None and after is not None and type_ in ("Metrics", "Artifact", "Dataset"):
            metrics = side_by_side(before.properties, after.properties)
        files: tuple[FileDifference, ...] | None = None
        if old == new:
            files = ()
        elif before is not None and after is not None:
            try:
                files = differing_files(read_tree(storage, old), read_tree(store, new))
            except (CorruptArtifact, StorageError):
                # The digests alone say that they differ; where, nobody can tell any more.
                files = None
        yield OutputComparison(name, type_, old, new, files, metrics)
