"""Applies a plan: walks its changes with several workers and records each. Decides only `equal inputs: reuse`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from zenctl.addrs import Address, BackendAddr, EndpointAddr, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, error, raise_errors
from zenctl.engine.asserting import postconditions, validations_around
from zenctl.engine.caching import compare, milliseconds, oldest, runs_always
from zenctl.engine.components import commit_of, plain, source_facts, with_archive, with_ignored
from zenctl.engine.desired import DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.equipping import equip
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.events import ChangeEnded, ChangeFailed, ChangeSkipped, ChangeStarted, Notice
from zenctl.engine.execution import UNSETTLED, Order, Services, attend, execute, note
from zenctl.engine.failures import failure_diagnostic, step_warnings
from zenctl.engine.job_records import discard_checkpoints, record_result
from zenctl.engine.jobs import (
    datasource_job,
    execution_type,
    from_the_beginning,
    input_records,
    new_job_id,
    step_job,
)
from zenctl.engine.known import Known, produced_refs, recorded_refs
from zenctl.engine.providers import provider_diagnostic
from zenctl.engine.publishing import Publisher
from zenctl.engine.reasons import elsewhere
from zenctl.engine.repeating import repeated
from zenctl.engine.results import ResultFinder
from zenctl.engine.settling import backend_of
from zenctl.engine.virtual_environments import ordered_environment
from zenctl.engine.walk import waits, walk
from zenctl.fingerprint.digest import fingerprint, is_unknown
from zenctl.jobs.artifacts import remove_damaged
from zenctl.jobs.checkpoints import checkpoint_key
from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import JobSpec
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import Recorded, RecordedArtifact, WorkspaceState
from zenctl.plans.actions import Action, Components, ReasonCode
from zenctl.plans.plan import CHANGING, Change, Plan
from zenctl.provider import Compute, JobHandle, ProviderError
from zenctl.schema import SourceState


@dataclass(slots=True)
class Applied:
    """What became of each address, in the order it happened. `outcomes` are those of `ChangeEnded`."""

    outcomes: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    known: dict[Address, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What applying needs besides the plan. `root` is the configuration's folder, `cache_dir` holds what can be lost.

    `state` is what is recorded now, under the lock. `running` are jobs of an interrupted apply that may still be going
    on. `sources` are the datasources as they lie on this machine (their digest is the plan's). `code_version` is
    recorded with each execution. `results` finds intact recorded results by fingerprint, and the one a plan pinned.
    `observe` looks at a datasource whose place was not known when the plan was made.
    """

    root: Path
    cache_dir: Path
    plan: Plan
    evaluator: Evaluator
    state: WorkspaceState
    recorder: Recorder
    services: Services
    publisher: Publisher
    results: ResultFinder
    observe: Callable[[DesiredDatasource], SourceState]
    code_version: Mapping[str, Any]
    locations: dict[Address, Mapping[str, str]]
    running: Mapping[Address, Recorded] = field(default_factory=dict)


class _Failure(Exception):
    """A change failed; carries what the user is told."""

    def __init__(self, *diagnostics: Diagnostic, canceled: bool = False) -> None:
        super().__init__()
        self.diagnostics = diagnostics
        self.canceled = canceled


def apply_changes(context: Context, parallelism: int) -> Applied:
    """Walk the plan. Every change is recorded as it happens; failures keep independent branches going."""
    return _Applier(context).run(parallelism)


class _Applier:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.plan = context.plan
        self.listener = context.services.listener
        self.applied = Applied()
        self.lock = threading.Lock()
        self.planned_ms = milliseconds(self.plan.timestamp)
        self.superseded: set[Address] = set()
        self.tried: dict[Address, list[tuple[Compute, JobHandle]]] = {}
        self.warned: dict[Address, tuple[Diagnostic, ...]] = {}
        self.changes = {change.addr: change for change in self.plan.changes}

    def run(self, parallelism: int) -> Applied:
        order = [change.addr for change in self.plan.changes]
        for change in self.plan.changes:
            if change.action is Action.NO_OP:
                self._keep(change)
        pending = [addr for addr in order if self.changes[addr].action in CHANGING]
        walked = walk(
            pending,
            waits(self.plan.changes),
            self._visit,
            parallelism=parallelism,
            drain=self.context.services.stop.drain,
            skip=self._skip,
        )
        self.applied.failed = [str(addr) for addr in walked.failed if str(addr) not in self.applied.canceled]
        self.applied.skipped = [str(addr) for addr in walked.skipped]
        return self.applied

    def _keep(self, change: Change) -> None:
        recorded = self.context.state.results.get(change.addr)
        if recorded is not None and recorded.outputs:
            self.applied.known[change.addr] = recorded_refs(change.addr, recorded, {})

    def _skip(self, addr: Address, because: Address | None) -> None:
        self.listener(ChangeSkipped(str(addr), self.changes[addr].action, str(because) if because else ""))

    def _visit(self, addr: Address) -> bool:
        change = self.changes[addr]
        began = time.monotonic()
        try:
            outcome, note = self._perform(change)
        except (_Failure, DiagnosticError, ProviderError) as failure:
            told = (
                (provider_diagnostic(failure, str(addr)),)
                if isinstance(failure, ProviderError)
                else failure.diagnostics
            )
            diagnostics = (*self.warned.get(addr, ()), *(d.at(None, str(addr)) for d in told))
            canceled = isinstance(failure, _Failure) and failure.canceled
            with self.lock:
                self.applied.diagnostics += diagnostics
                if canceled:
                    self.applied.canceled.append(str(addr))
            seconds = time.monotonic() - began
            self.listener(ChangeFailed(str(addr), change.action, seconds, diagnostics, canceled))
            return False
        warned = self.warned.get(addr, ())
        with self.lock:
            self.applied.outcomes[str(addr)] = outcome
            self.applied.diagnostics += warned
        self.listener(ChangeEnded(str(addr), change.action, outcome, time.monotonic() - began, note, warned))
        return True

    def _perform(self, change: Change) -> tuple[str, str]:
        """Do it; gives the outcome and a few words on it."""
        if change.action is Action.FORGET:
            self.context.recorder.forget(change.addr)
            return "forgotten", ""
        if change.action is Action.READ and isinstance(change.addr, EndpointAddr):
            return self.context.publisher.record(change.addr)
        if change.action is Action.DELETE and isinstance(change.addr, EndpointAddr):
            self.listener(ChangeStarted(change.address, change.action))
            return "deleted", self.context.publisher.delete(change.addr)
        with self.lock:
            desired, found = self.context.evaluator.node(change.addr, self.applied.known)
            wrong = validations_around(self.context.evaluator, change.addr, self.applied.known)
        raise_errors([*found, *wrong])
        if desired is None:
            raise AssertionError(f"{change.addr} is planned but not wanted")
        if isinstance(desired, DesiredEndpoint):
            self.listener(ChangeStarted(change.address, change.action))
            return self.context.publisher.publish(change, desired)
        return self._produce(change, desired)

    def _produce(self, change: Change, desired: DesiredDatasource | DesiredStep) -> tuple[str, str]:
        addr = change.addr
        if change.action is Action.REUSE:
            return self._reuse_pinned(change, desired)
        outputs = desired.outputs
        head = self.context.state.results.get(addr)
        desired = with_ignored(desired, head)
        components = compare(desired, self._components(change, desired), head).components
        digest = fingerprint(components)
        if not digest:
            raise AssertionError(f"{addr} is run before all it needs is known")
        inputs = input_records(desired)
        if not self._must_run(change, desired):
            found = self.context.results(addr, digest, oldest(desired, components, head, self.planned_ms))
            if found is not None and head is not None and found.execution_id == head.execution_id:
                self.warned[addr] = step_warnings(str(addr), desired, head.warnings)
                self._learn(addr, recorded_refs(addr, head, outputs))
                return "cut_off", ""
            if found is not None:
                return self._reuse(desired, found, components, digest)
        archive = self.plan.code.get(str(addr))
        components = with_archive(components, archive.digest if archive is not None else "")
        attempts = desired.retries + 1
        for attempt in range(1, attempts + 1):
            result = self._attempt(change, desired, components, digest, inputs)
            self.warned[addr] = step_warnings(str(addr), desired, result.warnings)
            if result.ok:
                break
            self._failed(change, desired, result, last=attempt == attempts)
        self._learn(addr, produced_refs(addr, result.outputs))
        return "ran", note(result)

    def _reuse_pinned(self, change: Change, desired: DesiredDatasource | DesiredStep) -> tuple[str, str]:
        """Take the very result that the plan names; a plan whose result is gone is refused."""
        found = None
        if change.execution_id is not None:
            found = self.context.results.pinned(change.execution_id, change.fingerprint)
        if found is None or change.components is None:
            summary = f"The plan is stale: the result that {change.address} was to reuse is gone or damaged"
            raise DiagnosticError(error("plan_stale", summary, "Make a new plan and review it."))
        return self._reuse(desired, found, change.components, change.fingerprint)

    def _reuse(
        self, desired: DesiredDatasource | DesiredStep, found: Recorded, components: Components, digest: str
    ) -> tuple[str, str]:
        """Record that a result stands for the address; gives the outcome and where it is from."""
        addr = desired.addr
        outputs = desired.outputs
        self._end_running(addr)
        recorder = self.context.recorder
        inputs = input_records(desired)
        # Its source may be laid out in another way, but it is the code that made the result.
        components = with_archive(components, found.components.get("code", {}).get("archive", ""))
        version = commit_of(components, self.context.code_version)
        recorder.reuse(addr, found, components, digest, inputs, code_version=version)
        self.warned[addr] = step_warnings(str(addr), desired, found.warnings)
        self._learn(addr, recorded_refs(addr, found, outputs))
        return "reused", elsewhere(found, addr, self.context.state).detail.removeprefix("REUSE ")

    def _must_run(self, change: Change, desired: DesiredDatasource | DesiredStep) -> bool:
        """Whether it runs also where a result is there: asked for, or triggered by something that has run."""
        with self.lock:
            ran = any(self.applied.outcomes.get(str(addr)) == "ran" for addr in desired.triggers)
        return ran or runs_always(desired) or any(reason.code is ReasonCode.REQUESTED for reason in change.reasons)

    def _attempt(
        self,
        change: Change,
        desired: DesiredDatasource | DesiredStep,
        components: Components,
        digest: str,
        inputs: Mapping[str, RecordedArtifact],
    ) -> JobResult:
        context = self.context
        addr = change.addr
        saves = isinstance(desired, DesiredStep) and desired.checkpoints
        key = checkpoint_key(self.plan.project, self.plan.workspace, digest) if saves else ""
        old = context.running.get(addr)
        if old is not None and old.fingerprint == digest and addr not in self.superseded:
            self.listener(ChangeStarted(change.address, change.action, old.job_id))
            self.listener(Notice(f"{addr}: still running since apply {old.serial}, waiting for it"))
            begun_on = context.services.providers.compute(backend_of(old))
            result = attend(old.job_id, str(addr), begun_on, old.handle, context.services, desired.timeout, key)
            self.superseded.add(addr)
            record_result(context.recorder, old.execution_id, result)
            discard_checkpoints(context.services.storage, key, result)
            if result.error is None or result.error.kind != "lost":
                return result
            self.listener(Notice(f"{addr}: it was interrupted with apply {old.serial}, so it runs again"))
        self._end_running(addr)
        plan, backend = self.plan, self._backend(desired)
        job_id = new_job_id(plan.project, plan.workspace, context.recorder.serial, addr)
        self.listener(ChangeStarted(change.address, change.action, job_id))
        repeats = isinstance(desired, DesiredStep) and desired.reproducible
        compute = context.services.providers.compute(backend)
        spec = self._spec(desired, job_id, components, key)
        order = equip(Order(spec, compute, plan.code.get(str(addr))), components, context.cache_dir)
        handle = order.handle(context.services)
        self.tried.setdefault(addr, []).append((compute, handle))
        execution_id = context.recorder.start(
            addr,
            job_id,
            execution_type(desired),
            components,
            digest,
            inputs,
            backend=str(backend),
            code_version=commit_of(components, self.context.code_version),
            handle=handle,
            repeated=repeats,
        )
        result = execute(order, context.services)
        if repeats and result.ok:
            result = self._repeat(execution_id, order, result)
        story = context.services.providers.machine_story(self.tried[addr])
        record_result(context.recorder, execution_id, result, story)
        discard_checkpoints(context.services.storage, key, result)
        return result

    def _backend(self, desired: DesiredDatasource | DesiredStep) -> BackendAddr:
        """Where its job runs."""
        return self.context.services.providers.placed_job(desired, self.context.locations.get(desired.addr, {}))

    def _repeat(self, execution_id: int, order: Order, first: JobResult) -> JobResult:
        """Run a job once more, and give its first result only if both wrote the same."""
        plan, spec, services = self.plan, order.spec, self.context.services
        self.listener(Notice(f"{spec.address}: running a second time, to compare"))
        job_id = new_job_id(plan.project, plan.workspace, self.context.recorder.serial, parse(spec.address))
        again = replace(order, spec=replace(from_the_beginning(spec), job_id=job_id), fresh=True)
        self.context.recorder.report(execution_id, "handle", again.handle(services))
        return repeated(services.storage, first, execute(again, services))

    def _end_running(self, addr: Address) -> None:
        """End a job of an interrupted apply that nobody needs any more."""
        old = self.context.running.get(addr)
        if old is None or addr in self.superseded:
            return
        self.superseded.add(addr)
        compute = self.context.services.providers.compute(backend_of(old))
        compute.cancel(old.handle)
        compute.release(old.handle)
        self.context.recorder.fail(old.execution_id, "its inputs have changed since it was begun", canceled=True)

    def _spec(self, desired: DesiredDatasource | DesiredStep, job_id: str, components: Components, key: str) -> JobSpec:
        processing = self.context.services.providers.processing(desired.processing)
        notes = self.context.results.notes(desired.addr) if desired.config.type.implementation else {}
        if isinstance(desired, DesiredDatasource):
            source = SourceState(
                components.source["digest"],
                components.source["bytes"],
                components.source["rows"],
                self.context.locations.get(desired.addr, {}),
            )
            return replace(datasource_job(desired, job_id, source, processing), notes=notes)
        environment, code = components.environment, self.plan.code.get(str(desired.addr))
        direct = environment.get("imports", environment.get("preload", sorted(environment.get("distributions", {}))))
        packages = tuple(direct) if desired.code else ()
        own = ordered_environment(self.context.root, desired, environment)
        return replace(step_job(desired, job_id, code, packages, processing, own, key), notes=notes)

    def _failed(
        self, change: Change, desired: DesiredDatasource | DesiredStep, result: JobResult, *, last: bool
    ) -> None:
        if result.error is None:
            raise AssertionError("only a failed job is reported as failed")
        stop = self.context.services.stop
        if result.error.kind == "canceled" and stop.cancel.is_set():
            # Who cancels knows why it did not end.
            raise _Failure(canceled=True)
        diagnostic = failure_diagnostic(str(change.addr), desired, result.error, self.context.root)
        if result.error.kind == "input_corrupt":
            # What is proved wrong is removed, so that the next plan sees that it has to be made anew.
            for artifact in input_records(desired).values():
                remove_damaged(self.context.services.storage, artifact.digest)
        if last or stop.drain.is_set() or result.error.kind in ("not_reproducible", UNSETTLED):
            raise _Failure(diagnostic)
        self.listener(Notice(f"{change.addr}: {result.error.message}; trying again"))

    def _components(self, change: Change, desired: DesiredDatasource | DesiredStep) -> Components:
        """The plan's components with what has become known: code, source and environment stay pinned."""
        if change.components is None:
            raise AssertionError(f"the plan has no components for {change.addr}")
        if isinstance(desired, DesiredDatasource):
            params = plain(desired.fingerprint_params)
            components = replace(change.components, params=params)
            if not components.source:
                source = self.context.observe(desired)
                components = replace(components, source=source_facts(source))
                self.context.locations[change.addr] = source.locations
        else:
            params = plain(desired.fingerprint_params)
            digests = {name: ref.digest or "" for name, ref in desired.inputs.items()}
            triggers = desired.triggers_replace
            components = replace(change.components, params=params, inputs=digests, triggers_replace=triggers)
        if is_unknown([components.params, components.triggers_replace]):
            raise AssertionError(f"{change.addr} has a parameter that is not known yet")
        return components

    def _learn(self, addr: Address, refs: Known) -> None:
        """Note a result, and check what must be true of it, whether it was made now or before."""
        with self.lock:
            self.applied.known[addr] = refs
            failed = postconditions(self.context.evaluator, addr, self.applied.known)
        raise_errors(failed)
