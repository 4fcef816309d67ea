"""Drafts a plan: looks at all it depends on, has it planned, and freezes code, variables and versions with it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import zenctl
from zenctl.addrs import Address, DatasourceAddr
from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import Diagnostic, did_you_mean, has_errors, warning
from zenctl.engine.caching import milliseconds
from zenctl.engine.clean_code import uncommitted
from zenctl.engine.code_diffs import code_diffs
from zenctl.engine.components import plain
from zenctl.engine.describing import described
from zenctl.engine.desired import Desired, DesiredDatasource
from zenctl.engine.drifted import drift, seen_endpoints
from zenctl.engine.drifting import plan_refresh
from zenctl.engine.events import Listener
from zenctl.engine.moving import moved_state
from zenctl.engine.observed import Observed
from zenctl.engine.opening import Opened
from zenctl.engine.pinning import find_snapshot, pinned_version
from zenctl.engine.planning import Planned, Request, plan
from zenctl.engine.providers import Providers
from zenctl.engine.provisioning import planned_machines
from zenctl.engine.refreshing import Refresher
from zenctl.engine.removing import begun, plan_destroy, protected
from zenctl.engine.requests import PlanOptions
from zenctl.engine.requirements import used_providers
from zenctl.engine.results import ResultFinder
from zenctl.engine.reusing import examples, missing
from zenctl.engine.selecting import Selection, check_addresses, named, select
from zenctl.engine.trusting import Trust
from zenctl.engine.world import World
from zenctl.fingerprint.archive import archive
from zenctl.fingerprint.git import code_version
from zenctl.lang.values import to_python
from zenctl.metadata.state import Recorded, WorkspaceState, history, read_state
from zenctl.metadata.store import ExecutionState, MetadataStore
from zenctl.metadata.workspaces import workspace, workspaces
from zenctl.plans.actions import DATA_REASONS, Action, ReasonCode
from zenctl.plans.plan import INTERRUPTED, Change, CodeArchive, Plan

DAMAGE_TOLD = 5
"""How many outputs that are gone or damaged a warning names; the plan names all."""


def draft(world: World, options: PlanOptions, listener: Listener, trusted: Trust | None = None) -> Plan:
    """The plan of a configuration, with all diagnostics; with errors among them it is incomplete.

    `trusted` is what it is held to, if it is not trusted itself.
    """
    opened, inputs = world.opened, world.inputs
    configuration = opened.configuration
    state = read_state(world.store, configuration.settings.project, inputs.workspace)
    header = Plan(
        project=configuration.settings.project,
        workspace=inputs.workspace,
        serial=state.serial,
        timestamp=opened.libraries.timestamp,
        zenctl_version=zenctl.__version__,
        changes=(),
        destroy=options.destroy,
        refresh_only=options.refresh_only,
        configuration_digest=opened.digest,
        files=dict(configuration.files),
        variables=plain_variables(opened),
        heads={str(addr): recorded.execution_id for addr, recorded in state.results.items()},
        refreshed=options.refresh,
        blocks=described(configuration),
    )
    if options.destroy:
        return _told(_destroying(opened, header, state, options), state, world.providers)
    if options.refresh_only:
        return _told(_refreshing(world, options, listener, header, state), state, world.providers)
    clean = configuration.settings.require_clean_code
    if clean or options.for_file:
        header = replace(header, code_version=code_version(inputs.root))
    made = _planned(world, options, listener, header, state, trusted)
    notes = [*_damage(made), *_workspace_notes(world.store, header.project, header.workspace)]
    if clean and not has_errors(made.diagnostics):
        # Only apply refuses: a plan of what is being worked on is worth reading.
        found = uncommitted(inputs.root, made, opened.folders)
        notes += [warning(d.code, d.summary, f"{d.detail} Apply refuses this.") for d in found]
    return _told(_with(made, notes), state, world.providers)


def _with(plan: Plan, found: Sequence[Diagnostic]) -> Plan:
    return replace(plan, diagnostics=(*plan.diagnostics, *found))


def _damage(plan: Plan) -> list[Diagnostic]:
    """What something other than zenctl has done to results: artifacts, once written, are never changed."""
    found = []
    for code, what in ((ReasonCode.OUTPUT_MISSING, "gone"), (ReasonCode.OUTPUT_CORRUPT, "damaged")):
        lines = [f"{c.address}: {reason.detail}" for c in plan.changes for reason in c.reasons if reason.code is code]
        if lines:
            summary = f"An output is {what}" if len(lines) == 1 else f"{len(lines)} outputs are {what}"
            more = [f"and {len(lines) - DAMAGE_TOLD} more"] if len(lines) > DAMAGE_TOLD else []
            detail = "Something other than zenctl did that. What is lost is made anew, or found elsewhere."
            found.append(warning(code.value.lower(), summary, "\n".join([*lines[:DAMAGE_TOLD], *more, "", detail])))
    return found


def _told(plan: Plan, state: WorkspaceState, providers: Providers) -> Plan:
    """The plan with what an apply before has left; one that would do nothing is carried out for that alone."""
    found = _interrupted(state)
    if not found and plan.is_empty and state.unfinished and providers.make_machines():
        detail = "All else is as it should be. The next apply, or destroy, removes machines that it may have left."
        found = [warning(INTERRUPTED, f"Apply {state.unfinished} did not complete", detail)]
    return _with(plan, found)


def _interrupted(state: WorkspaceState) -> list[Diagnostic]:
    """What an apply that died has left under way."""
    left = [attempt for attempt in state.attempts.values() if attempt.state is ExecutionState.RUNNING]
    if not left or state.busy:
        return []
    serials = ", ".join(str(serial) for serial in sorted({attempt.serial for attempt in left}))
    detail = (
        f"It left {', '.join(sorted(str(attempt.addr) for attempt in left))} under way. The next apply keeps what was "
        "finished all the same, and ends the rest or goes on with it."
    )
    return [warning(INTERRUPTED, f"Apply {serials} was interrupted", detail)]


def _workspace_notes(store: MetadataStore, project: str, name: str) -> list[Diagnostic]:
    """What to know of a workspace that is planned and not there, or whose time is over."""
    if name == DEFAULT:
        return []
    found = workspace(store, project, name)
    if found is None:
        others = [DEFAULT, *(item.name for item in workspaces(store, project))]
        detail = (
            "It is planned as one in which nothing has run yet, and apply makes it. "
            f"`zenctl workspace list` lists those that are there.{did_you_mean(name, others)}"
        )
        return [warning("workspace_new", f'There is no workspace "{name}" yet', detail)]
    if found.expired(time.time_ns() // 1_000_000):
        detail = "`zenctl workspace delete -expired` would remove it and its endpoints. An apply renews it."
        return [warning("workspace_expired", f'The time of workspace "{name}" is over', detail)]
    return []


def _destroying(opened: Opened, header: Plan, state: WorkspaceState, options: PlanOptions) -> Plan:
    # Where a record moves to says whether it may be destroyed.
    state, former, _ = moved_state(state, opened.configuration, opened.evaluator.nodes)
    addresses = _chosen(state, options)
    deleted = tuple(replace(c, moved_from=former.get(c.addr, "")) for c in plan_destroy(state, addresses))
    forbidden = protected(deleted, opened.evaluator.nodes)
    return replace(header, changes=deleted, diagnostics=(*opened.diagnostics, *forbidden))


def _chosen(state: WorkspaceState, options: PlanOptions) -> frozenset[Address]:
    """The recorded addresses that the flags leave: those targeted, or all, without those excluded."""
    addresses = sorted({*state.results, *begun(state)}, key=str)
    wanted = named(addresses, options.targets, "-target") if options.targets else frozenset(addresses)
    return wanted - named(addresses, options.excludes, "-exclude")


def _refreshing(world: World, options: PlanOptions, listener: Listener, header: Plan, state: WorkspaceState) -> Plan:
    wanted = _chosen(state, options)
    refresher = Refresher(
        world.inputs.root,
        world.inputs.data_dir / "cache",
        state=state,
        providers=world.providers,
        code=world.opened.code,
        listener=listener,
    )
    observed = refresher.observe_recorded(wanted, world.storage)
    changes, found = plan_refresh(state, observed, wanted)
    anew, unread = _data_anew(world, options, listener, header, state)
    changes = [anew.get(c.addr, c) if c.action is Action.NO_OP and c.addr in wanted else c for c in changes]
    diagnostics = [*world.opened.diagnostics, *refresher.diagnostics, *found, *unread]
    if has_errors(refresher.diagnostics):
        changes = []
    versions = world.providers.versions()
    return replace(
        header,
        changes=tuple(changes),
        providers=versions,
        endpoints=seen_endpoints(observed),
        drift=tuple(drift(state, observed)),
        diagnostics=tuple(diagnostics),
    )


def _data_anew(
    world: World, options: PlanOptions, listener: Listener, header: Plan, state: WorkspaceState
) -> tuple[dict[Address, Change], list[Diagnostic]]:
    """The recorded datasources whose source has moved: a snapshot of what is there now is their record."""
    made = _planned(world, replace(options, refresh_only=False), listener, header, state, None)
    problems = [problem for problem in made.diagnostics if problem.is_error]
    if problems:
        detail = f"{problems[0].summary}. `zenctl plan` tells more. What is recorded was looked at all the same."
        return {}, [warning("data_not_looked_at", "Datasources were not looked at", detail)]
    moved = {
        change.addr: change
        for change in made.changes
        if isinstance(change.addr, DatasourceAddr) and change.action is Action.RUN and change.addr in state.results
    }
    codes = {addr: {reason.code for reason in change.reasons} for addr, change in moved.items()}
    return {addr: change for addr, change in moved.items() if ReasonCode.DATA_CHANGED in codes[addr]}, []


def _planned(
    world: World,
    options: PlanOptions,
    listener: Listener,
    header: Plan,
    state: WorkspaceState,
    trusted: Trust | None,
) -> Plan:
    opened, inputs, providers = world.opened, world.inputs, world.providers
    configuration = opened.configuration
    state, former, unmovable = moved_state(state, configuration, opened.evaluator.nodes)
    references = {addr: node.references for addr, node in opened.evaluator.nodes.items()}
    selection = select(opened.order, references, options.targets, options.excludes)
    refresher = Refresher(
        inputs.root,
        inputs.data_dir / "cache",
        state=state,
        providers=providers,
        code=opened.code,
        listener=listener,
        refresh=options.refresh,
        pin=partial(pinned_snapshot, world),
        allowed=trusted.source if trusted is not None else None,
    )
    finder = ResultFinder(world.store, world.storage, state, opened.trusted)
    request = Request(
        selection=selection,
        evaluator=opened.evaluator,
        state=state,
        observed=refresher.observe(_first_look(opened, selection), world.storage),
        find_result=finder,
        examples=_examples(world, state),
        now_ms=milliseconds(header.timestamp),
        endpoint=lambda desired: providers.endpoint(desired.addr.type, desired.config.provider),
        replace=check_addresses(opened.order, options.replace, "-replace"),
        moved=former,
        removed=[removed for module in configuration.modules() for removed in module.removed],
        forget_others=not (options.targets or options.excludes),
    )
    planned = plan(request, list(configuration.outputs))
    # What instances a block has may follow from results, so that planning finds nodes that nobody has looked at.
    while unseen := [node for node in planned.desired.values() if not refresher.has_seen(node)]:
        request = replace(request, observed=refresher.observe(unseen, None))
        planned = plan(request, list(configuration.outputs))
    diagnostics = [*opened.diagnostics, *unmovable, *refresher.diagnostics, *planned.diagnostics]
    diagnostics += trusted.secret_references(planned.desired) if trusted is not None else []
    diagnostics += missing(opened.trusted, configuration, world.store)
    if options.targets or options.excludes:
        diagnostics.append(_targeted())
    changes, has_diffs = tuple(planned.changes), options.code_diffs or options.for_file
    machines, wrong = ((), []) if has_errors(diagnostics) else planned_machines(planned, request.observed, providers)
    diagnostics += wrong
    if any(reason.code in DATA_REASONS for change in changes for reason in change.reasons):
        changes, told = _with_movers(world, request, planned, finder, listener, drift=options.drift)
        diagnostics += told
    return replace(
        header,
        changes=changes,
        outputs=tuple(planned.outputs),
        code=_archives(changes, request.observed),
        endpoints=seen_endpoints(request.observed) if options.refresh else {},
        machines=machines,
        drift=tuple(drift(state, request.observed)) if options.refresh else (),
        checks=tuple(planned.checks),
        code_diffs=code_diffs(changes, request.observed.closures, state.results, world.storage) if has_diffs else {},
        read=opened.libraries.read,
        providers={p.name: p.version for p in used_providers(configuration, opened.registry) if p.version},
        diagnostics=tuple(dict.fromkeys(diagnostics)),
    )


def _with_movers(
    world: World, request: Request, planned: Planned, finder: ResultFinder, listener: Listener, *, drift: bool
) -> tuple[tuple[Change, ...], Sequence[Diagnostic]]:
    """The changes, with how far the columns of their data moved, and what is to be told of that."""
    # Where no data moved, plan need not know how that is told.
    from zenctl.engine.movers import with_movers
    from zenctl.engine.surveying import Surveyor

    cache = world.inputs.data_dir / "cache"
    sources, open_bucket = request.observed.sources, world.providers.bucket
    survey = Surveyor(planned.desired, sources, world.storage, finder, cache, listener, open_bucket)
    changes = with_movers(planned.changes, request.state.results, world.storage, survey if drift else None)
    return changes, survey.diagnostics


def pinned_snapshot(world: World, desired: DesiredDatasource) -> Recorded | None:
    """The recorded snapshot that a datasource's `version` names; None where it has none. Raises DiagnosticError."""
    if not pinned_version(desired):
        return None
    project = world.opened.configuration.settings.project
    recorded = history(world.store, project, world.inputs.workspace, desired.addr)
    return find_snapshot(desired, recorded, world.storage)


def _examples(world: World, state: WorkspaceState) -> Mapping[Address, Recorded]:
    """What other workspaces have at addresses that have no record in this one, as far as any is without."""
    recorded = {addr.block for addr in state.results}
    if world.opened.evaluator.nodes.keys() <= recorded:
        return {}
    return examples(world.opened.trusted, world.store)


def _first_look(opened: Opened, selection: Selection) -> list[Desired]:
    """What to observe as far as it is known while no result is."""
    found = []
    for block in selection.order:
        instances = opened.evaluator.instances(block, {})
        for addr in () if instances.open else instances.addresses:
            desired, _ = opened.evaluator.node(addr, {})
            if desired is not None and desired.enabled and selection.holds(addr):
                found.append(desired)
    return found


def _archives(changes: tuple[Change, ...], observed: Observed) -> dict[str, CodeArchive]:
    """The code of every step, so that what was planned is what runs, and apply needs no code from the disk."""
    found: dict[str, CodeArchive] = {}
    # Many steps share a closure: it is the same object then.
    made: dict[int, CodeArchive] = {}
    for change in changes:
        closure = observed.closures.get(change.addr)
        if closure is not None:
            if id(closure) not in made:
                made[id(closure)] = archive(closure)
            found[change.address] = made[id(closure)]
    return found


def plain_variables(opened: Opened) -> dict[str, Any]:
    """The variables' values as plain data; sensitive ones are left out and must be given again at apply."""
    found = {}
    for name, value in opened.variables.items():
        if opened.configuration.variables[name].stored:
            found[name] = plain(to_python(value))
    return found


def _targeted() -> Diagnostic:
    return warning(
        "targeted",
        "Only a part of the configuration is planned",
        "-target and -exclude are for exceptional situations; plan without them afterwards to see what is left.",
    )
