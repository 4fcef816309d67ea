"""Decides what to do. Pure: reads nothing but its arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zenctl.addrs import Address, EndpointAddr
from zenctl.diagnostics import Diagnostic, has_errors, warning
from zenctl.engine.components import (
    concealed,
    datasource_components,
    environment_here,
    plain,
    step_components,
)
from zenctl.engine.desired import Desired, DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.endpoints import plan_endpoint
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.known import DATA, Known, recorded_refs, unknown_refs
from zenctl.engine.observed import Observed
from zenctl.engine.reasons import changed, damaged, failed_before, pending
from zenctl.fingerprint.digest import fingerprint, is_unknown
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import Change, OutputChange
from zenctl.provider import Endpoint
from zenctl.schema import OutputDecl


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a plan is made from.

    `order` are the nodes to plan, dependencies first. `find_result` gives a recorded, intact result with a fingerprint
    from this workspace or one it may reuse from. `endpoint` gives an endpoint type's implementation (its `plan` is
    pure). `forget_others` is off when only a part is planned (`-target`).
    """

    order: Sequence[Address]
    evaluator: Evaluator
    state: WorkspaceState
    observed: Observed
    find_result: Callable[[Address, str], Recorded | None]
    endpoint: Callable[[DesiredEndpoint], Endpoint]
    replace: frozenset[Address] = frozenset()
    forget_others: bool = True


@dataclass(slots=True)
class Planned:
    """The changes in order, the root outputs, and what planning had to say."""

    changes: list[Change] = field(default_factory=list)
    outputs: list[OutputChange] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    desired: dict[Address, Desired] = field(default_factory=dict)


def plan(request: Request, output_names: Sequence[str]) -> Planned:
    """Plan every node of the order, then what is recorded but no longer configured, then the root outputs."""
    result = Planned()
    known: dict[Address, Known] = {}
    unchecked: set[str] = set()
    for addr in request.order:
        desired, found = request.evaluator.node(addr, known)
        result.diagnostics += found
        if desired is None or has_errors(found) or not desired.enabled:
            continue
        result.desired[addr] = desired
        if isinstance(desired, DesiredEndpoint):
            result.changes.append(_endpoint(request, desired, result))
            continue
        change, refs, missing = _node(request, desired, known)
        result.changes.append(change)
        known[addr] = refs
        unchecked |= set(missing)
    if request.forget_others:
        result.changes += _removed(request, result.desired)
    result.outputs = _outputs(request, output_names, known, result.diagnostics)
    if unchecked:
        result.diagnostics.append(_unchecked(sorted(unchecked)))
    return result


def plan_destroy(state: WorkspaceState, targets: frozenset[Address] = frozenset()) -> list[Change]:
    """Delete every recorded endpoint (or the targeted ones); records and artifacts stay."""
    return [
        _delete(recorded, Reason(ReasonCode.REQUESTED, "destroy was requested"))
        for addr, recorded in sorted(state.results.items(), key=lambda item: str(item[0]))
        if isinstance(addr, EndpointAddr) and (not targets or addr in targets)
    ]


def _node(
    request: Request, desired: DesiredDatasource | DesiredStep, known: Mapping[Address, Known]
) -> tuple[Change, Known, list[str]]:
    addr = desired.addr
    recorded = request.state.results.get(addr)
    environment, unchecked = environment_here(request.observed.environments.get(addr, {}), recorded)
    if isinstance(desired, DesiredDatasource):
        components = datasource_components(desired, request.observed.sources.get(addr), environment)
        outputs: Mapping[str, OutputDecl] = DATA
        known_source = bool(components.source)
    else:
        components = step_components(desired, request.observed.closures.get(addr), environment)
        outputs = desired.outputs
        known_source = True
    complete = known_source and all(components.inputs.values()) and not is_unknown(components.params)
    digest = fingerprint(components) if complete else ""
    waiting = [
        str(reference)
        for reference in desired.config.references
        if any(ref.digest is None for ref in known.get(reference, {}).values())
    ]
    action, reasons, result = _decide(request, desired, components, digest, recorded, waiting)
    refs = recorded_refs(addr, result, outputs) if result else unknown_refs(addr, outputs)
    change = Change(
        addr=addr,
        action=action,
        reasons=tuple(reasons),
        before=_before(recorded),
        after=_after(components, outputs, result),
        after_unknown=_unknown_paths(components, outputs, result),
        sensitive=tuple(f"params.{path}" for path in desired.sensitive),
        depends_on=tuple(str(a) for a in desired.config.references),
        components=components,
        fingerprint=digest,
        execution_id=result.execution_id if result else None,
    )
    return change, refs, unchecked


def _decide(
    request: Request,
    desired: DesiredDatasource | DesiredStep,
    components: Components,
    digest: str,
    recorded: Recorded | None,
    waiting: Collection[str],
) -> tuple[Action, list[Reason], Recorded | None]:
    """The action, why, and the recorded result it stands on, if any. `waiting` are its references without a result."""
    addr = desired.addr
    inputs = desired.inputs if isinstance(desired, DesiredStep) else {}
    attempt = request.state.attempts.get(addr)
    damage = request.observed.damage.get(addr)
    waits = [] if digest else pending(inputs, waiting)
    if addr in request.replace:
        return Action.RUN, [Reason(ReasonCode.REQUESTED, "-replace was given"), *waits], None
    if recorded is not None and digest and digest == recorded.fingerprint and damage is None:
        return Action.NO_OP, [], recorded
    reasons = changed(recorded, components, inputs) if recorded else []
    if damage is not None:
        reasons.append(damaged(damage))
    if digest:
        found = request.find_result(addr, digest)
        if found is not None:
            where = Reason(ReasonCode.RECORDED_ELSEWHERE, f"{found.addr} of apply {found.serial} has this result")
            return Action.REUSE, [*reasons, where], found
    if recorded is None:
        first = failed_before(attempt) or [Reason(ReasonCode.NEVER_RAN, "has never run")]
        return Action.RUN, [*first, *waits], None
    if not reasons and not digest:
        return Action.MAY_RUN, [*waits, *failed_before(attempt)], None
    return Action.RUN, [*reasons, *failed_before(attempt), *waits], None


def _endpoint(request: Request, desired: DesiredEndpoint, result: Planned) -> Change:
    recorded = request.state.results.get(desired.addr)
    observed = request.observed.endpoints.get(desired.addr)
    action, reasons = plan_endpoint(request.endpoint(desired), desired, recorded, observed)
    if desired.addr in request.replace and action is not Action.CREATE:
        action, reasons = Action.REPLACE, [Reason(ReasonCode.REQUESTED, "-replace was given")]
    reasons += failed_before(request.state.attempts.get(desired.addr)) if action is not Action.NO_OP else []
    gates = _gates(desired, result.desired)
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
        depends_on=tuple(sorted({str(a) for a in desired.config.references} | gates)),
        execution_id=recorded.execution_id if recorded and action is Action.NO_OP else None,
    )


def _gates(desired: DesiredEndpoint, others: Mapping[Address, Desired]) -> set[str]:
    """Gated steps that judge the endpoint's model: it waits for them also when it names the training step."""
    model = (desired.model.address, desired.model.output)
    return {
        str(addr)
        for addr, other in others.items()
        if isinstance(other, DesiredStep)
        and other.params.get("gates")
        and any((ref.address, ref.output) == model for ref in other.inputs.values())
    }


def _removed(request: Request, wanted: Mapping[Address, Desired]) -> list[Change]:
    """What is recorded and no longer configured: endpoints are deleted, steps and datasources forgotten."""
    found = []
    for addr, recorded in sorted(request.state.results.items(), key=lambda item: str(item[0])):
        if addr in wanted or (addr in request.evaluator.configuration.nodes and addr not in request.order):
            continue
        reason = Reason(ReasonCode.REMOVED, "is no longer in the configuration")
        if addr in request.evaluator.configuration.nodes:
            reason = Reason(ReasonCode.REMOVED, "is not enabled")
        if isinstance(addr, EndpointAddr):
            found.append(_delete(recorded, reason))
        else:
            found.append(Change(addr, Action.FORGET, (reason,), before=_before(recorded), after=None))
    return found


def _delete(recorded: Recorded, reason: Reason) -> Change:
    model = recorded.inputs.get("model")
    before = {"model": model.digest if model else None, **dict(recorded.attributes)}
    return Change(recorded.addr, Action.DELETE, (reason,), before=before, after=None)


def _before(recorded: Recorded | None) -> dict[str, Any] | None:
    if recorded is None:
        return None
    components = recorded.components
    before: dict[str, Any] = {"type": components.get("type", "")}
    if components.get("code"):
        before["code"] = components["code"].get("entry", "")
    before["params"] = components.get("params", {})
    if components.get("inputs"):
        before["inputs"] = dict(components["inputs"])
    before["outputs"] = {name: artifact.digest for name, artifact in recorded.outputs.items()}
    return before


def _after(
    components: Components,
    outputs: Mapping[str, OutputDecl],
    result: Recorded | None,
) -> dict[str, Any]:
    after: dict[str, Any] = {"type": components.type}
    if components.code:
        after["code"] = components.code["entry"]
    after["params"] = dict(components.params)
    if components.inputs:
        after["inputs"] = {name: digest or None for name, digest in components.inputs.items()}
    after["outputs"] = {name: result.outputs[name].digest if result else None for name in outputs}
    return after


def _unknown_paths(
    components: Components, outputs: Mapping[str, OutputDecl], result: Recorded | None
) -> tuple[str, ...]:
    paths = [f"params.{name}" for name, value in components.params.items() if is_unknown(value)]
    paths += [f"inputs.{name}" for name, digest in components.inputs.items() if not digest]
    if result is None:
        paths += [f"outputs.{name}" for name in outputs]
    return tuple(paths)


def _outputs(
    request: Request, names: Sequence[str], known: Mapping[Address, Known], diagnostics: list[Diagnostic]
) -> list[OutputChange]:
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
