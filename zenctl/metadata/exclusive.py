"""The lock of what must run while no apply does, in any workspace: that is what deletes artifacts.

It is taken before its holder looks for applies, and an apply takes its own before it looks for this one: at least one
of the two sees the other. Who collects gives way to an apply that was there, and an apply waits for who collects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from zenctl.metadata.held import LockHeld, Watch, lock_held
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import ACTIVE, POLL_SECONDS, ApplyLock, abandon, take
from zenctl.metadata.store import MetadataStore, StoreError
from zenctl.metadata.types import APPLY
from zenctl.metadata.workspaces import COLLECTION, is_collection


@contextmanager
def exclusively(
    store: MetadataStore,
    holder: Holder,
    *,
    lease_seconds: float = 60.0,
    timeout: float = 0.0,
    on_wait: Callable[[LockHeld], None] | None = None,
) -> Iterator[ApplyLock]:
    """Hold off the applies of every workspace of every project. Raises LockHeld while one runs, as `acquire` does.

    Applies that are dead are fenced off first: none of them records anything any more.
    """
    deadline = time.monotonic() + timeout
    lock, told = None, False
    watches: dict[int, Watch] = {}
    pause = threading.Event().wait
    while lock is None:
        running = _running(store, watches)
        if not running:
            left = max(0.0, deadline - time.monotonic())
            lock = take(store, *COLLECTION, holder, lease_seconds, left, on_wait, renew=False)
            running = _running(store, watches)
        if running:
            if lock is not None:
                # An apply has begun just now, and waits for this lock: it goes first.
                lock.finish("gave way")
                lock = None
            left = deadline - time.monotonic()
            alive = [held for held in running if not held.overdue]
            if left <= 0 and alive:
                raise alive[0]
            if on_wait is not None and not told:
                on_wait(running[0])
                told = True
            pause(min(POLL_SECONDS, left) if alive else POLL_SECONDS)
    try:
        yield lock
    except BaseException:
        # What went wrong first is what the user is to be told. A lock that is not given back is taken over later.
        with suppress(StoreError):
            lock.finish("failed")
        raise
    lock.finish("complete")


def _running(store: MetadataStore, watches: dict[int, Watch]) -> list[LockHeld]:
    """The applies of all workspaces that hold their lock and are not dead; those that are, are abandoned.

    `watches` are those of former looks, by the number of their context.
    """
    found = []
    for apply in store.contexts(APPLY, {"state": ACTIVE}):
        if is_collection(apply.properties):
            continue
        dead, overdue = watches.setdefault(apply.id, Watch()).look(apply)
        if not (dead and abandon(store, apply)):
            found.append(lock_held(apply, overdue=overdue))
    return found
