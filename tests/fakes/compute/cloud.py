"""The state of a fake Compute Engine: instances and operations that advance when they are looked at, and what fails."""

from __future__ import annotations

import re
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

from tests.fakes.compute.guest import Guest
from tests.fakes.discovery import Discovery, discovery
from tests.fakes.faults import Faults

STOCKOUT = "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"

GONE = ("STOPPING", "TERMINATED")

NOTICE = 30.0
"""Seconds between the notice that a machine is taken away and the cut of its power."""


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


@dataclass
class Instance:
    """A machine. `wanted` is the resource as it was asked for."""

    id: str
    project: str
    zone: str
    wanted: Mapping[str, Any]
    guest: Guest
    status: str = "PROVISIONING"
    made: str = ""
    began: float = 0.0
    off_at: float | None = None

    @property
    def name(self) -> str:
        return str(self.wanted["name"])

    @property
    def scheduling(self) -> Mapping[str, Any]:
        return self.wanted.get("scheduling", {})  # type: ignore[no-any-return]

    @property
    def path(self) -> str:
        return f"projects/{self.project}/zones/{self.zone}/instances/{self.name}"


@dataclass
class Operation:
    """What goes on with an instance; DONE after `looks` looks. `effect` then happens, unless `error` says why not."""

    name: str
    id: str
    type: str
    target: Instance
    looks: int
    effect: Callable[[], None]
    status: str = "PENDING"
    error: tuple[str, str, int] | None = None
    held: Callable[[], bool] = lambda: False
    is_lost: bool = False


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass
class FakeCompute:
    """The cloud. Tests say what it has (`zones`, `machine_types`, `quotas`) and what goes wrong.

    `stockouts` are zones without capacity, `looks` how often an operation must be looked at until it is done, `losing`
    how many of the next operations cannot be found. `clock` counts seconds, which only `pass_time` moves. `programs`
    are what boot images bring, and `path` is where others are found, as a `Guest` has them.
    """

    zones: tuple[str, ...] = ("europe-west1-b", "europe-west1-c", "us-central1-a")
    machine_types: Mapping[str, int] = field(default_factory=lambda: {"e2-small": 2, "n1-standard-4": 4})
    quotas: dict[str, float] = field(default_factory=lambda: {"CPUS": 24.0, "GPUS_ALL_REGIONS": 1.0})
    stockouts: set[str] = field(default_factory=set)
    path: str = str(Path(sys.executable).parent)
    looks: int = 2
    losing: int = 0
    clock: float = 0.0
    origin: str = ""
    programs: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    api: Discovery = field(default_factory=lambda: discovery("compute.v1"))
    seen: list[str] = field(default_factory=list)
    instances: dict[tuple[str, str], Instance] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    inserted: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._numbers = count(1)
        self._requests: dict[tuple[str, str], Operation] = {}

    @property
    def problems(self) -> list[str]:
        return self.api.problems

    def running(self) -> list[Instance]:
        """The instances that cost money: all that are not going away."""
        with self.lock:
            return [found for found in self.instances.values() if found.status not in GONE]

    def instance(self, name: str) -> Instance:
        """The instance of a name, in whichever zone."""
        with self.lock:
            [found] = [instance for instance in self.instances.values() if instance.name == name]
            return found

    def look(self, zone: str) -> None:
        """Time passes for the operations of a zone, by one look."""
        with self.lock:
            for operation in list(self.operations.values()):
                if operation.target.zone == zone and operation.status != "DONE":
                    self._advance(operation)

    def settle(self) -> None:
        """Let every operation come to its end."""
        with self.lock:
            while any(operation.status != "DONE" for operation in self.operations.values()):
                for zone in self.zones:
                    self.look(zone)

    def insert(self, project: str, zone: str, wanted: Mapping[str, Any], request_id: str) -> Operation:
        """Begin to make an instance; an error of the project's limits shows in the operation."""
        with self.lock:
            known = self._known("insert", request_id)
            if known is not None:
                return known
            self._check(zone, wanted)
            name = str(wanted["name"])
            if (zone, name) in self.instances:
                path = self.instances[zone, name].path
                raise Refused(409, "alreadyExists", f"The resource '{path}' already exists")
            number = str(4_000_000_000_000_000_000 + next(self._numbers))
            attributes = {item["key"]: item["value"] for item in wanted.get("metadata", {}).get("items", [])}
            facts = {"id": number, "name": name, "zone": f"projects/1/zones/{zone}"}
            has_account = bool(wanted.get("serviceAccounts"))
            guest = Guest(
                facts,
                attributes,
                lambda: self._power_off(instance),
                has_account,
                programs=dict(self.programs),
                path=self.path,
            )
            instance = Instance(number, project, zone, wanted, guest, made=_now())
            error = self._shortage(zone, wanted)
            self.instances[zone, name] = instance
            self.inserted.append(wanted)
            return self._begin("insert", instance, lambda: self._boot(instance), request_id, error)

    def delete(self, zone: str, name: str, request_id: str) -> Operation:
        """Begin to delete an instance: its power is cut at once."""
        with self.lock:
            known = self._known("delete", request_id)
            if known is not None:
                return known
            instance = self.get(zone, name)
            instance.status = "STOPPING"
            instance.guest.switch_off()
            return self._begin("delete", instance, lambda: self._remove(instance), request_id)

    def stop(self, zone: str, name: str, request_id: str) -> Operation:
        """Begin to stop an instance."""
        with self.lock:
            known = self._known("stop", request_id)
            if known is not None:
                return known
            instance = self.get(zone, name)
            instance.status = "STOPPING"
            instance.guest.switch_off()
            return self._begin("stop", instance, lambda: self._set(instance, "TERMINATED"), request_id)

    def get(self, zone: str, name: str, project: str = "") -> Instance:
        """The instance; 404 if there is none."""
        found = self.instances.get((zone, name))
        if found is None:
            path = f"projects/{project}/zones/{zone}/instances/{name}"
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return found

    def preempt(self, name: str, *, notice: bool = True) -> None:
        """Take a machine away, as the cloud does with spot machines: it says so, asks the system to shut down, and cuts
        the power when that has happened or after `NOTICE` seconds. `notice` is best effort: without it, at once.
        """
        with self.lock:
            instance = self.instance(name)
            if not notice:
                self._end(instance, "compute.instances.preempted")
                return
            instance.status = "STOPPING"
            instance.off_at = self.clock + NOTICE
            operation = self._begin("compute.instances.preempted", instance, lambda: self._gone(instance))
            operation.held = lambda: instance.guest.is_on
        instance.guest.take_away()

    def crash(self, name: str) -> None:
        """A machine's host fails: it stops, and nobody has asked for it."""
        with self.lock:
            self._end(self.instance(name), "compute.instances.hostError", "STOP")

    def pass_time(self, seconds: float) -> None:
        """Move the clock; machines whose time is up are ended."""
        with self.lock:
            self.clock += seconds
            for instance in self.instances.values():
                if instance.off_at is not None and self.clock >= instance.off_at:
                    instance.guest.switch_off()
            for instance in self.running():
                limit = instance.scheduling.get("maxRunDuration", {}).get("seconds")
                is_old = instance.scheduling.get("preemptible") and instance.scheduling["provisioningModel"] != "SPOT"
                if is_old and self.clock - instance.began >= 86400.0:
                    self._end(instance, "compute.instances.preempted")
                    continue
                if limit is not None and self.clock - instance.began >= float(limit):
                    self._end(instance, "compute.instances.scheduledVMTermination")

    def close(self) -> None:
        """Switch everything off and remove it."""
        with self.lock:
            for instance in self.instances.values():
                # An operation that is under way must not switch it on later.
                instance.status = "STOPPING"
                instance.guest.switch_off()
                instance.guest.scrap()
            self.instances.clear()

    def _begin(
        self,
        what: str,
        instance: Instance,
        effect: Callable[[], None],
        request_id: str = "",
        error: tuple[str, str, int] | None = None,
    ) -> Operation:
        number = next(self._numbers)
        operation = Operation(
            f"operation-{number}-{uuid.uuid4().hex[:8]}", str(number), what, instance, self.looks, effect
        )
        operation.error = error
        if self.losing:
            self.losing -= 1
            operation.is_lost = True
        self.operations[operation.name] = operation
        if request_id:
            self._requests[what, request_id] = operation
        return operation

    def _known(self, what: str, request_id: str) -> Operation | None:
        if not request_id:
            return None
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id) or not int(request_id[:8], 16):
            raise Refused(400, "invalid", f"Invalid value for field 'requestId': '{request_id}'.")
        return self._requests.get((what, request_id))

    def _advance(self, operation: Operation) -> None:
        if operation.held():
            return
        operation.looks -= 1
        if operation.looks > 0:
            operation.status = "RUNNING"
            if operation.type == "insert" and operation.target.status == "PROVISIONING":
                operation.target.status = "STAGING"
            return
        operation.status = "DONE"
        if operation.error is not None:
            self._remove(operation.target)
        else:
            operation.effect()

    def _boot(self, instance: Instance) -> None:
        # It may have been deleted before it was there.
        if instance.status in ("PROVISIONING", "STAGING"):
            instance.status = "RUNNING"
            instance.began = self.clock
            instance.guest.switch_on()

    def _remove(self, instance: Instance) -> None:
        instance.guest.switch_off()
        instance.guest.scrap()
        if self.instances.get((instance.zone, instance.name)) is instance:
            del self.instances[instance.zone, instance.name]

    def _set(self, instance: Instance, status: str) -> None:
        instance.status = status

    def _end(self, instance: Instance, what: str, action: str = "") -> None:
        """The cloud itself ends a machine: it is deleted if it is scheduled so, else stopped."""
        instance.status = "STOPPING"
        instance.guest.switch_off()
        self._begin(what, instance, lambda: self._gone(instance, action))

    def _gone(self, instance: Instance, action: str = "") -> None:
        if (action or instance.scheduling.get("instanceTerminationAction")) == "DELETE":
            self._remove(instance)
        else:
            self._set(instance, "TERMINATED")

    def _power_off(self, instance: Instance) -> None:
        """Something inside has shut the machine down: it is stopped, never deleted, and its disk goes on costing."""
        if instance.status == "STOPPING":
            # Its shutdown is over, which whoever waits for that with the lock is to see.
            instance.guest.switch_off()
            return
        with self.lock:
            if instance.status == "RUNNING":
                instance.guest.switch_off()
                self._begin("compute.instances.guestTerminate", instance, lambda: self._set(instance, "TERMINATED"))
                instance.status = "STOPPING"

    def _check(self, zone: str, wanted: Mapping[str, Any]) -> None:
        """What the service refuses at once."""
        for fault in _invalid(wanted):
            raise Refused(400, "invalid", f"Invalid value for field {fault}")
        prefix, _, kind = str(wanted["machineType"]).rpartition("/")
        if zone not in self.zones or not re.fullmatch(rf"(.*/)?zones/{zone}/machineTypes", prefix):
            raise Refused(400, "invalid", f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
        if kind not in self.machine_types:
            message = f"Machine type with name '{kind}' does not exist in zone '{zone}'."
            raise Refused(400, "invalid", f"Invalid value for field 'resource.machineType': '{kind}'. {message}")

    def _shortage(self, zone: str, wanted: Mapping[str, Any]) -> tuple[str, str, int] | None:
        """What the zone or the project lacks for it."""
        if zone in self.stockouts:
            message = (
                f"The zone 'projects/p/zones/{zone}' does not have enough resources available to fulfill the request."
            )
            return STOCKOUT, message, 503
        cpus = sum(self.machine_types[i.wanted["machineType"].rpartition("/")[2]] for i in self.running())
        cpus += self.machine_types[wanted["machineType"].rpartition("/")[2]]
        gpus = sum(
            a["acceleratorCount"]
            for i in (wanted, *(r.wanted for r in self.running()))
            for a in i.get("guestAccelerators", [])
        )
        for name, used in (("CPUS", cpus), ("GPUS_ALL_REGIONS", gpus)):
            if used > self.quotas[name]:
                return (
                    "QUOTA_EXCEEDED",
                    f"Quota '{name}' exceeded.  Limit: {self.quotas[name]} in region {zone[:-2]}.",
                    403,
                )
        return None


def _invalid(wanted: Mapping[str, Any]) -> list[str]:
    """What is wrong with an instance that fits the API's types all the same."""
    found = []
    for key, value in wanted.get("labels", {}).items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
            found.append(f"'resource.labels': '{key}={value}'. Labels are lower case.")
    for name in ("machineType", "disks", "networkInterfaces"):
        if not wanted.get(name):
            found.append(f"'resource.{name}': ''. It is required.")
    scheduling = wanted.get("scheduling", {})
    limit = scheduling.get("maxRunDuration", {}).get("seconds")
    if limit is not None and not 30 <= int(limit) <= 120 * 86400:
        found.append(f"'resource.scheduling.maxRunDuration': '{limit}'. Must be between 30 seconds and 120 days.")
    if (limit is not None or scheduling.get("provisioningModel") == "SPOT") and scheduling.get(
        "automaticRestart", True
    ):
        found.append("'resource.scheduling.automaticRestart': 'true'. It must be false.")
    is_spot, is_old = scheduling.get("provisioningModel") == "SPOT", bool(scheduling.get("preemptible"))
    if is_old and scheduling.get("automaticRestart", True):
        found.append("'resource.scheduling.automaticRestart': 'true'. Preemptible instances cannot be restarted.")
    if is_old and not is_spot and limit is not None:
        found.append("'resource.scheduling.maxRunDuration': legacy preemptible VMs cannot have a time limit.")
    if scheduling.get("instanceTerminationAction") and not is_spot and limit is None:
        found.append("'resource.scheduling.instanceTerminationAction': not with the standard provisioning model.")
    is_bound = is_spot or is_old or wanted.get("guestAccelerators")
    if is_bound and scheduling.get("onHostMaintenance") != "TERMINATE":
        found.append("'resource.scheduling.onHostMaintenance': it must be TERMINATE.")
    keys = [item["key"] for item in wanted.get("metadata", {}).get("items", [])]
    if len(keys) != len(set(keys)):
        found.append("'resource.metadata': a key is there twice.")
    return found
