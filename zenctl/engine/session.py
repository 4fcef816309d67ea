"""One apply from lock to unlock: checks that the plan still holds, settles, walks, and records how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zenctl.addrs import Address, EndpointAddr, parse
from zenctl.config.configuration import EndpointConfig
from zenctl.diagnostics import Diagnostic, DiagnosticError, error, has_errors, raise_errors
from zenctl.engine.applying import Applied, Context, apply_changes
from zenctl.engine.asserting import checks
from zenctl.engine.clean_code import uncommitted
from zenctl.engine.components import concealed, plain
from zenctl.engine.endpoints import TAKING
from zenctl.engine.events import Listener, Notice
from zenctl.engine.execution import Services
from zenctl.engine.holding import check_results, check_state, check_world, observe
from zenctl.engine.jobs import apply_name
from zenctl.engine.known import recorded_results
from zenctl.engine.locking import Claim, LockedApply, locked_apply
from zenctl.engine.opening import Opened
from zenctl.engine.providers import Providers
from zenctl.engine.publishing import Publisher, discard_model
from zenctl.engine.requests import ApplyOutcome, Stop
from zenctl.engine.results import ResultFinder
from zenctl.engine.settling import settle, sweep
from zenctl.engine.world import World
from zenctl.fingerprint.digest import is_unknown
from zenctl.fingerprint.git import code_version
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import WorkspaceState, read_state
from zenctl.plans.actions import Action
from zenctl.plans.plan import Plan
from zenctl.plans.planjson import counted, summary
from zenctl.runner.zipapp import build_runner


def run_apply(
    world: World, plan: Plan, *, listener: Listener, stop: Stop, parallelism: int, lock_timeout: float
) -> ApplyOutcome:
    """Take the lock, apply, release it. Raises DiagnosticError where nothing was begun."""
    if world.opened.configuration.settings.require_clean_code and not plan.destroy:
        raise_errors(uncommitted(world.inputs.root, plan, world.opened.folders))
    renew = not (plan.destroy or plan.refresh_only)
    doing = counted({**summary(plan.changes), "no_op": 0}) or "outputs only"
    claim = Claim(plan.project, f"destroy, {doing}" if plan.destroy else doing, lock_timeout, renew, stop)
    with locked_apply(world.store, world.inputs, listener, claim) as held:
        with _closing(world.providers, held) as left:
            held.outcome = "refused"
            state = read_state(world.store, plan.project, plan.workspace)
            check_state(plan, state)
            check_results(plan, ResultFinder(world.store, world.storage, state, world.opened.trusted))
            locations = check_world(world, plan, state, listener)
            held.outcome = "failed"
            applied, state = _apply(world, plan, state, held.recorder, listener, stop, parallelism, locations)
            held.outputs, problems = root_outputs(world.opened, plan, applied, state)
            applied.diagnostics += problems
            if not (plan.destroy or plan.refresh_only):
                applied.diagnostics += checks(world.opened.evaluator, applied.known)
            interrupted = stop.drain.is_set()
            held.outcome = "interrupted" if interrupted else "failed" if applied.failed else "complete"
        applied.diagnostics += left
        return _outcome(world.opened, held.recorder.serial, plan, applied, held.outputs, interrupted=interrupted)


@contextmanager
def _closing(providers: Providers, held: LockedApply) -> Iterator[list[Diagnostic]]:
    """Close the providers under the lock: what they have made for an apply, such as machines, goes before it completes.

    Where one refuses, the apply has failed, and the next one looks for what was left; what was done stays done, so the
    refusal is in the list that is given.
    """
    left: list[Diagnostic] = []
    try:
        yield left
    except DiagnosticError as problem:
        raise DiagnosticError(*problem.diagnostics, *_refusals(providers)) from problem
    except BaseException:
        _refusals(providers)
        raise
    outcome, held.outcome = held.outcome, "failed"
    left += _refusals(providers)
    if not left:
        held.outcome = outcome


def _refusals(providers: Providers) -> tuple[Diagnostic, ...]:
    """Close the providers; gives what some of them say against it."""
    try:
        providers.close()
    except DiagnosticError as problem:
        return problem.diagnostics
    return ()


def _apply(
    world: World,
    plan: Plan,
    state: WorkspaceState,
    recorder: Recorder,
    listener: Listener,
    stop: Stop,
    parallelism: int,
    locations: dict[Address, Mapping[str, str]],
) -> tuple[Applied, WorkspaceState]:
    opened, inputs = world.opened, world.inputs
    wanted = {change.addr for change in plan.changes if change.action in (Action.RUN, Action.MAY_RUN, *TAKING)}
    settled = settle(state, recorder, world.providers, world.storage, listener, wanted)
    work_dir = inputs.data_dir.absolute() / "work"
    for addr in settled.ended:
        discard_model(work_dir, state.attempts[addr])
    if plan.destroy:
        sweep(world.providers, listener)
    if settled.adopted or settled.ended:
        state = read_state(world.store, plan.project, plan.workspace)
    moved = [change for change in plan.changes if change.moved_from]
    for change in moved:
        recorder.move(state.results[parse(change.moved_from)], change.addr)
        listener(Notice(f"{change.moved_from} has moved to {change.address}"))
    if moved:
        state = read_state(world.store, plan.project, plan.workspace)
    runner = _runner(inputs.data_dir / "cache")
    # A plan file may be applied where another commit is checked out: what runs is the code it was made with.
    version = plan.code_version or code_version(inputs.root)
    context = Context(
        root=inputs.root,
        cache_dir=inputs.data_dir / "cache",
        plan=plan,
        evaluator=opened.evaluator,
        state=state,
        recorder=recorder,
        services=Services(
            storage=world.storage,
            providers=world.providers,
            runner=runner,
            listener=listener,
            stop=stop,
            preload=_preload(opened, plan),
            apply=apply_name(plan.project, plan.workspace, recorder.serial),
        ),
        publisher=Publisher(plan, state, recorder, world.providers, world.storage, work_dir, version),
        results=ResultFinder(world.store, world.storage, state, opened.trusted),
        observe=lambda desired: observe(world, state, listener, desired),
        code_version=version,
        locations=locations,
        running=settled.running,
    )
    return apply_changes(context, parallelism), state


def _runner(cache: Path) -> Path:
    """The file that runs jobs."""
    try:
        return build_runner(cache)
    except OSError as problem:
        summary = f"{cache} cannot be written: {problem.strerror}"
        detail = "Check its permissions and the space on the disk; what is in it can be removed at any time."
        raise DiagnosticError(error("cache_unwritable", summary, detail)) from problem


def _preload(opened: Opened, plan: Plan) -> tuple[str, ...]:
    """Modules that the plan's jobs will import, so that a warm process can load them once and early."""
    found: dict[str, None] = {}
    for change in plan.changes:
        if change.action not in (Action.RUN, Action.MAY_RUN):
            continue
        node = opened.evaluator.nodes.get(change.addr.block)
        if node is not None and not isinstance(node, EndpointConfig):
            found.update(dict.fromkeys(node.type.imports))
    return tuple(found)


def root_outputs(
    opened: Opened, plan: Plan, applied: Applied, state: WorkspaceState
) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The root outputs after the apply; one that still waits for something keeps its former value."""
    if plan.destroy or plan.refresh_only:
        return dict(state.outputs), []
    known = {**recorded_results(state), **applied.known}
    outputs: dict[str, Any] = {}
    problems: list[Diagnostic] = []
    for name in opened.configuration.outputs:
        output, found = opened.evaluator.output(name, known)
        value = None if output is None else plain(output.value)
        if output is not None and not has_errors(found) and not is_unknown(value):
            outputs[name] = {"value": concealed(value, sensitive=output.sensitive), "sensitive": output.sensitive}
        elif name in state.outputs:
            outputs[name] = state.outputs[name]
        elif not (applied.failed or applied.canceled or applied.skipped):
            problems += found
    return outputs, problems


def _outcome(
    opened: Opened, serial: int, plan: Plan, applied: Applied, outputs: Mapping[str, Any], *, interrupted: bool
) -> ApplyOutcome:
    def with_outcome(*wanted: str) -> tuple[str, ...]:
        return tuple(a for a, outcome in applied.outcomes.items() if outcome in wanted)

    endpoints = {
        address: outcome
        for address, outcome in applied.outcomes.items()
        if isinstance(parse(address), EndpointAddr) and outcome != "unchanged"
    }
    unchanged = tuple(change.address for change in plan.changes if change.is_noop) + with_outcome("unchanged")
    return ApplyOutcome(
        serial=serial,
        ran=with_outcome("ran"),
        cut_off=with_outcome("cut_off"),
        reused=with_outcome("reused"),
        unchanged=unchanged,
        endpoints=endpoints,
        forgotten=with_outcome("forgotten"),
        failed=tuple(applied.failed),
        canceled=tuple(applied.canceled),
        skipped=tuple(applied.skipped),
        interrupted=interrupted,
        outputs=outputs,
        diagnostics=tuple(applied.diagnostics),
        sources={
            **opened.sources,
            **opened.libraries.texts,
            **opened.code.texts(d.range.filename for d in applied.diagnostics if d.range),
        },
    )
