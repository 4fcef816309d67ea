"""Makes what was made elsewhere the recorded result of a step or datasource, as an apply of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from zenctl.addrs import Address, AddressError, BackendAddr, DatasourceAddr, EndpointAddr, parse
from zenctl.diagnostics import DiagnosticError, error, raise_errors
from zenctl.engine.applying import Applied
from zenctl.engine.asserting import postconditions
from zenctl.engine.caching import runs_always
from zenctl.engine.clean_code import uncommitted
from zenctl.engine.components import with_archive
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.engine.drafting import draft
from zenctl.engine.events import Listener
from zenctl.engine.execution import store_hint
from zenctl.engine.imported_outputs import is_there, pair_outputs, store_imported
from zenctl.engine.importing_endpoints import import_endpoint
from zenctl.engine.job_records import output_records
from zenctl.engine.jobs import execution_type
from zenctl.engine.known import produced_refs, recorded_results
from zenctl.engine.pinning import pinned_version
from zenctl.engine.refreshing import damage
from zenctl.engine.requests import Imported, ImportRequest, PlanOptions
from zenctl.engine.session import root_outputs
from zenctl.engine.single_apply import single_apply
from zenctl.engine.unconfigured import check_configured
from zenctl.engine.world import World
from zenctl.fingerprint.git import code_version
from zenctl.jobs.artifacts import code_path, tree_path
from zenctl.jobs.result import JobResult, OutputResult
from zenctl.jobs.spec import OutputSpec
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.state import RecordedArtifact, read_state
from zenctl.plans.actions import Action, ReasonCode
from zenctl.plans.plan import Change, Plan


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
    if isinstance(addr, EndpointAddr):
        return import_endpoint(world, addr, request, listener)
    target = _target(world, addr, listener)
    paths = _paths(world.inputs.root, request, target)
    work_dir = world.inputs.data_dir.absolute() / "work"
    results = store_imported(world.storage, target.outputs, paths, work_dir)
    if isinstance(addr, DatasourceAddr):
        _check_rows(target, results["data"])
    places = {name: _shown(path, world.inputs.root) for name, path in paths.items()}
    return _recorded(world, target, results, places, paths, listener, request.lock_timeout)


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
    raise_errors([d for d in plan.diagnostics if d.is_error])
    if world.opened.configuration.settings.require_clean_code:
        raise_errors(uncommitted(world.inputs.root, plan, world.opened.folders))
    change = next((change for change in plan.changes if change.addr == addr), None)
    known = recorded_results(read_state(world.store, plan.project, plan.workspace))
    desired, found = world.opened.evaluator.node(addr, known)
    raise_errors([d for d in found if d.is_error])
    if change is None or desired is None:
        detail = "It is switched off with `enabled`, or its block has no such instance."
        raise DiagnosticError(error("not_importable", f"{addr} is not part of the configuration now", detail))
    if not isinstance(desired, (DesiredStep, DesiredDatasource)):
        raise AssertionError(f"{addr} has no outputs")
    returned = desired.returned if isinstance(desired, DesiredStep) else ""
    outputs = {name: OutputSpec(d.type, returned=name == returned) for name, d in desired.outputs.items()}
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
    if isinstance(desired, DesiredStep) and desired.params.get("gates"):
        refuse(f"{addr} has gates", "Only running it judges a model: an import would let through what none has met.")
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
        summary = f"The {problem.summary}"
        raise DiagnosticError(error("artifact_store", summary, store_hint(problem))) from problem


def _recorded(
    world: World,
    target: _Target,
    results: Mapping[str, OutputResult],
    places: Mapping[str, str],
    paths: Mapping[str, Path],
    listener: Listener,
    lock_timeout: float,
) -> Imported:
    """Record it under the lock, if the address is still what it was before the lock was taken."""
    addr = target.change.addr
    with single_apply(world, (addr,), listener, lock_timeout) as made:
        if {str(a): r.execution_id for a, r in made.state.results.items()} != dict(target.plan.heads):
            # Another apply came first: what the result belongs to may have changed.
            target = _target(world, addr, listener)
        if any(damage(world.storage, output.digest) is not None for output in results.values()):
            # Garbage was collected since, and nothing named these files then. Under the lock it is not.
            results = store_imported(world.storage, target.outputs, paths, world.inputs.data_dir.absolute() / "work")
        _store_code(world, target)
        refs = produced_refs(addr, results)
        raise_errors(postconditions(world.opened.evaluator, addr, {**recorded_results(made.state), addr: refs}))
        records = _put(world, made.recorder, target, results, places)
        # What waits for steps that have never run keeps its former value, or none.
        after = Applied(known={addr: refs}, skipped=["what waits"])
        made.outputs, _ = root_outputs(world.opened, target.plan, after, made.state)
    return Imported(str(addr), made.recorder.serial, records, places)


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
    refs = desired.inputs if isinstance(desired, DesiredStep) else {}
    inputs = {
        name: RecordedArtifact(0, refs[name].type, tree_path(digest), digest, address=refs[name].address)
        for name, digest in components.inputs.items()
    }
    records = output_records(JobResult("", results))
    version = code_version(world.inputs.root)
    recorder.imported(
        change.addr, execution_type(desired), components, change.fingerprint, inputs, records, places, version
    )
    return records
