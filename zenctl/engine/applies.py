"""The operations behind `zenctl history` and `zenctl force-unlock`: reads applies and runs, and takes a lock away."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field

from zenctl.addrs import parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.opening import OpeningError, open_settings, opened_store, store_failure
from zenctl.engine.requests import Inputs
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.applies import Apply, applies
from zenctl.metadata.lock import force_unlock
from zenctl.metadata.records import Recorded
from zenctl.metadata.state import history
from zenctl.metadata.store import StoreError

__all__ = ["Apply"]


@dataclass(frozen=True, slots=True)
class AppliesOutcome:
    """Applies, newest first, or only diagnostics."""

    applies: tuple[Apply, ...] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def list_applies(inputs: Inputs, *, newest: int = 0) -> AppliesOutcome:
    """The applies of the workspace."""
    try:
        settings, sources = open_settings(inputs)
    except OpeningError as problem:
        return AppliesOutcome(None, problem.diagnostics, problem.sources)
    try:
        with opened_store(settings, inputs, create=False) as store:
            found = applies(store, settings.project, inputs.workspace, time.time_ns() // 1_000_000, newest=newest)
    except DiagnosticError as problem:
        return AppliesOutcome(None, problem.diagnostics, sources)
    return AppliesOutcome(tuple(found), (), sources)


@dataclass(frozen=True, slots=True)
class RunsOutcome:
    """All that is recorded of an address in the workspace, newest first, or only diagnostics."""

    runs: tuple[Recorded, ...] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def list_runs(inputs: Inputs, address: str, *, newest: int = 0) -> RunsOutcome:
    """The runs of an address; only so many if `newest` is not 0. One that nothing is recorded of is a diagnostic."""
    try:
        settings, sources = open_settings(inputs)
    except OpeningError as problem:
        return RunsOutcome(None, problem.diagnostics, problem.sources)
    try:
        with opened_store(settings, inputs, create=False) as store:
            found = history(store, settings.project, inputs.workspace, parse(address), newest=newest)
    except DiagnosticError as problem:
        return RunsOutcome(None, problem.diagnostics, sources)
    if not found:
        summary = f"Nothing is recorded of {address} in workspace {inputs.workspace}"
        missing = error("not_recorded", summary, "`zenctl state list` lists the addresses that have a result.")
        return RunsOutcome(None, (missing,), sources)
    return RunsOutcome(tuple(found), (), sources)


def lock_holder(inputs: Inputs, serial: int) -> AppliesOutcome:
    """The apply that holds the lock, if it is that one; else a diagnostic that says who does."""
    outcome = list_applies(inputs, newest=1)
    if outcome.applies is None:
        return outcome
    held = [apply for apply in outcome.applies if not apply.ended_ms]
    if held and held[0].serial == serial:
        return AppliesOutcome(tuple(held), (), outcome.sources)
    where = f'workspace "{inputs.workspace}"'
    if held:
        detail = f"It is held by apply {held[0].serial}: {held[0].holder}"
        problem = error("not_locked", f"Apply {serial} does not hold the lock on {where}", detail)
    else:
        problem = error("not_locked", f"No apply holds the lock on {where}", "There is nothing to unlock.")
    return AppliesOutcome(None, (problem,), outcome.sources)


def unlock(inputs: Inputs, serial: int) -> tuple[Diagnostic, ...]:
    """Take the lock away from an apply; what it tries to record from then on is refused whole."""
    try:
        settings, _ = open_settings(inputs)
        with opened_store(settings, inputs, create=True) as store:
            try:
                force_unlock(store, settings.project, inputs.workspace, serial)
            except StoreError as problem:
                return (store_failure(problem),)
    except DiagnosticError as problem:
        return problem.diagnostics
    return ()
