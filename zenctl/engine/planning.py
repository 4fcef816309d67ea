"""Decides what to do. Pure: reads nothing but its arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from zenctl.addrs import Address, covers
from zenctl.config.configuration import RemovedConfig
from zenctl.diagnostics import Diagnostic, did_you_mean, error, has_errors, warning
from zenctl.engine.asserting import check_results, checks, postconditions, validations
from zenctl.engine.caching import Compared, compare, oldest, runs_always, too_old
from zenctl.engine.components import (
    concealed,
    datasource_components,
    environment_here,
    plain,
    served_as_recorded,
    step_components,
    with_ignored,
)
from zenctl.engine.desired import Desired, DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.endpoints import in_turn, plan_endpoint
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.freshness import KnownResults
from zenctl.engine.known import Known, recorded_refs, unknown_refs
from zenctl.engine.observed import Observed
from zenctl.engine.reasons import damaged, elsewhere, failed_before, pending
from zenctl.engine.removing import Configured, before, gone, protected, still_configured
from zenctl.engine.selecting import Selection
from zenctl.fingerprint.digest import fingerprint, is_unknown
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import Change, CheckResult, OutputChange
from zenctl.plans.planfile import decode_components
from zenctl.provider import Endpoint
from zenctl.schema import OutputDecl


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a plan is made from.

    `selection` are the blocks to plan, dependencies first; `replace` names instances to make anew. `find_result` gives
    a recorded, intact result with a fingerprint, not produced before a time, from this workspace or one it may reuse
    from. `endpoint` gives an endpoint type's implementation (its `plan` is pure). `examples` are results of other
    workspaces at addresses that have no record in this one. `moved` gives the former address of each record that a
    `moved` block has brought to another one (in `state` already). `forget_others` is off when only a part is planned
    (`-target`). `now_ms` is when the plan is made, in ms since 1970: by then results are too old or not.
    """

    selection: Selection
    evaluator: Evaluator
    state: WorkspaceState
    observed: Observed
    find_result: Callable[[Address, str, int], Recorded | None]
    endpoint: Callable[[DesiredEndpoint], Endpoint]
    replace: Sequence[str] = ()
    examples: Mapping[Address, Recorded] = field(default_factory=dict)
    moved: Mapping[Address, str] = field(default_factory=dict)
    removed: Sequence[RemovedConfig] = ()
    forget_others: bool = True
    now_ms: int = 0


@dataclass(slots=True)
class Planned:
    """The changes in order, the root outputs, and what planning had to say."""

    changes: list[Change] = field(default_factory=list)
    outputs: list[OutputChange] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    desired: dict[Address, Desired] = field(default_factory=dict)
    by_address: dict[Address, Change] = field(default_factory=dict)
    instances: set[Address] = field(default_factory=set)
    checks: list[CheckResult] = field(default_factory=list)


def plan(request: Request, output_names: Sequence[str]) -> Planned:
    """Plan every node of the order, then what is recorded but no longer configured, then the root outputs."""
    result = Planned()
    known: dict[Address, Known] = {}
    unchecked: set[str] = set()
    for addr in _instances(request, known, result):
        desired, found = request.evaluator.node(addr, known)
        result.diagnostics += found
        if desired is None or has_errors(found) or not desired.enabled:
            continue
        result.desired[addr] = desired
        if isinstance(desired, DesiredEndpoint):
            result.changes.append(_endpoint(request, desired, result))
            continue
        change, refs, missing = _node(request, desired, known, result)
        result.changes.append(change)
        result.by_address[addr] = change
        known[addr] = refs
        result.diagnostics += postconditions(request.evaluator, addr, known)
        unchecked |= set(missing)
    result.changes = [_after_gates(change, result.desired) for change in result.changes]
    result.diagnostics += [*_unmatched(request, result), *still_configured(request.removed, request.evaluator.nodes)]
    result.diagnostics += validations(request.evaluator, known)
    if request.forget_others:
        configured = Configured(
            request.evaluator.nodes, set(request.selection.order), result.instances, set(result.desired)
        )
        result.diagnostics += request.evaluator.check()
        result.diagnostics += request.evaluator.values(known, result.diagnostics)
        result.changes += gone(request.state, configured, request.removed, request.moved)
    result.changes = in_turn(result.changes, result.desired, request.state)
    result.diagnostics += protected(result.changes, request.evaluator.nodes)
    result.outputs = output_changes(request, output_names, known, result.diagnostics)
    result.diagnostics += checks(request.evaluator, known)
    result.checks = check_results(request.evaluator, result.desired, known)
    if unchecked:
        result.diagnostics.append(_unchecked(sorted(unchecked)))
    return result


def _instances(request: Request, known: KnownResults, result: Planned) -> Iterator[Address]:
    """The instances of all blocks, each block's once what decides them is known."""
    selection = request.selection
    for block in selection.order:
        instances = request.evaluator.instances(block, known)
        result.diagnostics += instances.diagnostics
        result.instances |= set(instances.addresses)
        if not instances.open:
            yield from (addr for addr in instances.addresses if selection.holds(addr))


def _unmatched(request: Request, result: Planned) -> list[Diagnostic]:
    """Instances that were named and are not there."""
    texts = {text for of_block in request.selection.only.values() for text in of_block} | set(request.replace)
    found = []
    for text in sorted(texts):
        if not any(covers(text, addr) for addr in result.instances):
            keys = did_you_mean(text, [str(addr) for addr in result.instances]).strip()
            detail = keys or "Its block has no such instance."
            found.append(error("unknown_address", f"There is no {text}", detail))
    return found


def _node(
    request: Request, desired: DesiredDatasource | DesiredStep, known: Mapping[Address, Known], result: Planned
) -> tuple[Change, Known, list[str]]:
    addr = desired.addr
    recorded = request.state.results.get(addr)
    desired = with_ignored(desired, recorded)
    example = request.examples.get(addr) if recorded is None else None
    environment, unchecked = environment_here(request.observed.environments.get(addr, {}), recorded or example)
    if isinstance(desired, DesiredDatasource):
        components = datasource_components(desired, request.observed.sources.get(addr), environment)
        known_source = bool(components.source)
    else:
        components = step_components(desired, request.observed.closures.get(addr), environment)
        known_source = True
    outputs = desired.outputs
    compared = compare(desired, components, recorded, example, request.observed.rows.get(addr))
    components = compared.components
    pinned = request.observed.pinned.get(addr)
    if pinned is not None:
        components, known_source = decode_components(pinned.components), True
    digest = fingerprint(components) if known_source else ""
    waiting = [
        str(reference)
        for reference in desired.references
        if any(ref.digest is None for ref in known.get(reference, {}).values())
    ]
    triggers = _triggered(desired, result)
    action, reasons, found = _decide(request, desired, compared, digest, waiting, triggers)
    refs = recorded_refs(addr, found, outputs) if found else unknown_refs(addr, outputs)
    change = Change(
        addr=addr,
        action=action,
        reasons=tuple(reasons),
        before=before(recorded),
        after=_after(components, outputs, found),
        after_unknown=_unknown_paths(components, outputs, found),
        sensitive=tuple(f"params.{path}" for path in desired.sensitive),
        depends_on=tuple(str(a) for a in desired.references),
        components=components,
        fingerprint=digest,
        execution_id=found.execution_id if found else None,
        moved_from=request.moved.get(addr, ""),
    )
    return change, refs, unchecked


def _decide(
    request: Request,
    desired: DesiredDatasource | DesiredStep,
    compared: Compared,
    digest: str,
    waiting: Collection[str],
    triggers: Sequence[Change],
) -> tuple[Action, list[Reason], Recorded | None]:
    """The action, why, and the recorded result it stands on, if any.

    `waiting` are its references without a result, `triggers` what makes it run again and does so itself.
    """
    addr = desired.addr
    recorded = request.state.results.get(addr)
    pinned = request.observed.pinned.get(addr)
    if pinned is not None:
        return _pinned(pinned, recorded)
    inputs = desired.inputs if isinstance(desired, DesiredStep) else {}
    damage = request.observed.damage.get(addr)
    waits = [] if digest else pending(inputs, waiting)
    if _to_replace(request, addr):
        return Action.RUN, [Reason(ReasonCode.REQUESTED, "-replace was given"), *waits], None
    if recorded is not None and triggers:
        certain = [change for change in triggers if change.action is not Action.MAY_RUN]
        action = Action.RUN if certain else Action.MAY_RUN
        return action, [*_trigger_reasons(certain or triggers), *compared.stale, *waits], None
    old = too_old(desired, recorded, request.now_ms)
    if recorded is not None and digest and digest == recorded.fingerprint and damage is None and not old:
        return Action.NO_OP, list(compared.kept), recorded
    reasons = [*compared.stale, *old]
    if damage is not None:
        reasons.append(damaged(damage))
    if digest and not runs_always(desired):
        found = request.find_result(addr, digest, oldest(desired, compared.components, recorded, request.now_ms))
        if found is not None:
            return Action.REUSE, [*reasons, *compared.kept, elsewhere(found, addr, request.state)], found
    if recorded is None:
        first = failed_before(request.state, addr) or [Reason(ReasonCode.NEVER_RAN, "has never run")]
        return Action.RUN, [*first, *compared.beside, *waits], None
    if not reasons and not digest:
        return Action.MAY_RUN, [*waits, *failed_before(request.state, addr)], None
    return Action.RUN, [*reasons, *failed_before(request.state, addr), *waits], None


def _pinned(pinned: Recorded, recorded: Recorded | None) -> tuple[Action, list[Reason], Recorded]:
    """What becomes of a datasource that stays with a recorded snapshot, whatever its source holds now."""
    digest = pinned.outputs["data"].digest
    if recorded is not None and recorded.outputs["data"].digest == digest:
        return Action.NO_OP, [], recorded
    detail = f"version pins snapshot {digest[:12]} of apply {pinned.serial}"
    return Action.REUSE, [Reason(ReasonCode.PINNED, detail, {"digest": digest, "serial": pinned.serial})], pinned


def _triggered(desired: Desired, result: Planned) -> list[Change]:
    """The changes of what `replace_triggered_by` names, but for those that change nothing."""
    still = (Action.NO_OP, Action.REUSE, Action.FORGET)
    named = [result.by_address[addr] for addr in dict.fromkeys(desired.triggers) if addr in result.by_address]
    return [change for change in named if change.action not in still]


def _trigger_reasons(triggers: Sequence[Change]) -> list[Reason]:
    may = "may run" if triggers[0].action is Action.MAY_RUN else "runs"
    return [
        Reason(ReasonCode.TRIGGERED, f"replace_triggered_by: {change.address} {may}", {"address": change.address})
        for change in triggers
    ]


def _to_replace(request: Request, addr: Address) -> bool:
    """Whether an instance, or its whole block, was named with -replace."""
    return any(covers(text, addr) for text in request.replace)


def _endpoint(request: Request, desired: DesiredEndpoint, result: Planned) -> Change:
    recorded = request.state.results.get(desired.addr)
    desired = served_as_recorded(desired, recorded)
    observed = request.observed.endpoints.get(desired.addr)
    action, reasons = plan_endpoint(request.endpoint(desired), desired, recorded, observed)
    if _to_replace(request, desired.addr) and action is not Action.CREATE:
        action, reasons = Action.REPLACE, [Reason(ReasonCode.REQUESTED, "-replace was given")]
    triggers = [change for change in _triggered(desired, result) if change.action is not Action.MAY_RUN]
    if triggers and action in (Action.NO_OP, Action.UPDATE):
        action, reasons = Action.REPLACE, _trigger_reasons(triggers)
    reasons += failed_before(request.state, desired.addr) if action is not Action.NO_OP else []
    after = {"model": desired.model.digest, **plain(desired.shown_config)}
    before = None
    if recorded is not None and action is not Action.CREATE:
        model = recorded.inputs.get("model")
        before = {"model": model.digest if model else None, **dict(recorded.components.get("params", {}))}
    if observed is not None and observed.url and action is Action.NO_OP:
        after["url"] = observed.url
        before = {**before, "url": observed.url} if before else before
    return Change(
        addr=desired.addr,
        action=action,
        reasons=tuple(reasons),
        before=before,
        after=after,
        after_unknown=("model",) if desired.model.digest is None else (),
        sensitive=tuple(desired.sensitive),
        depends_on=tuple(str(a) for a in desired.references),
        execution_id=recorded.execution_id if recorded and action is Action.NO_OP else None,
        moved_from=request.moved.get(desired.addr, ""),
        provider=desired.config.provider,
        create_first=action is Action.REPLACE and desired.config.meta.lifecycle.create_before_destroy,
    )


def _after_gates(change: Change, planned: Mapping[Address, Desired]) -> Change:
    """An endpoint waits for gated steps that judge its model, also when it names the training step's."""
    desired = planned.get(change.addr)
    if not isinstance(desired, DesiredEndpoint):
        return change
    model = (desired.model.address, desired.model.output)
    gates = {
        str(addr)
        for addr, other in planned.items()
        if isinstance(other, DesiredStep)
        and other.params.get("gates")
        and any((ref.address, ref.output) == model for ref in other.inputs.values())
    }
    return replace(change, depends_on=tuple(sorted({*change.depends_on, *gates}))) if gates else change


def _after(
    components: Components,
    outputs: Mapping[str, OutputDecl],
    result: Recorded | None,
) -> dict[str, Any]:
    after: dict[str, Any] = {"type": components.type}
    if components.code:
        after["code"] = components.code["entry"]
    if components.environment.get("image"):
        after["image"] = components.environment["image"]
    after["params"] = dict(components.params)
    if components.triggers_replace is not None:
        after["triggers_replace"] = components.triggers_replace
    if components.inputs:
        after["inputs"] = {name: digest or None for name, digest in components.inputs.items()}
    after["outputs"] = {name: result.outputs[name].digest if result else None for name in outputs}
    return after


def _unknown_paths(
    components: Components, outputs: Mapping[str, OutputDecl], result: Recorded | None
) -> tuple[str, ...]:
    paths = [f"params.{name}" for name, value in components.params.items() if is_unknown(value)]
    paths += ["triggers_replace"] if is_unknown(components.triggers_replace) else []
    paths += [f"inputs.{name}" for name, digest in components.inputs.items() if not digest]
    if result is None:
        paths += [f"outputs.{name}" for name in outputs]
    return tuple(paths)


def output_changes(
    request: Request, names: Sequence[str], known: KnownResults, diagnostics: list[Diagnostic]
) -> list[OutputChange]:
    """The root outputs before, and after as far as what is known leads; what is wrong goes to `diagnostics`."""
    found = []
    before = request.state.outputs
    for name in names:
        output, problems = request.evaluator.output(name, known)
        diagnostics += problems
        if output is None or has_errors(problems):
            continue
        value = plain(output.value)
        old = before.get(name, {})
        unknown = is_unknown(value)
        after = None if unknown else concealed(value, sensitive=output.sensitive)
        found.append(OutputChange(name, old.get("value"), after, unknown, output.sensitive))
    return found


def _unchecked(packages: Sequence[str]) -> Diagnostic:
    names = ", ".join(packages)
    return warning(
        "environment_not_checked",
        f"Environment not checked here: {names} not installed",
        "Steps that use these packages are compared with what their last run recorded. "
        "Plan where they are installed to notice a change of version.",
    )
