"""Adds to a plan's reasons how far the data moved that they name, of snapshots and of sources that are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address, DatasourceAddr
from zenctl.engine.data_drift import compared, drift_json, statistics_of
from zenctl.jobs.storage import Storage
from zenctl.metadata.records import Recorded
from zenctl.plans.actions import DATA_REASONS, Action, Reason, ReasonCode
from zenctl.plans.plan import Change

MOVERS = 5
"""Columns that a reason tells of: those that moved farthest."""

PAIRS = 20
"""Pairs of snapshots that are compared for one plan, so that it stays quick with however many instances."""

Survey = Callable[[DatasourceAddr], "Mapping[str, Any] | None"]
"""The statistics of a source as it is now, for a datasource that was not read since; None where they are not known."""


def with_movers(
    changes: Iterable[Change], results: Mapping[Address, Recorded], storage: Storage, survey: Survey | None
) -> tuple[Change, ...]:
    """The changes; each reason that data changed has in `data` what moved, as `drift`, if anything did.

    What is the same at several addresses is told at the first one. Without a `survey` nothing is told of sources that
    were not read since they changed.
    """
    movers = _Movers(results, storage, survey)
    return tuple(movers.told(change) for change in changes)


class _Movers:
    def __init__(self, results: Mapping[Address, Recorded], storage: Storage, survey: Survey | None) -> None:
        self._results = results
        self._storage = storage
        self._survey = survey
        self._seen: set[tuple[str, str]] = set()

    def told(self, change: Change) -> Change:
        recorded = self._results.get(change.addr)
        if recorded is None or all(reason.code not in DATA_REASONS for reason in change.reasons):
            return change
        return replace(change, reasons=tuple(self._reason(reason, change, recorded) for reason in change.reasons))

    def _reason(self, reason: Reason, change: Change, recorded: Recorded) -> Reason:
        found: dict[str, Any] = {}
        if reason.code is ReasonCode.INPUT_CHANGED:
            found = self._of_input(reason, recorded)
        elif reason.code in DATA_REASONS:
            found = self._of_source(change, recorded)
        return replace(reason, data={**reason.data, "drift": found}) if found else reason

    def _of_input(self, reason: Reason, recorded: Recorded) -> dict[str, Any]:
        old = recorded.inputs.get(str(reason.data.get("input", "")))
        after = str(reason.data.get("after", ""))
        return self._between(old.digest, after) if old is not None and old.type == "Dataset" and after else {}

    def _of_source(self, change: Change, recorded: Recorded) -> dict[str, Any]:
        if "data" not in recorded.outputs or not isinstance(change.addr, DatasourceAddr):
            return {}
        before = recorded.outputs["data"].digest
        if change.action is Action.REUSE:
            return self._between(before, str((change.after or {}).get("outputs", {}).get("data") or ""))
        after = self._survey(change.addr) if self._survey is not None else None
        return _document(statistics_of(self._storage, before), after) if after is not None else {}

    def _between(self, before: str, after: str) -> dict[str, Any]:
        if before == after or not after or (before, after) in self._seen or len(self._seen) >= PAIRS:
            return {}
        self._seen.add((before, after))
        return _document(*(statistics_of(self._storage, digest) for digest in (before, after)))


def _document(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    moved = compared(before, after)
    if not moved:
        return {}
    return {"columns": len(moved), "movers": [drift_json(item) for item in moved[:MOVERS]]}
