"""Checks that the ground a plan stands on has not moved: versions, state, data, live endpoints. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import zenctl
from zenctl.addrs import Address, DatasourceAddr, EndpointAddr, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.components import source_facts
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.engine.endpoints import live_name
from zenctl.engine.events import Listener
from zenctl.engine.known import recorded_results
from zenctl.engine.pinning import pinned_version
from zenctl.engine.providers import provider_diagnostic
from zenctl.engine.reasons import data_moved
from zenctl.engine.refreshing import Refresher
from zenctl.engine.results import ResultFinder
from zenctl.engine.virtual_environments import ordered_environment
from zenctl.engine.world import World
from zenctl.fingerprint.environment import compare, installed
from zenctl.metadata.state import WorkspaceState
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change, EndpointSeen, Plan
from zenctl.provider import ProviderError
from zenctl.provider.registry import Registry
from zenctl.schema import SourceState

AGAIN = "Make a new plan and review it."


def check_versions(plan: Plan, registry: Registry) -> None:
    """Refuse a plan that another version of zenctl or of a provider has made: it would be carried out otherwise."""
    found = [] if plan.zenctl_version == zenctl.__version__ else [("zenctl", plan.zenctl_version, zenctl.__version__)]
    for name, version in sorted(plan.providers.items()):
        here = registry.provider(name.partition(".")[0]).version
        found += [] if here == version else [(f"provider {name}", version, here)]
    if found:
        texts = ", ".join(f"{what} {before} (here {here})" for what, before, here in found)
        summary = "The plan is stale: other versions have made it"
        raise DiagnosticError(
            error("plan_stale", summary, f"It was made with {texts}. Install these, or make a new plan.")
        )


def check_state(plan: Plan, state: WorkspaceState) -> None:
    """Refuse a plan if a result it was made against is no longer the current one."""
    now = {str(addr): recorded.execution_id for addr, recorded in state.results.items()}
    planned = {change.address for change in plan.changes}
    moved = sorted(a for a in planned | plan.heads.keys() if plan.heads.get(a) != now.get(a))
    if plan.serial == state.serial or not moved:
        return
    names = ", ".join(moved[:5]) + (f" and {len(moved) - 5} more" if len(moved) > 5 else "")
    detail = f"It was made after apply {plan.serial}; since then apply {state.serial} changed {names}. {AGAIN}"
    raise DiagnosticError(error("plan_stale", "The plan is stale: the state has moved on", detail))


def check_results(plan: Plan, results: ResultFinder) -> None:
    """Refuse a plan if a result that it was to reuse cannot be had any more."""
    reused = [change for change in plan.changes if change.action is Action.REUSE and change.execution_id is not None]
    gone = [c.address for c in reused if results.pinned(c.execution_id or 0, c.fingerprint) is None]
    if gone:
        detail = f"It was to stand for {', '.join(gone[:5])}. {AGAIN}"
        raise DiagnosticError(error("plan_stale", "The plan is stale: a result that it reuses is gone", detail))


def check_world(
    world: World, plan: Plan, state: WorkspaceState, listener: Listener
) -> dict[Address, Mapping[str, str]]:
    """Refuse a plan if data or a live endpoint is not what it saw; gives where the sources to be read lie.

    Nothing has been done by then. What a plan did not look at (-refresh=false) is not looked at here either, but for
    sources that are read: a snapshot is taken of what was planned or not at all.
    """
    state = _with_moves(state, plan)
    sources, problems = _sources(world, plan, state, listener)
    problems += [*_endpoints(world, plan, state), *_environments(plan, world.inputs.data_dir / "cache")]
    problems += _requirements(world, plan, state)
    if problems:
        raise DiagnosticError(*problems)
    return {addr: source.locations for addr, source in sources.items()}


def _with_moves(state: WorkspaceState, plan: Plan) -> WorkspaceState:
    """The state as it will be once what has moved is recorded at its new address."""
    results = dict(state.results)
    for change in plan.changes:
        recorded = results.pop(parse(change.moved_from), None) if change.moved_from else None
        if recorded is not None:
            results[change.addr] = replace(recorded, addr=change.addr)
    return replace(state, results=results)


def _sources(
    world: World, plan: Plan, state: WorkspaceState, listener: Listener
) -> tuple[Mapping[Address, SourceState], list[Diagnostic]]:
    wanted: list[tuple[Change, DesiredDatasource]] = []
    known = recorded_results(state)
    for change in plan.changes:
        placed = change.components is not None and change.components.source
        looked_at = placed and (change.action is Action.RUN or plan.refreshed)
        if isinstance(change.addr, DatasourceAddr) and change.action is not Action.FORGET and looked_at:
            desired, _ = world.opened.evaluator.node(change.addr, known)
            if isinstance(desired, DesiredDatasource) and not pinned_version(desired):
                wanted.append((change, desired))
    if not wanted:
        return {}, []
    refresher = _refresher(world, state, listener)
    observed = refresher.observe([desired for _, desired in wanted], None)
    problems = []
    for change, desired in wanted:
        planned = change.components.source if change.components is not None else {}
        source = observed.sources.get(change.addr)
        if source is None:
            found = [d for d in refresher.diagnostics if d.address == change.address and d.is_error]
            why = (
                f"{found[0].summary[:1].upper()}{found[0].summary[1:]}. {found[0].detail}"
                if found
                else "It cannot be looked at any more."
            )
            problems.append(_data_moved(change, desired, why))
        elif source.digest != planned["digest"]:
            problems.append(_data_moved(change, desired, f"{data_moved(planned, source_facts(source)).detail}."))
    return observed.sources, problems


def observe(world: World, state: WorkspaceState, listener: Listener, desired: DesiredDatasource) -> SourceState:
    """A datasource as it is now, whose place became known while applying. Raises DiagnosticError."""
    refresher = _refresher(world, state, listener)
    source = refresher.observe([desired], None).sources.get(desired.addr)
    if source is None:
        raise DiagnosticError(*refresher.diagnostics)
    return source


def _refresher(world: World, state: WorkspaceState, listener: Listener) -> Refresher:
    inputs = world.inputs
    code = world.opened.code
    cache = inputs.data_dir / "cache"
    return Refresher(inputs.root, cache, state=state, providers=world.providers, code=code, listener=listener)


def _data_moved(change: Change, desired: DesiredDatasource, why: str) -> Diagnostic:
    summary = f"The plan is stale: the data of {change.addr} changed after it was made"
    return error("plan_stale", summary, f"{why} {AGAIN}", range=desired.config.range, address=change.address)


def _endpoints(world: World, plan: Plan, state: WorkspaceState) -> list[Diagnostic]:
    problems = []
    for change in plan.changes:
        if not isinstance(change.addr, EndpointAddr) or change.address not in plan.endpoints:
            continue
        try:
            recorded = state.results.get(change.addr)
            provider = change.provider or (str(recorded.attributes.get("provider", "")) if recorded else "")
            found = world.providers.endpoint(change.addr.type, provider).read(live_name(change.addr, state))
        except ProviderError as problem:
            problems.append(provider_diagnostic(problem, change.address, address=change.address))
            continue
        seen = plan.endpoints[change.address]
        now = EndpointSeen(found.model_digest, found.ready) if found is not None else None
        if now != seen:
            summary = f"The plan is stale: {change.addr} is not what it was when the plan was made"
            detail = f"It {_told(seen, 'served', 'did')} then, and {_told(now, 'serves', 'does')} now. {AGAIN}"
            problems.append(error("plan_stale", summary, detail, address=change.address))
    return problems


def _environments(plan: Plan, cache_dir: Path) -> list[Diagnostic]:
    """Steps that would run with other packages than planned: their results would be recorded as what they are not."""
    problems = []
    for change in plan.changes:
        if change.action not in (Action.RUN, Action.MAY_RUN) or change.components is None:
            continue
        planned = change.components.environment
        if "imports" not in planned or "image" in planned:
            continue
        here = installed(planned["imports"], cache_dir, transitive=True)
        known = {name: planned[name] for name in ("python", "distributions")}
        differing = [str(difference) for difference in compare(known, here)]
        if differing:
            summary = f"The plan is stale: {change.addr} was planned with other packages"
            detail = f"{', '.join(differing)} (planned -> here). {AGAIN}"
            problems.append(error("plan_stale", summary, detail, address=change.address))
    return problems


def _requirements(world: World, plan: Plan, state: WorkspaceState) -> list[Diagnostic]:
    """Steps whose own environment would be made of another requirements file than planned."""
    problems: list[Diagnostic] = []
    known = recorded_results(state)
    for change in plan.changes:
        environment = change.components.environment if change.components is not None else {}
        if change.action not in (Action.RUN, Action.MAY_RUN) or "preload" not in environment:
            continue
        desired, _ = world.opened.evaluator.node(change.addr, known)
        if isinstance(desired, DesiredStep):
            try:
                ordered_environment(world.inputs.root, desired, environment)
            except DiagnosticError as problem:
                problems += problem.diagnostics
    return problems


def _told(seen: EndpointSeen | None, serves: str, does: str) -> str:
    if seen is None:
        return f"{does} not run"
    model = f"{serves} model {seen.model[:12]}" if seen.model else f"{serves} no known model"
    return model if seen.ready else f"{model} and {does} not answer"
