"""The machines of a command: zones in turn, names that are taken, machines that go, and none that stays."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.fakes.faults import Fault
from zenctl.provider import ErrorKind, ProviderError
from zenctl_gcp.compute_client import Machine
from zenctl_gcp.gce_fleet import GONE, MAKING, RESTARTS, UP, Fleet, Known, Pace
from zenctl_gcp.gce_machines import Wanted
from zenctl_gcp.schema import GceBackend

from .conftest import OTHER, ZONE, Cloud, bare

CONFIG = GceBackend(project="proj", zones=[ZONE, OTHER], machine_type="e2-small").model_dump()
WANTED = Wanted("m", (ZONE, OTHER), CONFIG, {"zenctl-owner": "me"}, {})
"""A machine that runs nothing."""


def fleet_of(cloud: Cloud) -> Fleet:
    """A fleet that looks as often as it is asked to."""
    return Fleet(cloud.client(), Pace(0.0, 0.0))


def listening(cloud: Cloud) -> tuple[Fleet, list[tuple[str, str]]]:
    """A fleet, and what it tells: each change and its zone."""
    told: list[tuple[str, str]] = []
    fleet = Fleet(cloud.client(), Pace(0.0, 0.0), tell=lambda event: told.append((event.change.value, event.location)))
    return fleet, told


def come(fleet: Fleet) -> Known:
    """Look until the machine is there or is not to come."""
    while (known := fleet.look("m", ())).state == MAKING:
        pass
    return known


def test_a_machine_is_made_once(cloud: Cloud) -> None:
    fleet = fleet_of(cloud)
    for _ in range(2):
        fleet.ensure(WANTED)
    known = come(fleet)
    assert (known.state, known.zone) == (UP, ZONE)
    fleet.ensure(WANTED)
    assert [i.name for i in cloud.fake.running()] == ["m"]
    assert fleet.serves("m")
    fleet.close()
    assert cloud.fake.running() == []
    assert not fleet.serves("m")


def test_zones_are_tried_in_turn(cloud: Cloud) -> None:
    cloud.fake.stockouts.add(ZONE)
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)
    known = come(fleet)
    assert (known.state, known.zone) == (UP, OTHER)
    assert [i.zone for i in cloud.fake.running()] == [OTHER]


def test_no_capacity_anywhere_is_told_with_every_zone(cloud: Cloud) -> None:
    cloud.fake.stockouts |= {ZONE, OTHER}
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)
    known = come(fleet)
    assert known.state == GONE
    assert known.why.startswith("there is no capacity for its machine: ")
    assert ZONE in known.why
    assert OTHER in known.why
    assert not fleet.again("m")
    # What a later job finds is not for this one to say.
    cloud.fake.stockouts.clear()
    fleet.ensure(WANTED)
    assert come(fleet).state == UP


def test_capacity_that_is_refused_at_once_is_looked_for_elsewhere(cloud: Cloud) -> None:
    cloud.fake.faults.add(Fault("instances.insert", status=403, reason="quotaExceeded"))
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)
    assert come(fleet).zone == OTHER


def test_what_is_wrong_with_the_order_is_raised(cloud: Cloud) -> None:
    cloud.fake.faults.add(Fault("instances.insert", status=403, reason="forbidden"))
    with pytest.raises(ProviderError) as caught:
        fleet_of(cloud).ensure(WANTED)
    assert caught.value.kind is ErrorKind.UNAUTHORIZED


def test_an_operation_that_is_lost_does_not_lose_the_machine(cloud: Cloud) -> None:
    cloud.fake.losing = 1
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)
    assert come(fleet).state == UP


def test_a_machine_that_goes_before_it_has_begun_is_made_anew_a_few_times(cloud: Cloud) -> None:
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)
    for number in range(RESTARTS + 1):
        known = come(fleet)
        assert known.state == UP, number
        cloud.fake.preempt("m")
        cloud.fake.settle()
        known = fleet.look("m", ())
        assert known.state == GONE
        assert known.why == "Compute Engine took its machine m away (preempted)"
        assert fleet.again("m") is (number < RESTARTS)


def test_a_machine_that_has_shut_down_is_replaced(cloud: Cloud) -> None:
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)
    old = come(fleet).id
    cloud.fake.instance("m").guest.on_power_off()
    cloud.fake.settle()
    assert cloud.fake.instance("m").status == "TERMINATED"
    fleet.ensure(WANTED)
    known = come(fleet)
    assert known.state == UP
    assert known.id != old
    assert [i.id for i in cloud.fake.instances.values()] == [known.id]


def test_a_machine_that_cannot_be_deleted_is_told_and_the_others_go(cloud: Cloud) -> None:
    fleet = fleet_of(cloud)
    for name in ("a", "b"):
        fleet.ensure(Wanted(name, (ZONE,), CONFIG, {}, {}))
    cloud.fake.faults.add(Fault("instances.delete", status=403, reason="forbidden", key="/a"))
    with pytest.raises(ProviderError) as caught:
        fleet.close()
    assert caught.value.kind is ErrorKind.UNAUTHORIZED
    assert [i.name for i in cloud.fake.running()] == ["a"]


def test_a_later_command_finds_a_machine_and_deletes_it(cloud: Cloud) -> None:
    cloud.fake.stockouts.add(ZONE)
    first = fleet_of(cloud)
    first.ensure(WANTED)
    made = come(first)
    later = fleet_of(cloud)
    found = later.look("m", (ZONE, OTHER))
    assert (found.state, found.zone, found.id) == (UP, OTHER, made.id)
    assert not later.serves("m")
    later.close()
    assert len(cloud.fake.running()) == 1, "it is not for this command to end"
    later.delete("m", (ZONE, OTHER))
    assert cloud.fake.running() == []
    assert later.look("n", (ZONE, OTHER)).why == "its machine n is gone"


def test_sweeping_leaves_the_machines_of_others(cloud: Cloud) -> None:
    client = cloud.client()
    for name, labels in (
        ("mine", {"zenctl-owner": "me"}),
        ("kept", {"zenctl-owner": "me"}),
        ("theirs", {"zenctl-owner": "x"}),
    ):
        client.create(OTHER, bare(name, OTHER, labels=labels))
    fleet = fleet_of(cloud)
    fleet.ensure(WANTED)

    def keep(machine: Machine) -> bool:
        return machine.name == "kept"

    assert fleet.sweep("me", keep) == ["mine"]
    assert {i.name for i in cloud.fake.running()} == {"m", "kept", "theirs"}


def test_looks_grow_rarer(cloud: Cloud) -> None:
    now = [0.0]
    fleet = Fleet(cloud.client(), Pace(1.0, 3.0), lambda: now[0])
    fleet.ensure(WANTED)
    seen = cloud.fake.seen
    asked = []
    for _ in range(80):
        before = len(seen)
        fleet.look("m", ())
        asked.append(len(seen) > before)
        now[0] += 0.25
    looks = [number / 4 for number, was in enumerate(asked) if was]
    assert looks[:2] == [0.0, 1.0]
    assert max(b - a for a, b in pairwise(looks)) == 3.0


def test_what_becomes_of_machines_is_told(cloud: Cloud) -> None:
    cloud.fake.stockouts.add(ZONE)
    fleet, told = listening(cloud)
    fleet.ensure(WANTED)
    come(fleet)
    assert told == [("creating", ZONE), ("unavailable", ZONE), ("creating", OTHER), ("created", OTHER)]
    told.clear()
    cloud.fake.preempt("m")
    assert fleet.look("m", (), now=True).state == GONE
    assert fleet.again("m")
    cloud.fake.stockouts.clear()
    come(fleet)
    assert told[0] == ("lost", OTHER)
    assert [change for change, _ in told].count("created") == 1
    told.clear()
    fleet.close()
    assert [change for change, _ in told] == ["deleted"]


def test_of_a_machine_that_another_asked_for_only_its_end_is_told(cloud: Cloud) -> None:
    first, _ = listening(cloud)
    first.ensure(WANTED)
    come(first)
    # Another backend block that is configured alike: it uses the machine, and need not speak of it.
    second, told = listening(cloud)
    second.ensure(WANTED)
    assert come(second).state == UP
    second.close()
    assert told == []
    # An earlier command's machine, found again.
    first.ensure(WANTED)
    come(first)
    later, told = listening(cloud)
    later.look("m", (ZONE, OTHER))
    later.delete("m", (ZONE, OTHER))
    assert [change for change, _ in told] == ["deleted"]
