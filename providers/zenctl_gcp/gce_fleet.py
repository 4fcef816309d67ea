"""The machines of one zenctl command: made where there is capacity, looked after, and deleted in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Protocol

from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import ErrorKind, MachineChange, MachineEvent, ProviderError
from zenctl_gcp.compute_client import Machine
from zenctl_gcp.gce_machines import APPLY, OWNER, Wanted
from zenctl_gcp.gce_reasons import QUOTA

MAKING, UP, LEAVING, GONE = "making", "up", "leaving", "gone"
"""States of a machine: asked for, or about to be asked for again; there; about to be gone; not there (any more)."""

RESTARTS = 3
"""How often a machine is made anew that went before it had begun a job."""

SHUT_DOWN = "compute.instances.guestTerminate"
"""How a machine ends that has shut itself down."""

WHY = {
    "compute.instances.preempted": "Compute Engine took its machine {name} away (preempted)",
    "compute.instances.scheduledVMTermination": "its machine {name} reached its max_run_time",
    "compute.instances.hostError": "the host of its machine {name} failed",
    SHUT_DOWN: "its machine {name} shut down",
    "stop": "somebody stopped its machine {name}",
    "delete": "its machine {name} was deleted",
}
"""What has ended a machine, by the operation's type."""


class Client(Protocol):
    """What the fleet needs of Compute Engine; `ComputeClient` says what each does."""

    def create(self, zone: str, resource: Mapping[str, object]) -> str: ...

    def problem(self, zone: str, operation: str) -> tuple[bool, ProviderError | None]: ...

    def get(self, zone: str, name: str) -> Machine | None: ...

    def labeled(self, label: str, value: str) -> list[Machine]: ...

    def delete(self, zone: str, name: str) -> None: ...

    def serial(self, zone: str, name: str, start: int) -> tuple[str, int]: ...

    def ending(self, zone: str, id: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks at the same thing: `first` at first, growing to `most`."""

    first: float = 0.2
    most: float = 5.0


@dataclass(slots=True)
class Known:
    """A machine as far as this command knows it. `wanted` is None for one that an earlier command has asked for.

    `zone` is where it is or is tried, `operation` the one that makes it. `ending` is the type of the operation that has
    ended it, `why` says it in words. `served` says that it has begun a job, `asked` that it is there because this
    command has asked for it.
    """

    name: str
    zones: tuple[str, ...]
    wanted: Wanted | None = None
    state: str = GONE
    zone: str = ""
    id: str = ""
    operation: str = ""
    in_the_way: bool = False
    refused: list[str] = field(default_factory=list)
    restarts: int = 0
    served: bool = False
    asked: bool = False
    ending: str = ""
    why: str = ""
    next_look: float = 0.0
    pause: float = 0.0


class Fleet:
    """Machines by name. Safe for any thread; nothing in it waits. Every method may raise ProviderError."""

    def __init__(
        self,
        client: Client,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[MachineEvent], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._tell = tell
        self._lock = threading.RLock()
        self._known: dict[str, Known] = {}

    def ensure(self, wanted: Wanted) -> None:
        """Have the machine made, if it is not there or on its way; one that has gone is made anew."""
        with self._lock:
            known = self._known.get(wanted.name)
            if known is None or known.wanted is None:
                known = self._known[wanted.name] = Known(wanted.name, wanted.zones, wanted)
            if known.state in (UP, LEAVING):
                self._look(known)
            if known.state == LEAVING:
                known.restarts = 0
            if known.state == GONE:
                known.refused.clear()
                known.restarts = 0
                self._begin(known, wanted.zones[0])

    def look(self, name: str, zones: Iterable[str], *, now: bool = False) -> Known:
        """The machine as it is; an earlier command's is looked for in these zones. `now` asks even if it just did."""
        with self._lock:
            known = self._known.get(name)
            if known is None:
                known = self._known[name] = Known(name, tuple(zones))
                self._find(known)
            elif known.state != GONE and (now or self._clock() >= known.next_look):
                self._look(known)
            return known

    def again(self, name: str) -> bool:
        """Make a machine of this command anew that has gone before it began a job; False if that would not help.

        One that shuts down without having served anything cannot start its runner, and another could not either.
        """
        with self._lock:
            known = self._known[name]
            broken = known.ending == SHUT_DOWN and not known.served
            if known.wanted is None or known.restarts >= RESTARTS or known.refused or broken:
                return False
            known.restarts += 1
            self._begin(known, known.zones[known.restarts % len(known.zones)])
            return True

    def serves(self, name: str) -> bool:
        """Whether this command has asked for the machine, for jobs that may be still to come."""
        with self._lock:
            known = self._known.get(name)
            return known is not None and known.wanted is not None

    def serial(self, known: Known, start: int) -> tuple[str, int]:
        """What the machine wrote to its serial port from a byte on, and the next byte."""
        return self._client.serial(known.zone, known.name, start) if known.zone else ("", start)

    def delete(self, name: str, zones: Iterable[str]) -> None:
        """Delete the machine wherever it may be; none is success."""
        with self._lock:
            known = self._known.pop(name, None)
            for zone in dict.fromkeys((*zones, *(known.zones if known else ()))):
                self._client.delete(zone, name)
            if known is not None and known.state != GONE and (known.asked or known.wanted is None):
                self._told(known, MachineChange.DELETED)

    def sweep(self, owner: str, keep: Callable[[Machine], bool]) -> list[str]:
        """Delete the machines of this owner that nobody wants to keep; gives their names."""
        found = [machine for machine in self._client.labeled(OWNER, owner) if machine.status != "STOPPING"]
        gone = [machine for machine in found if not self.serves(machine.name) and not keep(machine)]
        for machine in gone:
            self._client.delete(machine.zone, machine.name)
        return [machine.name for machine in gone]

    def close(self) -> None:
        """Delete every machine that this command has asked for; the first refusal is raised when all were tried."""
        problems = []
        with self._lock:
            for name in [known.name for known in self._known.values() if known.wanted is not None]:
                try:
                    self.delete(name, ())
                except ProviderError as problem:
                    problems.append(problem)
        if problems:
            raise problems[0]

    def _begin(self, known: Known, zone: str) -> None:
        """Ask for the machine in a zone."""
        assert known.wanted is not None, "of an earlier command's machine it is not known how to make it"
        known.state, known.zone, known.id, known.served, known.asked = MAKING, zone, "", False, False
        known.pause = known.next_look = 0.0
        try:
            known.operation = self._client.create(zone, known.wanted.resource(zone))
        except ProviderError as problem:
            if problem.kind is not ErrorKind.NO_CAPACITY:
                known.state = GONE
                raise
            self._next_zone(known, problem)
            return
        # Another of that name is there: one that goes away must be gone first.
        known.in_the_way = not known.operation
        known.asked = not known.in_the_way
        if known.asked:
            self._told(known, MachineChange.CREATING)

    def _look(self, known: Known) -> None:
        known.pause = min(self._pace.most, known.pause * 1.5) if known.pause else self._pace.first
        known.next_look = self._clock() + known.pause
        if known.state == MAKING and known.operation:
            ended, problem = self._client.problem(known.zone, known.operation)
            if not ended:
                return
            known.operation = ""
            if problem is not None and problem.kind is ErrorKind.NO_CAPACITY:
                self._next_zone(known, problem)
                return
            if problem is not None:
                known.state, known.why = GONE, f"its machine could not be made: {problem.message}"
                known.refused.append(problem.message)
                return
        self._take(known, self._client.get(known.zone, known.name))

    def _take(self, known: Known, machine: Machine | None) -> None:
        """Note what was found in the machine's zone."""
        if machine is not None and machine.is_there:
            known.id, known.in_the_way = machine.id, False
            if machine.status == "RUNNING" and known.state != UP:
                known.state, known.pause = UP, 0.0
                known.refused.clear()
                if known.asked:
                    self._told(known, MachineChange.CREATED)
            return
        if known.in_the_way:
            if machine is None:
                self._begin(known, known.zone)
            elif machine.status != "STOPPING":
                self._client.delete(known.zone, known.name)
            return
        is_leaving = machine is not None and machine.status == "STOPPING" and machine.id == known.id
        if known.state != LEAVING or not known.ending:
            known.ending = self._client.ending(known.zone, known.id) if known.id else ""
            known.why = WHY.get(known.ending, "its machine {name} is gone").format(name=known.name)
        if known.asked and known.state != LEAVING:
            self._told(known, MachineChange.LOST, known.why.replace(f"its machine {known.name}", "it"))
        known.state = LEAVING if is_leaving else GONE

    def _find(self, known: Known) -> None:
        for zone in known.zones:
            machine = self._client.get(zone, known.name)
            if machine is not None:
                known.zone, known.id = zone, machine.id
                known.state = MAKING
                self._take(known, machine)
                return
        known.why = f"its machine {known.name} is gone"

    def _next_zone(self, known: Known, problem: ProviderError) -> None:
        known.refused.append(problem.message)
        self._told(known, MachineChange.UNAVAILABLE, problem.message.removeprefix(f"{known.zone}: "))
        left = known.zones[known.zones.index(known.zone) + 1 :]
        if left:
            self._begin(known, left[0])
            return
        known.state = GONE
        is_quota = all("quota" in said.lower() for said in known.refused)
        what, hint = ("quota", f"; {QUOTA}") if is_quota else ("capacity", "")
        known.why = f"there is no {what} for its machine: {'; '.join(known.refused)}{hint}"

    def _told(self, known: Known, change: MachineChange, reason: str = "") -> None:
        kind = str(known.wanted.config["machine_type"]) if known.wanted is not None else ""
        self._tell(MachineEvent(known.name, change, kind, known.zone, reason))


def of_apply(machine: Machine) -> bool:
    """Whether the machine is an apply's, and not that of a job on its own."""
    return APPLY in machine.labels


def is_of(machine: Machine, apply: str) -> bool:
    """Whether the machine is one of this apply's."""
    return machine.labels.get(APPLY, "") == apply
