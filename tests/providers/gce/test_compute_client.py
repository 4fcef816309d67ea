"""What Compute Engine answers, and what zenctl makes of it: the real client against the fake."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.compute.cloud import STOCKOUT
from tests.fakes.faults import Fault
from tests.servers import free_port
from zenctl.provider import ErrorKind, ProviderError
from zenctl_gcp.compute_client import ComputeClient

from .conftest import OTHER, ZONE, Cloud, bare

OLD = {
    "preemptible": True,
    "provisioningModel": "STANDARD",
    "automaticRestart": False,
    "onHostMaintenance": "TERMINATE",
}
SPOT = {"automaticRestart": False, "onHostMaintenance": "TERMINATE", "provisioningModel": "SPOT"}


def done(client: ComputeClient, operation: str, zone: str = ZONE) -> ProviderError | None:
    """Look at an operation until it has ended."""
    while not (answer := client.problem(zone, operation))[0]:
        pass
    return answer[1]


def test_a_machine_from_its_making_to_its_end(cloud: Cloud) -> None:
    client = cloud.client()
    script = "#!/bin/sh\necho one; echo two"
    operation = client.create(ZONE, bare("m", metadata={"items": [{"key": "startup-script", "value": script}]}))
    first = client.get(ZONE, "m")
    assert first is not None
    assert first.status == "PROVISIONING"
    assert done(client, operation) is None
    while "two\n" not in (text := client.serial(ZONE, "m", 0)[0]):
        pass
    assert client.serial(ZONE, "m", len(text.encode()) - 4) == ("two\n", len(text.encode()))
    assert client.create(ZONE, bare("m")) == ""
    client.delete(ZONE, "m")
    cloud.fake.settle()
    assert client.get(ZONE, "m") is None
    assert client.serial(ZONE, "m", 7) == ("", 7)
    client.delete(ZONE, "m")
    assert client.ending(ZONE, first.id) == "delete"


def test_an_answer_that_is_lost_makes_no_second_machine(cloud: Cloud) -> None:
    client = cloud.client()
    cloud.fake.faults.add(Fault("instances.insert", lost=True), Fault("instances.delete", lost=True))
    operation = client.create(ZONE, bare("m"))
    assert operation, "the repeated request gets the operation of the first"
    assert done(client, operation) is None
    client.delete(ZONE, "m")
    assert [o.type for o in cloud.fake.operations.values() if o.target.name == "m"][-2:] == ["insert", "delete"]


def test_machines_are_found_by_their_labels_in_every_zone(cloud: Cloud) -> None:
    client = cloud.client()
    for zone, name, owner in ((ZONE, "a", "x"), (OTHER, "b", "x"), (OTHER, "c", "y")):
        client.create(zone, bare(name, zone, labels={"zenctl-owner": owner}))
    found = client.labeled("zenctl-owner", "x")
    assert [(machine.name, machine.zone, machine.is_there) for machine in found] == [
        ("a", ZONE, True),
        ("b", OTHER, True),
    ]


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault("instances.get", status=403, reason="forbidden"), ErrorKind.UNAUTHORIZED, "docs/backends/gce.md"),
        (Fault("instances.get", status=403, reason="accessNotConfigured"), ErrorKind.UNAUTHORIZED, "services enable"),
        (Fault("instances.get", status=403, reason="quotaExceeded"), ErrorKind.NO_CAPACITY, ""),
        (Fault("instances.get", status=403, reason="rateLimitExceeded", times=999), ErrorKind.RATE_LIMITED, ""),
        (Fault("instances.get", status=429, reason="rateLimitExceeded", times=999), ErrorKind.RATE_LIMITED, ""),
        (Fault("instances.get", status=503, times=999), ErrorKind.TRANSIENT, "goes on"),
        (Fault("instances.get", status=503, message=f"{STOCKOUT}: no"), ErrorKind.NO_CAPACITY, ""),
        (Fault("instances.get", status=400, reason="invalid"), ErrorKind.INVALID, ""),
    ],
)  # fmt: skip
def test_an_error_says_what_to_do_next(cloud: Cloud, fault: Fault, kind: ErrorKind, said: str) -> None:
    cloud.fake.faults.add(fault)
    with pytest.raises(ProviderError) as caught:
        cloud.client(patience=0.05).get(ZONE, "m")
    assert caught.value.kind is kind
    assert fault.message in caught.value.message
    assert said in caught.value.hint


def test_credentials_that_cannot_be_had(cloud: Cloud) -> None:
    # Those of an emulator are none, and cannot be renewed.
    cloud.fake.faults.add(Fault("instances.get", status=401, reason="authError"))
    with pytest.raises(ProviderError) as caught:
        cloud.client().get(ZONE, "m")
    assert caught.value.kind is ErrorKind.UNAUTHORIZED
    assert "gcloud auth" in caught.value.hint


def test_what_passes_is_waited_for(cloud: Cloud) -> None:
    cloud.fake.faults.add(Fault("instances.get", status=503, times=2), Fault("instances.get", status=429, times=2))
    cloud.fake.faults.add(Fault("instances.get", lost=True))
    assert cloud.client().get(ZONE, "m") is None


def test_a_machine_that_is_busy_is_deleted_a_little_later(cloud: Cloud) -> None:
    client = cloud.client()
    client.create(ZONE, bare("m"))
    cloud.fake.faults.add(Fault("instances.delete", status=400, reason="resourceNotReady", times=2))
    client.delete(ZONE, "m")
    assert cloud.fake.running() == []


def test_a_server_that_is_not_there(cloud: Cloud) -> None:
    client = ComputeClient("proj", endpoint=f"http://127.0.0.1:{free_port()}", patience=0.05, first=0.01)
    with pytest.raises(ProviderError) as caught:
        client.get(ZONE, "m")
    assert caught.value.kind is ErrorKind.TRANSIENT
    assert "Connection refused" in caught.value.message


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"labels": {"Upper": "Case"}}, ErrorKind.INVALID, "Labels are lower case"),
        ({"machineType": f"zones/{ZONE}/machineTypes/no-such"}, ErrorKind.INVALID, "does not exist"),
        ({"scheduling": {**SPOT, "onHostMaintenance": "MIGRATE"}}, ErrorKind.INVALID, "onHostMaintenance"),
        ({"scheduling": {**OLD, "onHostMaintenance": "MIGRATE"}}, ErrorKind.INVALID, "onHostMaintenance"),
        ({"scheduling": {**OLD, "maxRunDuration": {"seconds": "60"}}}, ErrorKind.INVALID, "cannot have a time limit"),
        ({"scheduling": {**OLD, "instanceTerminationAction": "DELETE"}}, ErrorKind.INVALID, "standard provisioning"),
    ],
)
def test_what_the_service_refuses_at_once(cloud: Cloud, more: dict[str, Any], kind: ErrorKind, said: str) -> None:
    with pytest.raises(ProviderError, match=said) as caught:
        cloud.client().create(ZONE, bare("m", **more))
    assert caught.value.kind is kind


def test_what_the_service_lacks_shows_in_the_operation(cloud: Cloud) -> None:
    client = cloud.client()
    cloud.fake.stockouts.add(ZONE)
    problem = done(client, client.create(ZONE, bare("m")))
    assert problem is not None
    assert (problem.kind, "enough resources" in problem.message) == (ErrorKind.NO_CAPACITY, True)
    assert client.get(ZONE, "m") is None
    gpus = [{"acceleratorType": f"zones/{OTHER}/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 2}]
    problem = done(client, client.create(OTHER, bare("g", OTHER, guestAccelerators=gpus, scheduling=SPOT)), OTHER)
    assert problem is not None
    assert (problem.kind, "GPUS_ALL_REGIONS" in problem.message) == (ErrorKind.NO_CAPACITY, True)


def test_an_operation_that_is_lost_has_ended(cloud: Cloud) -> None:
    cloud.fake.losing = 1
    client = cloud.client()
    assert client.problem(ZONE, client.create(ZONE, bare("m"))) == (True, None)


def test_who_has_ended_a_machine(cloud: Cloud) -> None:
    client, fake = cloud.client(), cloud.fake
    limit = {"automaticRestart": False, "maxRunDuration": {"seconds": "60"}, "instanceTerminationAction": "DELETE"}
    endings = {
        "spot": ({**SPOT, "instanceTerminationAction": "DELETE"}, lambda: fake.preempt("spot")),
        "old": (OLD, lambda: fake.pass_time(86400)),
        "long": (limit, lambda: fake.pass_time(61)),
        "bad": ({}, lambda: fake.crash("bad")),
    }
    found = {}
    for name, (scheduling, end) in endings.items():
        client.create(ZONE, bare(name, scheduling=scheduling))
        fake.settle()
        machine = client.get(ZONE, name)
        assert machine is not None
        end()
        fake.settle()
        left = client.get(ZONE, name)
        found[name] = client.ending(ZONE, machine.id), left.status if left else None
    assert found == {
        "spot": ("compute.instances.preempted", None),
        "old": ("compute.instances.preempted", "TERMINATED"),
        "long": ("compute.instances.scheduledVMTermination", None),
        "bad": ("compute.instances.hostError", "TERMINATED"),
    }
