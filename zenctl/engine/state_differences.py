"""Says how two recorded states differ: results by parameters, code, data, environment, metrics and outputs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from zenctl.addrs import Address
from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import DiagnosticError, did_you_mean, error
from zenctl.engine.comparing import side_by_side
from zenctl.engine.metrics import metrics_of
from zenctl.engine.reasons import changed
from zenctl.fingerprint.data import RowsDifference
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.past import state_at
from zenctl.metadata.records import Recorded, WorkspaceState
from zenctl.metadata.state import newest_apply, read_state
from zenctl.metadata.store import MetadataStore
from zenctl.metadata.workspaces import workspaces
from zenctl.plans.actions import Reason, ReasonCode
from zenctl.plans.difference import Difference, differences
from zenctl.plans.plan import CodeDiff
from zenctl.plans.planfile import decode_components
from zenctl.sdk.drift import FeatureDrift

_SERIAL = re.compile(r"\d{1,9}")

Rows = Callable[[str, str], "RowsDifference | None"]
"""How the rows of two sources differ, by their digests, where that is known."""


@dataclass(frozen=True, slots=True)
class ResultDifference:
    """An address whose result differs. `before` or `after` is None where it has none.

    `reasons` name each cause; `metrics` are the values that differ, `outputs` the digests that do, by name; `drift` are
    the columns that moved, of each output that is a data set.
    """

    addr: Address
    before: Recorded | None
    after: Recorded | None
    reasons: tuple[Reason, ...] = ()
    metrics: Mapping[str, tuple[Any, Any]] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, tuple[str, str]] = field(default_factory=dict, hash=False)
    code: CodeDiff | None = None
    drift: Mapping[str, tuple[FeatureDrift, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class StateDifference:
    """Two states, where they differ, and how many results are in both and the same."""

    before: WorkspaceState
    after: WorkspaceState
    results: tuple[ResultDifference, ...]
    outputs: tuple[Difference, ...]
    same: int

    @property
    def equal(self) -> bool:
        return not self.results and not self.outputs


def read_side(store: MetadataStore, project: str, workspace: str, words: str) -> WorkspaceState:
    """The state that words name: `3` (an apply of this workspace), `pr-42` (a workspace now), `pr-42@3`; "" is now.

    Raises DiagnosticError for a workspace or an apply that is not there.
    """
    name, at, text = words.partition("@")
    if not at and _SERIAL.fullmatch(words):
        name, text = "", words
    if text and not _SERIAL.fullmatch(text):
        detail = "Write WORKSPACE@SERIAL, as in main@12; `zenctl history` lists the serials."
        raise DiagnosticError(error("bad_argument", f'"{text}" is no serial', detail))
    if name and name != workspace:
        check_workspace(store, project, name)
    return _read(store, project, name or workspace, int(text) if text else 0)


def check_workspace(store: MetadataStore, project: str, name: str) -> None:
    """Raise DiagnosticError if the project has no such workspace."""
    known = [DEFAULT, *(found.name for found in workspaces(store, project))]
    if name not in known:
        detail = f"`zenctl workspace list` lists all.{did_you_mean(name, known)}"
        raise DiagnosticError(error("workspace_unknown", f'There is no workspace "{name}"', detail))


def _read(store: MetadataStore, project: str, workspace: str, serial: int) -> WorkspaceState:
    newest = newest_apply(store, project, workspace)
    last = int(newest.properties.get("serial", 0)) if newest else 0
    if not serial or serial == last:
        return read_state(store, project, workspace)
    found = state_at(store, project, workspace, serial, time.time_ns() // 1_000_000)
    if found is None:
        detail = f"Its newest is {last}; `zenctl history` lists all." if last else "Nothing has been applied in it yet."
        raise DiagnosticError(error("not_recorded", f"Workspace {workspace} has no apply {serial}", detail))
    return found


def compare_states(before: WorkspaceState, after: WorkspaceState, rows: Rows | None = None) -> StateDifference:
    """Where two states differ, in the order in which the results came to be. Pure, but for what `rows` knows."""
    found = []
    same = 0
    for addr in {**before.results, **after.results}:
        old, new = before.results.get(addr), after.results.get(addr)
        difference = ResultDifference(addr, old, new)
        if old is not None and new is not None:
            known = _difference(old, new, rows)
            if known is None:
                same += 1
                continue
            difference = known
        found.append(difference)
    found.sort(key=_order)
    return StateDifference(before, after, tuple(found), tuple(_outputs(before, after)), same)


def _order(difference: ResultDifference) -> int:
    recorded = difference.after or difference.before
    return recorded.execution_id if recorded is not None else 0


def _difference(old: Recorded, new: Recorded, rows: Rows | None) -> ResultDifference | None:
    """How one address differs; None if its result is the same one, or one like it."""
    if old.execution_id == new.execution_id:
        return None
    pairs = {name: (_digest(old, name), _digest(new, name)) for name in [*old.outputs, *new.outputs]}
    outputs = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    values = side_by_side(metrics_of(old), metrics_of(new))
    metrics = {name: pair for name, pair in values.items() if pair[0] != pair[1]}
    source_before, source = (str(r.components.get("source", {}).get("digest", "")) for r in (old, new))
    counted = rows(source_before, source) if rows is not None and source_before != source else None
    wanted = decode_components(_as_it_ran(new).components)
    reasons = changed(_as_it_ran(old), wanted, {}, counted)
    if not (outputs or metrics or reasons):
        return None
    return ResultDifference(new.addr, old, new, tuple(reasons), metrics, outputs)


def _as_it_ran(recorded: Recorded) -> Recorded:
    """The record with the whole environment that its job reported, beside what the plan saw of it."""
    planned, reported = recorded.components.get("environment", {}), recorded.environment
    packages = {**planned.get("distributions", {}), **reported.get("distributions", {})}
    environment = {**planned, **reported, "distributions": packages}
    return replace(recorded, components={"type": "", **recorded.components, "environment": environment})


def _digest(recorded: Recorded, name: str) -> str:
    artifact = recorded.outputs.get(name)
    return artifact.digest if artifact is not None else ""


def _outputs(before: WorkspaceState, after: WorkspaceState) -> list[Difference]:
    """The root outputs that differ; of sensitive ones no value is recorded that could be compared."""

    def values(state: WorkspaceState) -> dict[str, Any]:
        return {n: {"sensitive": ""} if o.get("sensitive") else o.get("value") for n, o in state.outputs.items()}

    return differences(values(before), values(after))


def code_reason(difference: ResultDifference) -> Reason | None:
    """Why its code differs, if it does."""
    return next((reason for reason in difference.reasons if reason.code is ReasonCode.CODE_CHANGED), None)
