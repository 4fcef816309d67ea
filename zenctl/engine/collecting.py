"""The operation behind `zenctl state gc`: finds what nobody needs, and frees it while no apply runs."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import field, replace

from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.events import Listener, Notice
from zenctl.engine.execution import read_result
from zenctl.engine.garbage import PREFIXES, TREES, Facts, Garbage, Group, Policy, find_garbage
from zenctl.engine.integrity import WORKERS
from zenctl.engine.locking import LEASE_SECONDS
from zenctl.engine.opening import OpeningError, open_configuration
from zenctl.engine.pinned import pinned_digests
from zenctl.engine.requests import Inputs
from zenctl.engine.world import World, open_world
from zenctl.jobs.artifacts import CorruptArtifact, Tree, read_tree
from zenctl.jobs.storage import ObjectInfo, Staged, Storage
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.exclusive import exclusively
from zenctl.metadata.holder import Holder
from zenctl.metadata.inventory import Run, take_inventory
from zenctl.metadata.lineage import ancestry
from zenctl.metadata.lock import ApplyLock, LockHeld, LockLost
from zenctl.metadata.store import ArtifactState, Transition
from zenctl.metadata.workspaces import workspaces

__all__ = ["Collected", "Garbage", "GarbageOutcome", "Group", "Policy", "collect", "find"]

HOLD_SECONDS = 20.0
"""How long objects are deleted at least before applies that wait may pass."""

AT_ONCE = 64
"""Objects that are deleted between two looks at the lock."""

MARKED_AT_ONCE = 500
"""Records that are marked in one put."""

CLOCKS_DIFFER = 600.0
"""Seconds by which the clock of an artifact store may be behind that of the machine that records."""


@dataclass(frozen=True, slots=True)
class GarbageOutcome:
    """What may be freed, or only diagnostics."""

    garbage: Garbage | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Collected:
    """What was freed: `garbage` as it was found, None if there is nothing to tell but diagnostics.

    `files` and `bytes` are what was deleted of it, and `finished` says whether that is all.
    """

    garbage: Garbage | None
    files: int = 0
    bytes: int = 0
    finished: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(slots=True)
class _Freed:
    """What is gone so far, of what was found first."""

    found: Garbage | None = None
    files: int = 0
    bytes: int = 0
    finished: bool = False


def find(inputs: Inputs, policy: Policy, *, force: bool = False) -> GarbageOutcome:
    """What may be freed now; writes nothing. `force` takes what another metadata store knows for nobody's too."""
    try:
        with _opened(inputs, create=False) as world:
            return GarbageOutcome(_find(world, policy, force=force))
    except DiagnosticError as problem:
        return GarbageOutcome(None, problem.diagnostics, _texts(problem))


def collect(
    inputs: Inputs,
    policy: Policy,
    approved: Garbage | None,
    *,
    listener: Listener,
    force: bool = False,
    lock_timeout: float = 0.0,
) -> Collected:
    """Free what is garbage, of that only what was approved; None approves all. No apply runs meanwhile."""
    freed = _Freed(approved)
    try:
        with _opened(inputs, create=True) as world:
            _collect(world, policy, approved, freed, listener, force=force, lock_timeout=lock_timeout)
    except DiagnosticError as problem:
        return Collected(freed.found, freed.files, freed.bytes, False, problem.diagnostics, _texts(problem))
    return Collected(freed.found, freed.files, freed.bytes, True)


@contextmanager
def _opened(inputs: Inputs, *, create: bool) -> Iterator[World]:
    """A configuration that is right, for it says what is pinned; variables may have no value."""
    opened = open_configuration(inputs, values_required=False)
    with open_world(opened, inputs, create=create) as world:
        yield world


def _texts(problem: DiagnosticError) -> Mapping[str, str]:
    return problem.sources if isinstance(problem, OpeningError) else {}


# -------------------------------------------------------------------- finding


def _find(world: World, policy: Policy, *, force: bool) -> Garbage:
    project = world.opened.configuration.settings.project
    names = {DEFAULT, world.inputs.workspace, *(item.name for item in workspaces(world.store, project))}
    # What is stored is listed first: where an apply goes on meanwhile, what it has stored by now is recorded below.
    stored = {info.path: info for prefix in PREFIXES for info in world.storage.list(prefix)}
    leftovers = _leftovers(world.storage)
    inventory = take_inventory(world.store)
    unsettled = [run for run in inventory.runs if run.unsettled]
    open_jobs, written = _of_unsettled(world.storage, unsettled)
    needed = pinned_digests(world.opened, world.inputs, world.store, sorted(names))
    roots = [run.id for run in inventory.runs if run.current or run.unsettled]
    for recorded in ancestry(world.store, roots):
        needed |= {artifact.digest for artifact in (*recorded.inputs.values(), *recorded.outputs.values())}
    facts = Facts(
        inventory=inventory,
        project=project,
        workspaces=names,
        needed=needed,
        stored=stored,
        written=written,
        leftovers=leftovers,
        written_since=min((run.started_ms / 1000 - CLOCKS_DIFFER for run in open_jobs), default=None),
        now_ms=time.time_ns() // 1_000_000,
    )
    found = find_garbage(facts, policy, lambda digests: _trees(world.storage, digests))
    if found.foreign and not force:
        raise DiagnosticError(_foreign(found.foreign))
    return found


def _of_unsettled(storage: Storage, unsettled: Sequence[Run]) -> tuple[list[Run], set[str]]:
    """Of jobs whose end nobody has recorded: those that may still write, and what the others wrote."""
    may_write, written = [], set[str]()
    for run in unsettled:
        result = read_result(storage, run.job_id)
        if result is None:
            may_write.append(run)
        else:
            written |= {output.digest for output in result.outputs.values()}
    return may_write, written


def _leftovers(storage: Storage) -> tuple[ObjectInfo, ...]:
    found = storage.leftovers() if isinstance(storage, Staged) else ()
    return tuple(info for info in found if info.path.startswith(PREFIXES))


def _trees(storage: Storage, digests: Collection[str]) -> dict[str, Tree]:
    """The lists of files of artifacts, but for those that are missing or damaged."""

    def read(digest: str) -> tuple[str, Tree | None]:
        try:
            return digest, read_tree(storage, digest)
        except CorruptArtifact:
            return digest, None

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="zenctl-gc") as pool:
        return {digest: tree for digest, tree in pool.map(read, digests) if tree is not None}


def _foreign(jobs: Sequence[str]) -> Diagnostic:
    shown = ", ".join(jobs[:3]) + (f" and {len(jobs) - 3} more" if len(jobs) > 3 else "")
    detail = (
        f"It holds what jobs wrote that this metadata store does not know: {shown}. What another metadata store needs "
        "cannot be told from garbage. If there is no other one any more, -force frees all that this one does not name."
    )
    return error("store_shared", "Another metadata store uses this artifact store too", detail)


# -------------------------------------------------------------------- freeing


def _collect(
    world: World,
    policy: Policy,
    approved: Garbage | None,
    freed: _Freed,
    listener: Listener,
    *,
    force: bool,
    lock_timeout: float,
) -> None:
    holder = Holder.here(world.inputs.command, world.inputs.environment.get("USER", ""))
    while not freed.finished:
        # Whoever waited for the first round may take its time now.
        timeout = max(lock_timeout, HOLD_SECONDS) if freed.files else lock_timeout
        try:
            with exclusively(
                world.store,
                holder,
                lease_seconds=LEASE_SECONDS,
                timeout=timeout,
                on_wait=lambda held: listener(Notice(f"waiting for an apply to end: {held}")),
            ) as lock:
                began = time.monotonic()
                garbage = _find(world, policy, force=force)
                freed.found = freed.found or garbage
                hold = _hold(time.monotonic() - began)
                _free(world.storage, lock, _within(garbage, approved), freed, hold)
        except LockHeld as held:
            raise DiagnosticError(_held(held, freed)) from held
        except LockLost as problem:
            detail = "Another command took it for dead. Nothing was deleted after that. Run the command again."
            raise DiagnosticError(error("lock_lost", "The lock of the collection was lost", detail)) from problem


def _within(garbage: Garbage, approved: Garbage | None) -> Garbage:
    """What is garbage now, of that what was approved."""
    if approved is None:
        return garbage
    deleted = {artifact.id for artifact in approved.deleted}
    paths = {info.path for info in (*approved.objects, *approved.staging)}
    return replace(
        garbage,
        deleted=tuple(artifact for artifact in garbage.deleted if artifact.id in deleted),
        objects=tuple(info for info in garbage.objects if info.path in paths),
        staging=tuple(info for info in garbage.staging if info.path in paths),
    )


def _hold(finding: float) -> float:
    """How many seconds to delete for: all is looked for anew afterwards, which must not take most of the time."""
    return max(HOLD_SECONDS, finding)


def _free(storage: Storage, lock: ApplyLock, garbage: Garbage, freed: _Freed, hold: float) -> None:
    """Mark first, so that nobody takes for whole what is half deleted; then delete, until `hold` seconds are over.

    Files go before the lists that name them: what an interruption leaves is still known to be of an address.
    """
    for at in range(0, len(garbage.deleted), MARKED_AT_ONCE):
        marked = (replace(a, state=ArtifactState.DELETED) for a in garbage.deleted[at : at + MARKED_AT_ONCE])
        lock.commit(Transition(artifacts=tuple(marked)))
    deadline = time.monotonic() + hold
    lists = [info for info in garbage.objects if info.path.startswith(TREES)]
    files = [info for info in garbage.objects if not info.path.startswith(TREES)]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="zenctl-gc") as pool:
        for number, part in enumerate((*_parts(files), *_parts(lists), *_parts(garbage.staging))):
            if number and time.monotonic() > deadline:
                return
            # No put fences a deletion off: so it is begun only while nobody can take the lock for dead.
            lock.keep(LEASE_SECONDS / 2)
            for info in pool.map(lambda info: _deleted(storage, info), part):
                freed.files += 1
                freed.bytes += info.size
    freed.finished = True


def _parts(objects: Sequence[ObjectInfo]) -> list[Sequence[ObjectInfo]]:
    return [objects[at : at + AT_ONCE] for at in range(0, len(objects), AT_ONCE)]


def _deleted(storage: Storage, info: ObjectInfo) -> ObjectInfo:
    storage.delete(info.path)
    return info


def _held(held: LockHeld, freed: _Freed) -> Diagnostic:
    done = f"{freed.files:,} files were freed before. " if freed.files else ""
    what = "Garbage is collected while no apply runs, in any workspace: what one writes or reuses is no garbage."
    text = str(held)
    detail = f"{what} {done}Wait for it with -lock-timeout=1h, or run the command again."
    return error("lock_held", text[:1].upper() + text[1:], detail)
