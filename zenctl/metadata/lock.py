"""The lock of a workspace: an apply that holds it is the only writer, and one that lost it cannot write any more.

Holding the lock is having inserted the workspace's next Apply context, whose name is unique. Every transition inserts
the next unique context `<project>/<workspace>/<serial>/<k>` too, in the same put as its changes. Whoever takes the lock
away inserts that context first: the former holder's next put, whenever it comes, then fails whole.

An apply that has its lock then waits while garbage is collected (see `exclusive`).
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from zenctl.metadata.encoding import clean_text, context_name, json_text, workspace_key
from zenctl.metadata.held import LockHeld, Watch, lock_held
from zenctl.metadata.holder import Holder, encode_holder
from zenctl.metadata.state import has_completed, newest_apply, outputs_serial
from zenctl.metadata.store import (
    AlreadyExists,
    Artifact,
    Committed,
    Context,
    Execution,
    MetadataStore,
    PropertyValue,
    StoreError,
    Transition,
    Where,
)
from zenctl.metadata.types import APPLY, TRANSITION, WORKSPACE
from zenctl.metadata.workspaces import COLLECTION, renewed

__all__ = ["ApplyLock", "Holder", "LockHeld", "LockLost", "acquire", "force_unlock"]

COLLECTION_PATIENCE = 120.0
"""Seconds that an apply waits at least for garbage collection, which lets others pass long before that."""

POLL_SECONDS = 0.5
"""How often a lock that is waited for is looked at."""

CONTESTED = 1000
"""Races lost in a row before that is taken for a fault of the store."""

ACTIVE, FINISHED, ABANDONED = "active", "finished", "abandoned"

Node = TypeVar("Node", Execution, Artifact)

_log = logging.getLogger(__name__)


class LockLost(StoreError):
    """This apply's lock was taken from it; nothing of what it tried to record has landed."""

    def __init__(self, project: str, workspace: str, serial: int) -> None:
        super().__init__(
            f"apply {serial} lost its lock on workspace {workspace} of {project}: it was unlocked by force, "
            "or taken for dead",
            "What it recorded before that stands. Run `zenctl plan` to see what is left to do.",
        )


class ApplyLock:
    """A lock that is held. Thread-safe. A thread renews its lease until `finish` or `close`."""

    def __init__(self, store: MetadataStore, apply: Context, workspace: Context, token: str) -> None:
        self._store = store
        self._apply = apply
        self._workspace = workspace
        self._token = token
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._error: StoreError | None = None
        self._renewed_at = time.monotonic()
        self.project = str(apply.properties["project"])
        self.workspace = str(apply.properties["workspace"])
        self.serial = int(apply.properties["serial"])
        self.recovered: tuple[LockHeld, ...] = ()
        """Dead holders whose lock was taken over; worth a notice."""
        self.after_unfinished = False
        """Whether the apply before this one has not completed, for whatever reason."""
        self._renewer = threading.Thread(target=self._renew, name=f"zenctl-lease-{self.serial}", daemon=True)
        self._renewer.start()

    @property
    def lost(self) -> bool:
        """Whether the lock is known to have been taken away; running steps had better be stopped."""
        return isinstance(self._error, LockLost)

    def commit(self, transition: Transition, workspace: Mapping[str, PropertyValue] | None = None) -> Committed:
        """Write a transition if the lock is still held, and with it these properties of the workspace itself.

        Raises LockLost, AlreadyExists or StoreError.
        """
        with self._guard:
            return self._commit(transition, {}, workspace or {})

    def keep(self, seconds: float) -> None:
        """Make sure that nobody takes the lock for dead within the next seconds, fewer than its lease has.

        Raises LockLost if it was taken away: what cannot be fenced by a put must not be done then.
        """
        with self._guard:
            if self._error is not None or self._lease_left() < seconds:
                self._commit(Transition(), {})

    def finish(self, outcome: str, outputs: Mapping[str, Any] | None = None) -> None:
        """End the apply and give the lock back. `outputs` None leaves those of an earlier apply in force."""
        changes: dict[str, PropertyValue] = {"state": FINISHED, "outcome": clean_text(outcome), "ended_ms": now_ms()}
        if outputs is not None:
            changes |= {"outputs": json_text(outputs), "has_outputs": 1, "outputs_serial": self.serial}
        try:
            with self._guard:
                self._commit(Transition(), changes)
                self._error = StoreError(f"apply {self.serial} has finished")
        finally:
            self.close()

    def close(self) -> None:
        """Stop renewing. A lock that was not finished stays held until its process or its lease has ended."""
        self._ended.set()
        if threading.current_thread() is not self._renewer:
            self._renewer.join()

    def _commit(
        self,
        transition: Transition,
        changes: Mapping[str, PropertyValue],
        of_workspace: Mapping[str, PropertyValue] = MappingProxyType({}),
    ) -> Committed:
        if self._error is not None:
            raise self._error
        for _ in range(CONTESTED):
            number = int(self._apply.properties["transitions"]) + 1
            lease_ms = int(float(self._apply.properties["lease_seconds"]) * 1000)
            properties = {**self._apply.properties, **changes, "transitions": number}
            apply = replace(self._apply, properties={**properties, "lease_until_ms": now_ms() + lease_ms})
            token = f"{self._token}.{secrets.token_hex(8)}"
            fence = Context(
                TRANSITION, context_name(self.project, self.workspace, self.serial, number), {"token": token}
            )
            group = replace(self._workspace, properties={**self._workspace.properties, **of_workspace})
            grouped = transition.executions or transition.artifacts or of_workspace
            fenced = replace(
                transition,
                create_contexts=(fence, *transition.create_contexts),
                update_contexts=(apply, *((group,) if grouped else ()), *transition.update_contexts),
            )
            committed: Committed | None = None
            try:
                committed = self._store.commit(fenced)
            except AlreadyExists:
                taken = self._store.context(TRANSITION, fence.name)
                if taken is None:
                    raise
                found = str(taken.properties.get("token"))
                if not found.startswith(f"{self._token}."):
                    self._error = LockLost(self.project, self.workspace, self.serial)
                    self._ended.set()
                    raise self._error from None
                # This very put has landed, and its answer got lost; or that of a former one, which used up the number.
                if found == token:
                    committed = _landed(self._store, fenced)
            self._apply, self._workspace = apply, group
            self._renewed_at = time.monotonic()
            if committed is not None:
                return committed
        raise StoreError(f"the metadata store does not keep the numbers of apply {self.serial}")

    def _renew(self) -> None:
        period = float(self._apply.properties["lease_seconds"]) / 3
        while not self._ended.wait(period):
            try:
                with self._guard:
                    if not self._ended.is_set() and self._lease_left() < 2.5 * period:
                        self._commit(Transition(), {})
            except LockLost:
                return
            except StoreError as problem:
                # The next round tries again; a put that the apply itself needs reports its own failure.
                _log.warning("the lease of apply %s could not be renewed: %s", self.serial, problem)

    def _lease_left(self) -> float:
        """In seconds, by a clock that nobody sets: the machine's own may jump back, and no lease is to wait for it."""
        return float(self._apply.properties["lease_seconds"]) - (time.monotonic() - self._renewed_at)


def acquire(
    store: MetadataStore,
    project: str,
    workspace: str,
    holder: Holder,
    *,
    lease_seconds: float = 60.0,
    timeout: float = 0.0,
    on_wait: Callable[[LockHeld], None] | None = None,
    pause: Callable[[float], bool] | None = None,
    renew: bool = True,
) -> ApplyLock:
    """Take the lock: begin the workspace's next apply. That makes the workspace if it is not there.

    With `renew` the time to live of a workspace that has one begins anew.

    Waits up to `timeout` seconds for a live holder, telling `on_wait` once, then raises LockHeld; so it does once
    `pause`, which waits so many seconds, says that nobody wants to wait any more. A holder is dead if it ran on this
    machine and its process is gone. One that ran elsewhere is watched once its lease has ended, whatever `timeout` is,
    and is dead if it gives no sign of life. Its lock is taken over, and the new lock's `recovered` names it. What it
    left RUNNING stays so: those are attempts in the state.

    Garbage collection is waited for too, longer if need be: it lets applies pass.
    """
    pause = pause or threading.Event().wait
    lock = take(store, project, workspace, holder, lease_seconds, timeout, on_wait, renew, pause)
    try:
        _let_collection_end(store, max(timeout, COLLECTION_PATIENCE), on_wait, pause)
    except BaseException:
        # A lock that is not given back is taken over later.
        with suppress(StoreError):
            lock.finish("failed")
        raise
    return lock


def _let_collection_end(
    store: MetadataStore, patience: float, on_wait: Callable[[LockHeld], None] | None, pause: Callable[[float], bool]
) -> None:
    """Wait while garbage is collected; raises LockHeld if that takes longer than `patience` seconds."""
    deadline = time.monotonic() + patience
    watch, told = Watch(), False
    while True:
        newest = newest_apply(store, *COLLECTION)
        if newest is None or newest.properties.get("state") != ACTIVE:
            return
        dead, overdue = watch.look(newest)
        held = lock_held(newest, overdue=overdue)
        if dead:
            abandon(store, newest)
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            raise held
        if on_wait is not None and not told:
            on_wait(held)
            told = True
        if pause(min(POLL_SECONDS, left)):
            raise held


def take(
    store: MetadataStore,
    project: str,
    workspace: str,
    holder: Holder,
    lease_seconds: float,
    timeout: float,
    on_wait: Callable[[LockHeld], None] | None,
    renew: bool,
    pause: Callable[[float], bool] | None = None,
) -> ApplyLock:
    """As `acquire`, without a look at garbage collection."""
    deadline = time.monotonic() + timeout
    holder = holder.completed()
    recovered: list[LockHeld] = []
    pause = pause or threading.Event().wait
    watch = Watch()
    told: set[bool] = set()
    races = 0
    while races < CONTESTED:
        newest = newest_apply(store, project, workspace)
        if newest is None or newest.properties.get("state") != ACTIVE:
            try:
                lock = _insert(store, project, workspace, newest, holder, lease_seconds, renew)
            except AlreadyExists:
                races += 1
                continue
            lock.recovered, lock.after_unfinished = tuple(recovered), bool(newest and not has_completed(newest))
            return lock
        dead, overdue = watch.look(newest)
        held = lock_held(newest, overdue=overdue)
        if dead:
            if abandon(store, newest):
                recovered.append(held)
            races += 1
            continue
        left = deadline - time.monotonic()
        if left <= 0 and not overdue:
            raise held
        if on_wait is not None and overdue not in told:
            on_wait(held)
            told.add(overdue)
        if pause(POLL_SECONDS if overdue else min(POLL_SECONDS, left)):
            raise held
    raise StoreError(f"the metadata store does not say who holds workspace {workspace} of {project}")


def force_unlock(store: MetadataStore, project: str, workspace: str, serial: int) -> Holder:
    """Take the lock from apply `serial`, whoever holds it; gives the holder. StoreError if it does not hold it."""
    for _ in range(CONTESTED):
        newest = newest_apply(store, project, workspace)
        if newest is None or newest.properties.get("state") != ACTIVE:
            raise StoreError(f"workspace {workspace} of {project} is not locked")
        held = lock_held(newest)
        if held.serial != serial:
            problem = f"apply {serial} does not hold the lock on workspace {workspace} of {project}"
            raise StoreError(problem, f"It is held by apply {held.serial}: {held.holder}")
        if abandon(store, newest):
            return held.holder
    raise StoreError(f"apply {serial} records faster than its lock can be taken; stop it")


def _insert(
    store: MetadataStore,
    project: str,
    workspace: str,
    newest: Context | None,
    holder: Holder,
    lease_seconds: float,
    renew: bool,
) -> ApplyLock:
    """Begin the apply after the newest, and note its serial for who looks next; AlreadyExists if another was first."""
    serial = int(newest.properties["serial"]) + 1 if newest else 1
    key = workspace_key(project, workspace)
    identity: dict[str, PropertyValue] = {"project": project, "workspace": workspace, "workspace_key": key}
    name = context_name(project, workspace)
    group = store.context(WORKSPACE, name)
    token = secrets.token_hex(16)
    apply = Context(
        APPLY,
        context_name(project, workspace, serial),
        {
            **identity,
            **encode_holder(holder),
            "serial": serial,
            "token": token,
            "outputs_serial": outputs_serial(store, newest),
            "state": ACTIVE,
            "transitions": 0,
            "lease_seconds": float(lease_seconds),
            "lease_until_ms": now_ms() + int(lease_seconds * 1000),
        },
    )
    after = renewed(group, now_ms()) if group and renew else group or Context(WORKSPACE, name, identity)
    after = replace(after, properties={**after.properties, "serial": serial})
    creating, changed = ((apply,), (after,)) if group else ((apply, after), ())
    try:
        store.commit(Transition(create_contexts=creating, update_contexts=changed))
    except AlreadyExists:
        found = store.context(APPLY, apply.name)
        # Its answer got lost, and the store was asked again.
        if found is None or found.properties.get("token") != token:
            raise
    held, group = store.context(APPLY, apply.name), store.context(WORKSPACE, name)
    if held is None or group is None:
        raise StoreError("the metadata store does not keep what was just written to it")
    return ApplyLock(store, replace(apply, id=held.id), group, token)


def _landed(store: MetadataStore, transition: Transition) -> Committed:
    """The ids of what a transition wrote whose answer got lost. Raises StoreError if they cannot be found."""
    contexts = [store.context(c.type, c.name) for c in transition.create_contexts]
    executions = [e if e.id else _only(store.executions(Where(e.type, name=e.name))) for e in transition.executions]
    artifacts = [a if a.id else _only(store.artifacts(Where(a.type, name=a.name))) for a in transition.artifacts]
    if None in contexts or None in executions or None in artifacts:
        raise StoreError("the connection to the metadata store was lost while it wrote", "Run `zenctl apply` again.")
    return Committed(
        (*(c.id for c in contexts if c), *(c.id for c in transition.update_contexts)),
        tuple(e.id for e in executions if e),
        tuple(a.id for a in artifacts if a),
    )


def _only(found: Sequence[Node]) -> Node | None:
    return found[0] if len(found) == 1 else None


def abandon(store: MetadataStore, apply: Context) -> bool:
    """Fence an apply off and mark it abandoned; False if it has recorded anything since `apply` was read."""
    number = int(apply.properties["transitions"]) + 1
    changes: dict[str, PropertyValue] = {"state": ABANDONED, "transitions": number, "ended_ms": now_ms()}
    fence = Context(TRANSITION, f"{apply.name}/{number}", {"token": ABANDONED})
    after = replace(apply, properties={**apply.properties, **changes})
    try:
        store.commit(Transition(create_contexts=(fence,), update_contexts=(after,)))
    except AlreadyExists:
        return False
    return True


def now_ms() -> int:
    """Unix time in milliseconds, as records have it."""
    return time.time_ns() // 1_000_000
