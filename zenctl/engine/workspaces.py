"""The operations behind `zenctl workspace`: lists, makes and deletes workspaces, and clears away expired ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace

from zenctl.addrs import EndpointAddr
from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error, has_errors
from zenctl.engine.events import Listener
from zenctl.engine.locking import LEASE_SECONDS
from zenctl.engine.opening import open_settings, opened_store
from zenctl.engine.removing import begun
from zenctl.engine.requests import Inputs, PlanOptions, Stop
from zenctl.engine.workflow import apply_plan, make_plan
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import LockHeld, acquire
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import WorkspaceState, read_state
from zenctl.metadata.store import AlreadyExists, ExecutionState, MetadataStore
from zenctl.metadata.workspaces import Workspace, create_workspace, workspace, workspaces

__all__ = ["Workspace"]


@dataclass(frozen=True, slots=True)
class WorkspacesOutcome:
    """Workspaces by name, or only diagnostics."""

    workspaces: tuple[Workspace, ...] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of the workspaces that were to be deleted: endpoints left running by name of the workspace."""

    names: tuple[str, ...] = ()
    left: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def now_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def list_workspaces(inputs: Inputs) -> WorkspacesOutcome:
    """The workspaces of the project, the default one always among them."""
    try:
        with _records(inputs, create=False) as (project, store):
            found = workspaces(store, project)
    except DiagnosticError as problem:
        return WorkspacesOutcome(None, problem.diagnostics, _texts(problem))
    there = {item.name: item for item in (Workspace(DEFAULT), *found)}
    return WorkspacesOutcome(tuple(there[name] for name in sorted(there)))


def new_workspace(inputs: Inputs, name: str, ttl_seconds: int = 0) -> WorkspacesOutcome:
    """Record a new, empty workspace; an error if it is there. `ttl_seconds` is how long it lives, 0 for ever."""
    try:
        with _records(inputs, create=True) as (project, store):
            try:
                if name == DEFAULT:
                    raise AlreadyExists(name)
                create_workspace(store, project, name, ttl_seconds)
            except AlreadyExists as problem:
                detail = f"Select it with `zenctl workspace select {name}`."
                raise DiagnosticError(
                    error("workspace_exists", f'The workspace "{name}" exists already', detail)
                ) from problem
            made = workspace(store, project, name)
    except DiagnosticError as problem:
        return WorkspacesOutcome(None, problem.diagnostics, _texts(problem))
    return WorkspacesOutcome((made,) if made else ())


def find_workspace(inputs: Inputs, name: str, hint: str = "") -> WorkspacesOutcome:
    """One workspace; an error if it is not there, with a hint on what to do."""
    outcome = list_workspaces(inputs)
    if outcome.workspaces is None:
        return outcome
    found = tuple(item for item in outcome.workspaces if item.name == name)
    return replace(outcome, workspaces=found) if found else WorkspacesOutcome(None, (_unknown(name, outcome, hint),))


def delete_workspace(inputs: Inputs, name: str, *, force: bool, lock_timeout: float = 0.0) -> Deleted:
    """Delete a workspace: none of its addresses has a result any more. Records and artifacts stay.

    One with endpoints is refused, or with `force` let go: they run on, and zenctl knows them no more.
    """
    found = find_workspace(inputs, name)
    if found.workspaces is None:
        return Deleted(diagnostics=found.diagnostics, sources=found.sources)
    try:
        with _records(inputs, create=True) as (project, store):
            left = _delete(project, inputs, store, found.workspaces[0], force=force, lock_timeout=lock_timeout)
    except DiagnosticError as problem:
        return Deleted(diagnostics=problem.diagnostics, sources=_texts(problem))
    return Deleted((name,), {name: left} if left else {})


def expired_workspaces(inputs: Inputs) -> WorkspacesOutcome:
    """The workspaces whose time is over."""
    outcome = list_workspaces(inputs)
    if outcome.workspaces is None:
        return outcome
    now = now_ms()
    return replace(outcome, workspaces=tuple(item for item in outcome.workspaces if item.expired(now)))


def delete_expired(
    inputs: Inputs, names: tuple[str, ...], *, listener: Listener, stop: Stop, lock_timeout: float = 0.0
) -> Deleted:
    """Destroy the endpoints of these workspaces, then delete each; one that fails does not keep the others."""
    gone: list[str] = []
    diagnostics: list[Diagnostic] = []
    sources: dict[str, str] = {}
    for name in names:
        if stop.drain.is_set():
            break
        of_one = replace(inputs, workspace=name)
        problems, texts = _destroy(of_one, listener, stop, lock_timeout)
        if not has_errors(problems):
            deleted = delete_workspace(of_one, name, force=False, lock_timeout=lock_timeout)
            problems = (*problems, *deleted.diagnostics)
            gone += deleted.names
        diagnostics += problems
        sources |= texts
    return Deleted(tuple(gone), {}, tuple(dict.fromkeys(diagnostics)), sources)


def _destroy(
    inputs: Inputs, listener: Listener, stop: Stop, lock_timeout: float
) -> tuple[tuple[Diagnostic, ...], Mapping[str, str]]:
    """Destroy the endpoints of the workspace; what went wrong."""
    made = make_plan(inputs, PlanOptions(destroy=True), listener)
    told = tuple(d for d in made.diagnostics if d.is_error)
    if made.plan is None or told or not made.plan.changes:
        return told, made.sources
    done = apply_plan(inputs, made.plan, listener=listener, stop=stop, lock_timeout=lock_timeout)
    problems = done.diagnostics
    if (done.failed or done.skipped or done.interrupted) and not has_errors(problems):
        summary = f'Not all endpoints of workspace "{inputs.workspace}" were removed'
        problems = (*problems, error("workspace_not_empty", summary, "It was not deleted. Run the command again."))
    return problems, done.sources


def _delete(
    project: str, inputs: Inputs, store: MetadataStore, found: Workspace, *, force: bool, lock_timeout: float
) -> tuple[str, ...]:
    """Mark it as deleted, under its lock; gives the endpoints that are left running."""
    name = found.name
    holder = Holder.here(inputs.command, inputs.environment.get("USER", ""), "deletion of the workspace")
    try:
        lock = acquire(store, project, name, holder, lease_seconds=LEASE_SECONDS, timeout=lock_timeout, renew=False)
    except LockHeld as held:
        raise DiagnosticError(error("lock_held", str(held), held.hint)) from held
    recorder = Recorder(store, lock)
    try:
        now = workspace(store, project, name)
        if found.expired(now_ms()) and now is not None and not now.expired(now_ms()):
            detail = "An apply in it has begun its time anew meanwhile."
            raise DiagnosticError(error("workspace_renewed", f'Workspace "{name}" is not expired any more', detail))
        state = read_state(store, project, name)
        known = [*(addr for addr in state.results if isinstance(addr, EndpointAddr)), *begun(state)]
        endpoints = tuple(sorted(map(str, known)))
        _check_empty(state, name, endpoints, force=force)
        recorder.delete_workspace()
    except BaseException:
        recorder.finish("failed")
        raise
    recorder.finish("complete", {})
    return endpoints


def _check_empty(state: WorkspaceState, name: str, endpoints: tuple[str, ...], *, force: bool) -> None:
    """Refuse a workspace with endpoints, unless by force, or with jobs that nobody has looked after."""
    running = [str(addr) for addr, attempt in state.attempts.items() if attempt.state is ExecutionState.RUNNING]
    if running:
        detail = (
            f"An interrupted apply left {', '.join(sorted(running))}. `zenctl destroy -workspace={name}` or an apply "
            "ends what still runs; then delete it."
        )
        raise DiagnosticError(error("workspace_not_empty", f'Workspace "{name}" has jobs that may still run', detail))
    if endpoints and not force:
        detail = (
            f"{', '.join(endpoints)} would run on with nobody to know of it. Remove them first with "
            f"`zenctl destroy -workspace={name}`, or leave them to themselves with -force."
        )
        raise DiagnosticError(error("workspace_not_empty", f'Workspace "{name}" has live endpoints', detail))


@contextmanager
def _records(inputs: Inputs, *, create: bool) -> Iterator[tuple[str, MetadataStore]]:
    """The project and its metadata store; nothing else of the configuration has to be right."""
    settings, _ = open_settings(inputs)
    with opened_store(settings, inputs, create=create) as store:
        yield settings.project, store


def _unknown(name: str, outcome: WorkspacesOutcome, hint: str) -> Diagnostic:
    known = [item.name for item in outcome.workspaces or ()]
    detail = f"{hint} There are: {', '.join(known)}.{did_you_mean(name, known)}".strip()
    return error("unknown_workspace", f'There is no workspace "{name}"', detail)


def _texts(problem: DiagnosticError) -> Mapping[str, str]:
    sources: Mapping[str, str] = getattr(problem, "sources", {})
    return sources
