"""Says why: compares the components of a recorded result with those wanted now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zenctl.addrs import Address
from zenctl.fingerprint.code import WHOLE
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

MOST_NAMES = 8
"""Most definitions of one file that a reason names; its data names all."""

ORDER = "order of statements"
"""What is said to have changed where every definition is the same and their order is not."""


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


def vanished(recorded: Recorded) -> Reason:
    """A recorded endpoint that is not there any more."""
    return Reason(ReasonCode.DRIFTED, f"is gone: it was running after apply {recorded.serial}")


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


def failed_before(state: WorkspaceState, addr: Address) -> list[Reason]:
    """The last attempt's failure, if the last attempt was no result."""
    attempt = state.attempts.get(addr)
    if attempt is None:
        return []
    if attempt.state is ExecutionState.FAILED:
        first_line = attempt.error.strip().splitlines()[0] if attempt.error.strip() else "no message was recorded"
        detail = f"failed in apply {attempt.serial}: {first_line}"
    elif attempt.state is ExecutionState.CANCELED:
        detail = f"was canceled in apply {attempt.serial}"
    elif state.busy:
        detail = f"is under way in apply {state.busy}"
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
    found = definition_changes(before.code, wanted.code)
    parts = [file_line(path, names) for path, names in found.items()]
    if function_before != function:
        parts.insert(0, f"function {function_before} -> {function}")
    parts += _pin(before.code.get("pin", {}), wanted.code.get("pin", {}))
    data = {
        "before": before.code.get("digest", ""),
        "after": wanted.code.get("digest", ""),
        "changes": parts,
        "definitions": found,
    }
    if not parts and "definitions" not in before.code:
        parts = ["code changed since it was recorded, by a version that did not tell definitions apart"]
    return [Reason(ReasonCode.CODE_CHANGED, "; ".join(parts) or "code changed", data)]


def _pin(before: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What happened to the commit that code is pinned to."""
    if before.get("commit") == wanted.get("commit"):
        return []
    if not wanted:
        return [f"was pinned to {_pinned(before)}, is read from the working tree"]
    if before and before["ref"] == wanted["ref"]:
        return [f"{wanted['ref']} has moved: {before['commit'][:12]} -> {wanted['commit'][:12]}"]
    return [f"pinned to {_pinned(before)} -> {_pinned(wanted)}" if before else f"pinned to {_pinned(wanted)}"]


def _pinned(pin: Mapping[str, str]) -> str:
    """`v1 (4f2e1ab01234)`"""
    short = pin["commit"][:12]
    return short if pin["commit"].startswith(pin["ref"]) else f"{pin['ref']} ({short})"


def definition_changes(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What differs between two recorded codes: {path: {definition: "changed", "added" or "removed"}}.

    A file that came, went or moved as a whole, or of which every byte counts, has the one key "". That of ORDER says
    that the same statements stand in another order. Empty where one of the codes does not name its definitions.
    """
    if "definitions" not in before or "definitions" not in wanted:
        return {}
    old, new = dict(before["definitions"]), wanted["definitions"]
    old_files, new_files = dict(before.get("files", {})), wanted.get("files", {})
    found: dict[str, dict[str, str]] = {}
    entry_before, entry = _entry_file(before), _entry_file(wanted)
    if entry_before != entry and entry_before in old and entry not in old:
        found[entry] = {"": f"moved from {entry_before}"}
        old[entry], old_files[entry] = old.pop(entry_before), old_files.pop(entry_before)
    for path in sorted(old.keys() | new.keys()):
        if path not in new or path not in old:
            found[path] = {"": "added" if path in new else "removed"}
        elif old_files.get(path) != new_files.get(path):
            names = {
                name: "added" if name not in old[path] else "removed" if name not in new[path] else "changed"
                for name in sorted(old[path].keys() | new[path].keys())
                if old[path].get(name) != new[path].get(name)
            }
            if names.keys() == {WHOLE}:
                names = {"": "changed"}
            names.pop(WHOLE, None)
            found[path] = {**found.get(path, {}), **(names or {ORDER: "changed"})}
    return found


def file_line(path: str, names: Mapping[str, str]) -> str:
    """`steps/fit.py: fit, _scale (added)`; `config/a.json changed`."""
    shown = [name if how == "changed" else f"{name} ({how})" for name, how in names.items() if name]
    if len(shown) > MOST_NAMES:
        shown[MOST_NAMES:] = [f"and {len(shown) - MOST_NAMES} more"]
    head = f"{path} {names['']}" if "" in names else path
    return f"{head}: {', '.join(shown)}" if shown else head


def _entry_file(code: Mapping[str, Any]) -> str:
    return str(code.get("entry", "")).rpartition(":")[0]


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
        what = f"input {name} ({address})" if address else f"input {name}"
        if old is None:
            detail = f"{what} is new"
        elif new is None:
            detail = f"input {name} is gone"
        else:
            detail = f"{what} has other content: {old[:12]} -> {new[:12]}"
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
        # No bytes before and after: of such a source only the version is known.
        if old.get(unit) is not None and new.get(unit) is not None and (old[unit] or new[unit]):
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
