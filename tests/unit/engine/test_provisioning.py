"""Which machines a plan has: those of the backends on which something runs, and those shared only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, StepAddr
from zenctl.diagnostics import Position, SourceRange
from zenctl.engine.observed import Observed
from zenctl.engine.planning import Planned
from zenctl.engine.providers import Providers
from zenctl.engine.provisioning import planned_machines
from zenctl.jobs.resources import Resources
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change, PlannedMachines
from zenctl.provider import ErrorKind, MachinePool, MachineTemplate, ProviderError
from zenctl.schema import SourceState

A, B, LOCAL = BackendAddr("gce", "a"), BackendAddr("gce", "b"), BackendAddr("local", "here")
PLACE = SourceRange("main.zen.hcl", Position(3, 1, 0), Position(3, 9, 8))


class Fleet:
    """A backend that makes machines."""

    def __init__(self, key: str = "", problem: str = "") -> None:
        self.key = key
        self.problem = problem
        self.asked: list[Sequence[Resources]] = []

    def pools(self, jobs: Sequence[Resources]) -> Sequence[MachinePool]:
        self.asked.append(jobs)
        if self.problem:
            raise ProviderError(ErrorKind.INVALID, self.problem, "mend it")
        return [MachinePool("n1", ("b",), key=self.key)]

    def template(self) -> MachineTemplate:
        return MachineTemplate()


class Known:
    """The providers, as far as machines are concerned: a datasource with local files is read here."""

    def __init__(self, computes: Mapping[BackendAddr, object]) -> None:
        self.computes = computes

    def placed_job(self, desired: Any, locations: Mapping[str, str]) -> BackendAddr:
        return LOCAL if any(place.startswith("/") for place in locations.values()) else desired.backend

    def declared(self, addr: BackendAddr) -> SourceRange:
        return PLACE

    def compute(self, addr: BackendAddr) -> object:
        return self.computes[addr]


def planned(
    computes: Mapping[BackendAddr, object], *jobs: tuple[Address, Action, BackendAddr], **sources: str
) -> tuple[tuple[PlannedMachines, ...], list[Any]]:
    changes = [Change(addr, action) for addr, action, _ in jobs]
    desired = {addr: SimpleNamespace(backend=backend, resources=Resources(cpu=2)) for addr, _, backend in jobs}
    seen = {
        addr: SourceState("d", 1, None, locations={"f": sources[addr.name]})
        for addr, *_ in jobs
        if addr.name in sources
    }
    found = Planned(changes, desired=cast(Any, desired))
    return planned_machines(found, Observed(sources=seen), cast(Providers, Known(computes)))


def step(name: str) -> StepAddr:
    return StepAddr("python", name)


def test_what_runs_and_what_may_run_counts() -> None:
    fleet = Fleet()
    found, wrong = planned(
        {A: fleet, LOCAL: object()},
        (step("a"), Action.RUN, A),
        (step("b"), Action.MAY_RUN, A),
        (step("c"), Action.NO_OP, A),
        (step("d"), Action.REUSE, A),
        (step("e"), Action.RUN, LOCAL),
    )
    assert not wrong
    [machines] = found
    assert machines.backends == ("backend.gce.a",)
    assert (machines.runs, machines.may_run) == (("step.python.a",), ("step.python.b",))
    assert fleet.asked == [[Resources(cpu=2)] * 2]


def test_nothing_that_runs_there_makes_no_machine() -> None:
    assert planned({A: Fleet()}, (step("a"), Action.NO_OP, A)) == ((), [])


def test_files_of_this_machine_are_read_here() -> None:
    rows = DatasourceAddr("csv", "rows")
    assert planned({A: Fleet(), LOCAL: object()}, (rows, Action.RUN, A), rows="/data/rows.csv") == ((), [])
    assert len(planned({A: Fleet()}, (rows, Action.RUN, A), rows="gs://data/rows.csv")[0]) == 1


def test_machines_that_are_shared_are_one() -> None:
    jobs = ((step("a"), Action.RUN, A), (step("b"), Action.MAY_RUN, B))
    [shared] = planned({A: Fleet("same"), B: Fleet("same")}, *jobs)[0]
    assert shared.backends == ("backend.gce.a", "backend.gce.b")
    assert (shared.runs, shared.may_run) == (("step.python.a",), ("step.python.b",))
    for keys in (("one", "other"), ("", "")):
        found, _ = planned({A: Fleet(keys[0]), B: Fleet(keys[1])}, *jobs)
        assert [machines.backends for machines in found] == [("backend.gce.a",), ("backend.gce.b",)]


def test_a_backend_that_cannot_tell_is_pointed_at() -> None:
    found, [wrong] = planned({A: Fleet(problem="no such file")}, (step("a"), Action.RUN, A))
    assert found == ()
    assert (wrong.summary, wrong.detail, wrong.range) == ("backend.gce.a: no such file", "mend it", PLACE)
    assert wrong.is_error
