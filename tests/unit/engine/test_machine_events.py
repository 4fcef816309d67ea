"""What providers tell of machines reaches the listener with its backend, and stays for the records of the jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from zenctl.addrs import BackendAddr
from zenctl.engine.events import Event, MachineChanged
from zenctl.engine.machine_events import MachineEvents
from zenctl.provider import Compute, JobHandle, MachineChange, MachineEvent

VM = BackendAddr("gce", "vm")


class Backend:
    """A backend that tells."""

    def __init__(self) -> None:
        self.tell: Callable[[MachineEvent], None] = lambda _: None

    def announce(self, listen: Callable[[MachineEvent], None]) -> None:
        self.tell = listen

    def machine(self, handle: JobHandle) -> str:
        return str(handle["machine"])


def test_events_are_passed_on_and_kept_by_machine() -> None:
    heard: list[Event] = []
    clock = iter([10.0, 41.0, 50.0])
    events = MachineEvents(heard.append, clock=lambda: next(clock), now=lambda: 7)
    backend = Backend()
    events.attach(VM, cast(Compute, backend))
    told = [
        MachineEvent("one", MachineChange.CREATING, "n1", "b"),
        MachineEvent("one", MachineChange.CREATED, "n1", "b"),
        MachineEvent("two", MachineChange.DELETED, reason="left"),
    ]
    for event in told:
        backend.tell(event)
    assert heard == [MachineChanged("backend.gce.vm", e, s) for e, s in zip(told, (0.0, 31.0, 0.0), strict=True)]
    jobs: list[tuple[Any, JobHandle]] = [(backend, {"machine": "one"}), (backend, {"machine": "one"}), (object(), {})]
    story = events.story(jobs)
    assert [event["change"] for event in story] == ["creating", "created"]
    assert story[0] == {
        "name": "one",
        "machine_type": "n1",
        "location": "b",
        "reason": "",
        "change": "creating",
        "at_ms": 7,
    }
    assert events.story([(cast(Compute, backend), {"machine": "none"})]) == []


def test_a_backend_that_tells_nothing_is_left_alone() -> None:
    told: list[object] = []
    silent = cast(Compute, object())
    events = MachineEvents(told.append)
    events.attach(VM, silent)
    assert events.story([(silent, {"machine": "one"})]) == []
    assert told == []
