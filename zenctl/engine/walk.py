"""Walks a graph with several workers: dependencies first, nothing below a failure, no recursion."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import field
from typing import Generic, TypeVar

from zenctl.addrs import Address
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.plan import CHANGING, Change

K = TypeVar("K")


@dataclass(slots=True)
class Walked(Generic[K]):
    """What became of the nodes. `skipped` maps each node not begun to the failed one it waited for, or None."""

    done: list[K] = field(default_factory=list)
    failed: list[K] = field(default_factory=list)
    skipped: dict[K, K | None] = field(default_factory=dict)


def walk(
    order: Sequence[K],
    dependencies: Mapping[K, Sequence[K]],
    visit: Callable[[K], bool],
    *,
    parallelism: int,
    drain: threading.Event,
    skip: Callable[[K, K | None], None],
) -> Walked[K]:
    """Visit every node of `order` once all its dependencies (those in `order`) are visited.

    `visit` runs in a worker thread and says whether it succeeded; what it raises ends the walk after the running
    visits. Nodes below a failure are not begun: `skip(node, failed)` is told. After `drain` is set nothing new begins.
    """
    result: Walked[K] = Walked()
    inside = set(order)
    waiting = {node: {d for d in dependencies.get(node, ()) if d in inside and d != node} for node in order}
    below: dict[K, list[K]] = {node: [] for node in order}
    for node, needed in waiting.items():
        for dependency in needed:
            below[dependency].append(node)
    ready = deque(node for node in order if not waiting[node])
    running: dict[Future[bool], K] = {}
    with ThreadPoolExecutor(max_workers=parallelism, thread_name_prefix="apply") as pool:
        while ready or running:
            while ready and len(running) < parallelism and not drain.is_set():
                node = ready.popleft()
                running[pool.submit(visit, node)] = node
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                node = running.pop(future)
                if not future.result():
                    result.failed.append(node)
                    _skip_below(node, below, result, skip)
                    continue
                result.done.append(node)
                for follower in below[node]:
                    waiting[follower].discard(node)
                    if not waiting[follower] and follower not in result.skipped:
                        ready.append(follower)
    begun = {*result.done, *result.failed}
    for node in order:
        if node not in result.skipped and node not in begun:
            result.skipped[node] = None
            skip(node, None)
    return result


def _skip_below(
    failed: K, below: Mapping[K, Sequence[K]], result: Walked[K], skip: Callable[[K, K | None], None]
) -> None:
    queue = deque(below[failed])
    while queue:
        node = queue.popleft()
        if node not in result.skipped:
            result.skipped[node] = failed
            skip(node, failed)
            queue.extend(below[node])


def waits(changes: Sequence[Change]) -> dict[Address, list[Address]]:
    """What each change of a plan waits for; in place of one that has nothing to do, what that waits for.

    What instances a step has can follow from a result that is only reused now.
    """
    by_text = {change.address: change for change in changes}
    found: dict[str, dict[Address, None]] = {}
    for change in changes:
        needed: dict[Address, None] = {}
        for text in change.depends_on:
            other = by_text.get(text)
            if other is not None:
                needed.update({other.addr: None} if other.action in CHANGING else found.get(text, {}))
        found[change.address] = needed
    return {change.addr: list(found[change.address]) for change in changes}
