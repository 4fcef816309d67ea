"""Tells before there is any machine of the backend `gce` which it would make, and what each is given. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.jobs.spec import Entry, JobSpec
from zenctl.provider import MachinePool, MachineTemplate, ProviderContext, SubmitRequest
from zenctl_gcp.gce_machines import Wanted, likeness, wanted_machine, zones_of
from zenctl_gcp.gce_prices import estimate

PERMISSIONS = (
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.get",
    "compute.instances.list",
    "compute.instances.getSerialPortOutput",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setServiceAccount",
    "compute.disks.create",
    "compute.disks.setLabels",
    "compute.subnetworks.use",
    "compute.zoneOperations.get",
    "compute.zoneOperations.list",
    "iam.serviceAccounts.actAs",
)
"""What whoever applies must be allowed, on the project and on the machine's service account."""

EXTERNAL_IP = "compute.subnetworks.useExternalIp"
"""What it takes besides to give a machine an address of its own."""


def pool(config: Mapping[str, Any], root: Path) -> MachinePool:
    """The machines that a backend makes: one for an apply, or one for each job. `root` is where `prices` is seen from.

    ProviderError(INVALID) for a file of prices that cannot be used.
    """
    gpus = config.get("accelerator")
    return MachinePool(
        machine_type=config["machine_type"],
        locations=zones_of(config),
        scope=config["scope"],
        accelerators={gpus["type"]: gpus["count"]} if gpus else {},
        spot=bool(config["spot"]),
        price=estimate(config, zones_of(config)[0], root),
        key=f"{config['project']}/{likeness(config)}" if config["scope"] == "apply" else "",
    )


def template(config: Mapping[str, Any], context: ProviderContext) -> MachineTemplate:
    """What each machine of a backend is given, as far as it is known before there is an apply."""
    # What differs between the machines of two applies is what only an apply knows.
    one, other = (_machine(config, context, name) for name in ("one", "other"))
    return MachineTemplate(
        startup_script=one.metadata["startup-script"],
        metadata=_in_common(one.metadata, other.metadata),
        labels=_in_common(one.labels, other.labels),
        identity=config.get("service_account") or "the project's default service account",
        permissions=(*PERMISSIONS, *([EXTERNAL_IP] if config["external_ip"] else [])),
    )


def _machine(config: Mapping[str, Any], context: ProviderContext, apply: str) -> Wanted:
    """The machine that some job of an apply would have, with what an apply gives it made up."""
    spec = JobSpec(apply, "", Entry(command=("true",)))
    made_up = SubmitRequest(
        spec, f"gs://{apply}/{apply}", Path(apply), access=lambda _: {"endpoint": f"https://{apply}"}, apply=apply
    )
    return wanted_machine(made_up, config, context, (apply, apply))


def _in_common(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str | None]:
    return {key: value if other[key] == value else None for key, value in one.items()}
