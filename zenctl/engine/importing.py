"""Makes what was made elsewhere the recorded result of a step or datasource, as an apply of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zenctl.addrs import Address, AddressError, BackendAddr, DatasourceAddr, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, error, raise_errors
from zenctl.engine.applying import Applied, execution_type
from zenctl.engine.asserting import postconditions
from zenctl.engine.caching import runs_always
from zenctl.engine.components import with_archive
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.engine.drafting import draft
from zenctl.engine.events import Listener
from zenctl.engine.execution import output_records, store_hint
from zenctl.engine.imported_outputs import is_there, pair_outputs, store_imported
from zenctl.engine.known import produced_refs, recorded_results
from zenctl.engine.pinning import pinned_version
from zenctl.engine.requests import PlanOptions
from zenctl.engine.session import locked, root_outputs
from zenctl.engine.settling import settle
from zenctl.engine.unconfigured import check_configured
from zenctl.engine.world import World
from zenctl.fingerprint.git import code_version
from zenctl.jobs.artifacts import code_path, tree_path
from zenctl.jobs.result import JobResult, OutputResult
from zenctl.jobs.spec import OutputSpec
from zenctl.jobs.storage import StorageError
from zenctl.metadata.lock import LockLost
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.state import RecordedArtifact, read_state
from zenctl.metadata.store import StoreError
from zenctl.plans.actions import Action, ReasonCode
from zenctl.plans.plan import Change, Plan


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """`zenctl import ADDRESS ID...`. `ids` are as typed; paths among them are seen from the configuration's folder.

    `lock_timeout` is in seconds.
    """

    address: str
    ids: tuple[str, ...]
    lock_timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Imported:
    """What was recorded: outputs by name, or an endpoint's attributes, and where each output came from."""

    address: str
    serial: int
    outputs: Mapping[str, OutputRecord] = field(default_factory=dict, hash=False)
    imported_from: Mapping[str, str] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What was imported, or only diagnostics."""

    imported: Imported | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class _Target:
    """What the import is the result of, as a plan sees it now."""

    plan: Plan
    change: Change
    desired: DesiredStep | DesiredDatasource
    outputs: Mapping[str, OutputSpec]


def run_import(world: World, request: ImportRequest, listener: Listener) -> Imported:
    """Check, store and record. Raises DiagnosticError; nothing is recorded then."""
    addr = import_address(request.address)
    check_configured(world.opened, addr)
    target = _target(world, addr, listener)
    paths = _paths(world.inputs.root, request, target)
    work_dir = world.inputs.data_dir.absolute() / "work"
    results = store_imported(world.storage, target.outputs, paths, work_dir)
    if isinstance(addr, DatasourceAddr):
        _check_rows(target, results["data"])
    _store_code(world, target)
    places = {name: _shown(path, world.inputs.root) for name, path in paths.items()}
    recorder = locked(world, target.plan, listener, request.lock_timeout, renew=True)
    return _recorded(world, recorder, target, results, places, listener)


def import_address(text: str) -> Address:
    """The address of something that can be imported; raises DiagnosticError."""
    try:
        addr = parse(text)
    except AddressError as problem:
        detail = "An address reads step.TYPE.NAME, datasource.TYPE.NAME or endpoint.TYPE.NAME."
        raise DiagnosticError(error("bad_address", str(problem), detail)) from problem
    if isinstance(addr, BackendAddr):
        detail = "It is declared and has no record: steps, datasources and endpoints have."
        raise DiagnosticError(error("not_importable", f"{addr} cannot be imported", detail))
    return addr


def _target(world: World, addr: Address, listener: Listener) -> _Target:
    """What a plan made now says of the address; raises DiagnosticError where no result could stand for it."""
    plan = draft(world, PlanOptions(targets=(str(addr),)), listener)
    raise_errors(plan.diagnostics if any(d.is_error for d in plan.diagnostics) else [])
    change = next((change for change in plan.changes if change.addr == addr), None)
    known = recorded_results(read_state(world.store, plan.project, plan.workspace))
    desired, found = world.opened.evaluator.node(addr, known)
    raise_errors([d for d in found if d.is_error])
    if change is None or desired is None:
        detail = "It is switched off with `enabled`, or its block has no such instance."
        raise DiagnosticError(error("not_importable", f"{addr} is not part of the configuration now", detail))
    if not isinstance(desired, (DesiredStep, DesiredDatasource)):
        raise AssertionError(f"{addr} has no outputs")
    if isinstance(desired, DesiredStep):
        outputs = {name: OutputSpec(d.type, returned=name == desired.returned) for name, d in desired.outputs.items()}
    else:
        outputs = {"data": OutputSpec("Dataset")}
    _check_wanted(change, desired)
    return _Target(plan, change, desired, outputs)


def _check_wanted(change: Change, desired: DesiredStep | DesiredDatasource) -> None:
    """Refuse where the next plan would not take what is imported, or needs nothing."""
    place, addr = desired.config.range, str(change.addr)

    def refuse(summary: str, detail: str) -> None:
        raise DiagnosticError(error("not_importable", summary, detail, range=place, address=addr))

    if change.action is Action.NO_OP:
        refuse(f"{addr} has a result already", "It is recorded and up to date: there is nothing to import.")
    if not change.fingerprint:
        waits = [r.data.get("addresses", ()) for r in change.reasons if r.code is ReasonCode.UPSTREAM_PENDING]
        names = [str(name) for several in waits for name in several] or list(change.depends_on)
        first = " ".join(f"-target={name}" for name in dict.fromkeys(names))
        detail = f"A result belongs to its inputs, and these have none that is up to date. First: zenctl apply {first}"
        refuse(f"What {addr} is made from is not known yet", detail)
    if runs_always(desired):
        refuse(f"{addr} runs at every apply", "No result stands for it (cache): what is imported would be replaced.")
    if isinstance(desired, DesiredStep) and desired.reproducible:
        refuse(f"{addr} is declared reproducible", "Its result counts once two runs agree, and no run made an import.")
    if isinstance(desired, DesiredDatasource) and pinned_version(desired):
        refuse(f"{addr} stays with a pinned snapshot", "Remove its `version` to import another one.")


def _paths(root: Path, request: ImportRequest, target: _Target) -> dict[str, Path]:
    """What each output is imported from; raises DiagnosticError with all that is missing."""
    if not request.ids:
        names = " ".join(f"{name}=PATH" for name in target.outputs)
        detail = f"Say which file or folder each output is: zenctl import {target.change.addr} {names}"
        raise DiagnosticError(error("bad_argument", "The paths are missing", detail))
    given = pair_outputs(request.ids, target.outputs, str(target.change.addr))
    paths = {name: root / text for name, text in given.items()}
    problems = [
        error("import_missing", f'There is no {given[name]}, given as output "{name}"', f"Seen from {_here(root)}.")
        for name, path in paths.items()
        if not is_there(path)
    ]
    raise_errors(problems)
    return {name: paths[name] for name in target.outputs}


def _here(root: Path) -> str:
    return f"the configuration's folder, {root.absolute().name}"


def _shown(path: Path, root: Path) -> str:
    """A path as it is recorded: below the configuration's folder, else its name alone; no other place of a machine."""
    relative = os.path.relpath(path, root)
    return path.name if relative.startswith(os.pardir) or os.path.isabs(relative) else Path(relative).as_posix()


def _check_rows(target: _Target, result: OutputResult) -> None:
    """Refuse a snapshot that cannot be of the source as it is now."""
    source = target.change.components.source if target.change.components is not None else {}
    rows, there = result.properties.get("rows"), source.get("rows")
    if there is not None and rows != there:
        summary = f"The snapshot is not of the data of {target.change.addr}: it has {rows:,} rows, the source {there:,}"
        detail = "What is recorded must be a snapshot of the source as it is now. `zenctl apply` takes one."
        raise DiagnosticError(error("bad_import", summary, detail, range=target.desired.config.range))


def _store_code(world: World, target: _Target) -> None:
    """Keep the code that the result belongs to, so that a later plan can show what has changed in it."""
    archive = target.plan.code.get(str(target.change.addr))
    if archive is None:
        return
    try:
        world.storage.put(code_path(archive.digest), archive.data)
    except StorageError as problem:
        summary = f"The artifact store refused: {problem}"
        raise DiagnosticError(error("artifact_store", summary, store_hint(problem))) from problem


def _recorded(
    world: World,
    recorder: Recorder,
    target: _Target,
    results: Mapping[str, OutputResult],
    places: Mapping[str, str],
    listener: Listener,
) -> Imported:
    """Record it under the lock, if the address is still what it was before the lock was taken."""
    addr, outcome, outputs = target.change.addr, "failed", None
    try:
        state = read_state(world.store, target.plan.project, target.plan.workspace)
        left = [other for other in state.attempts if other != addr]
        settle(state, recorder, world.providers, world.storage, listener, left)
        state = read_state(world.store, target.plan.project, target.plan.workspace)
        if {str(a): r.execution_id for a, r in state.results.items()} != dict(target.plan.heads):
            # Another apply came first: what the result belongs to may have changed.
            target = _target(world, addr, listener)
        refs = produced_refs(addr, results)
        known = {**recorded_results(state), addr: refs}
        raise_errors(postconditions(world.opened.evaluator, addr, known))
        records = _put(world, recorder, target, results, places)
        outputs, _ = root_outputs(world.opened, target.plan, Applied(known={addr: refs}, skipped=["the rest"]), state)
        outcome = "complete"
    except LockLost as problem:
        raise DiagnosticError(error("lock_lost", str(problem), problem.hint)) from problem
    except BaseException:
        # What went wrong first is what the user is to be told. A lock that is not given back is taken over later.
        with suppress(StoreError):
            recorder.finish(outcome)
        raise
    recorder.finish(outcome, outputs)
    return Imported(str(addr), recorder.serial, records, places)


def _put(
    world: World,
    recorder: Recorder,
    target: _Target,
    results: Mapping[str, OutputResult],
    places: Mapping[str, str],
) -> dict[str, OutputRecord]:
    change, desired = target.change, target.desired
    if change.components is None:
        raise AssertionError(f"the plan has no components for {change.addr}")
    archive = target.plan.code.get(change.address)
    components = with_archive(change.components, archive.digest if archive is not None else "")
    inputs = {}
    for name, digest in components.inputs.items() if isinstance(desired, DesiredStep) else ():
        ref = desired.inputs[name]
        inputs[name] = RecordedArtifact(0, ref.type, ref.uri or tree_path(digest), digest, address=ref.address)
    records = output_records(JobResult("", results))
    version = code_version(world.inputs.root)
    recorder.imported(
        change.addr, execution_type(desired), components, change.fingerprint, inputs, records, places, version
    )
    return records
