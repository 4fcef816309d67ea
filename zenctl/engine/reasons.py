"""Says why: compares the components of a recorded result with those wanted now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zenctl.addrs import Address
from zenctl.fingerprint.data import RowsDifference
from zenctl.fingerprint.digest import is_unknown
from zenctl.fingerprint.environment import compare
from zenctl.jobs.artifacts import CorruptArtifact
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Components, Reason, ReasonCode
from zenctl.plans.difference import differences
from zenctl.plans.planfile import decode_components
from zenctl.schema import ArtifactRef


def changed(
    recorded: Recorded, wanted: Components, inputs: Mapping[str, ArtifactRef], rows: RowsDifference | None = None
) -> list[Reason]:
    """Every component that differs, named; empty where only unknown inputs could differ.

    `rows` is how a datasource's rows differ, where that is known.
    """
    before = decode_components(recorded.components)
    return [
        *_implementation(before, wanted),
        *_code(before, wanted),
        *_params(before, wanted),
        *_inputs(before, wanted, inputs),
        *_source(before, wanted, rows),
        *_environment(before, wanted),
        *_triggers(before, wanted),
    ]


def damaged(damage: CorruptArtifact) -> Reason:
    """A recorded output that is not in the store as it was written."""
    code = ReasonCode.OUTPUT_MISSING if damage.missing else ReasonCode.OUTPUT_CORRUPT
    return Reason(code, str(damage), {"path": damage.path})


def elsewhere(found: Recorded, addr: Address, state: WorkspaceState) -> Reason:
    """Where the recorded result stands that is taken instead of a run."""
    where = ""
    if found.project != state.project:
        where = f"workspace {found.workspace} of project {found.project}, "
    elif found.workspace != state.workspace:
        where = f"workspace {found.workspace}, "
    of = f" of {found.addr}" if found.addr != addr else ""
    data = {
        "project": found.project,
        "workspace": found.workspace,
        "serial": found.serial,
        "address": str(found.addr),
        "execution_id": found.execution_id,
    }
    return Reason(ReasonCode.RECORDED_ELSEWHERE, f"REUSE from {where}apply {found.serial}{of}", data)


def pending(inputs: Mapping[str, ArtifactRef], others: Iterable[str]) -> list[Reason]:
    """One reason that names what has to run first: the inputs that are not known, and `others`."""
    waits = sorted({str(ref.address) for ref in inputs.values() if ref.digest is None} | set(others))
    if not waits:
        return [Reason(ReasonCode.UPSTREAM_PENDING, "a value it needs is known only after apply")]
    return [Reason(ReasonCode.UPSTREAM_PENDING, f"waits for {', '.join(waits)}", {"addresses": waits})]


def failed_before(attempt: Recorded | None) -> list[Reason]:
    """The last attempt's failure, if the last attempt was no result."""
    if attempt is None:
        return []
    if attempt.state is ExecutionState.FAILED:
        first_line = attempt.error.strip().splitlines()[0] if attempt.error.strip() else "no message was recorded"
        detail = f"failed in apply {attempt.serial}: {first_line}"
    elif attempt.state is ExecutionState.CANCELED:
        detail = f"was canceled in apply {attempt.serial}"
    else:
        detail = f"was interrupted in apply {attempt.serial}"
    return [Reason(ReasonCode.FAILED_BEFORE, detail, {"serial": attempt.serial, "state": attempt.state.value})]


def _implementation(before: Components, wanted: Components) -> list[Reason]:
    if before.type == wanted.type:
        return []
    detail = f"implementation {before.type} -> {wanted.type}"
    return [Reason(ReasonCode.IMPLEMENTATION_CHANGED, detail, {"before": before.type, "after": wanted.type})]


def _code(before: Components, wanted: Components) -> list[Reason]:
    function_before, function = _function(before.code), _function(wanted.code)
    if before.code.get("digest") == wanted.code.get("digest") and function_before == function:
        return []
    old, new = before.code.get("files", {}), wanted.code.get("files", {})
    parts = [f"{path} changed" for path in sorted(old.keys() & new.keys()) if old[path] != new[path]]
    parts += [f"{path} added" for path in sorted(new.keys() - old.keys())]
    parts += [f"{path} removed" for path in sorted(old.keys() - new.keys())]
    if function_before != function:
        parts.insert(0, f"function {function_before} -> {function}")
    data = {"before": before.code.get("digest", ""), "after": wanted.code.get("digest", ""), "changes": parts}
    return [Reason(ReasonCode.CODE_CHANGED, ", ".join(parts) or "code changed", data)]


def _function(code: Mapping[str, Any]) -> str:
    return str(code.get("entry", "")).rpartition(":")[2]


def _params(before: Components, wanted: Components) -> list[Reason]:
    return [
        Reason(ReasonCode.PARAMETERS_CHANGED, str(difference), {"path": difference.path})
        for difference in differences(dict(before.params), dict(wanted.params), "params")
        if not is_unknown(difference.after)
    ]


def _inputs(before: Components, wanted: Components, refs: Mapping[str, ArtifactRef]) -> list[Reason]:
    found = []
    for name in sorted(before.inputs.keys() | wanted.inputs.keys()):
        old, new = before.inputs.get(name), wanted.inputs.get(name)
        if old == new or new == "":
            continue
        address = str(refs[name]) if name in refs else ""
        if old is None:
            detail = f"input {name} ({address}) is new"
        elif new is None:
            detail = f"input {name} is gone"
        else:
            detail = f"input {name} ({address}) has other content: {old[:12]} -> {new[:12]}"
        data = {"input": name, "address": address, "before": old or "", "after": new or ""}
        found.append(Reason(ReasonCode.INPUT_CHANGED, detail, data))
    return found


def _source(before: Components, wanted: Components, rows: RowsDifference | None) -> list[Reason]:
    if not wanted.source:  # where it lies is known only after apply
        return []
    if before.source.get("digest") == wanted.source.get("digest"):
        return []
    return [data_moved(before.source, wanted.source, rows)]


def data_moved(old: Mapping[str, Any], new: Mapping[str, Any], rows: RowsDifference | None = None) -> Reason:
    """What differs between two sources, as in `Components.source`; `rows` tells it row by row."""
    counted = {
        "rows": {"added": rows.added, "removed": rows.removed, "changed": rows.changed} if rows else {},
        "bytes": {"added": rows.bytes_added, "removed": rows.bytes_removed} if rows else {},
    }
    parts = []
    data: dict[str, Any] = {}
    for unit, counts in counted.items():
        data |= {f"{unit}_before": old.get(unit), f"{unit}_after": new.get(unit)}
        data |= {f"{unit}_{what}": count for what, count in counts.items()}
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        if old.get(unit) is not None and new.get(unit) is not None:
            parts.append(f"{old[unit]:,} -> {new[unit]:,} {unit}" + (f" ({told})" if told else ""))
    columns, texts = _columns(old.get("columns") or {}, new.get("columns") or {})
    return Reason(ReasonCode.DATA_CHANGED, ", ".join([*parts, *texts]) or "content changed", {**data, **columns})


def _columns(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """New, gone and retyped columns, for machines and as texts; none where the columns of one are not known."""
    if not old or not new:
        return {}, []
    added = [name for name in new if name not in old]
    removed = [name for name in old if name not in new]
    retyped = {
        name: {"before": old[name], "after": new[name]}
        for name in new
        if name in old and old[name] and new[name] and old[name] != new[name]
    }
    texts = [f"column {name} is new" for name in added]
    texts += [f"column {name} is gone" for name in removed]
    texts += [f"column {name}: {kinds['before']} -> {kinds['after']}" for name, kinds in retyped.items()]
    data = {"columns_added": added, "columns_removed": removed, "columns_retyped": retyped}
    return {name: value for name, value in data.items() if value}, texts


def _environment(before: Components, wanted: Components) -> list[Reason]:
    changes = [str(change) for change in compare(before.environment, wanted.environment)]
    return [Reason(ReasonCode.ENVIRONMENT_CHANGED, ", ".join(changes), {"changes": changes})] if changes else []


def _triggers(before: Components, wanted: Components) -> list[Reason]:
    return [
        Reason(ReasonCode.TRIGGER_CHANGED, str(difference), {"path": difference.path})
        for difference in differences(before.triggers_replace, wanted.triggers_replace, "triggers_replace")
        if not is_unknown(difference.after)
    ]
