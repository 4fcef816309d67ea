"""What a machine of the backend `gce` is: its name, its labels, what Compute Engine is asked for. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from zenctl.digests import sha256_json, sha256_text
from zenctl.durations import seconds
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import Packages, ProviderContext, SubmitRequest
from zenctl_gcp.schema import PRICING

OWNER, APPLY = "zenctl-owner", "zenctl-apply"
"""Labels by which machines are found: of a project and workspace, and of one apply of it."""

STORAGE = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"

STARTUP = """#!/bin/sh
# zenctl: fetches its runner and serves jobs until there are none. Whatever happens, the machine does not stay.
set -eu
trap 'shutdown -h now' EXIT
instance="http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance"
get() { curl -sSf --retry 8 --retry-connrefused "$@"; }
ask() { get -H 'Metadata-Flavor: Google' "$instance/$1"; }
cd "$(mktemp -d)"
token=$(ask service-accounts/default/token | sed 's/.*"access_token" *: *"\\([^"]*\\)".*/\\1/')
[ -n "$token" ] || { echo 'zenctl: no service account'; exit 1; }
printf 'Authorization: Bearer %s\\n' "$token" | get -H @- -o runner.pyz "$(ask attributes/zenctl-runner)"
unset token
echo "$(ask attributes/zenctl-runner-sha256)  runner.pyz" | sha256sum -c --quiet -
ZENCTL_STORE_ACCESS=$(ask attributes/zenctl-access)
export ZENCTL_STORE_ACCESS
PYTHONPATH=runner.pyz "$(ask attributes/zenctl-python)" -m zenctl.runner.attending \\
  "$(ask attributes/zenctl-store)" "$(ask name)" "$(ask id)" --runner runner.pyz \\
  --slots "$(ask attributes/zenctl-slots)" --idle "$(ask attributes/zenctl-idle)" --notice "$instance/preempted"
"""
"""What a machine runs when it boots. Nothing in it differs from one machine to the next."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A machine to be made: its name, and all that is asked for but for the zone. `zones` are in order of trial."""

    name: str
    zones: tuple[str, ...]
    config: Mapping[str, Any]
    labels: Mapping[str, str]
    metadata: Mapping[str, str]

    def resource(self, zone: str) -> dict[str, Any]:
        """The instance as the REST API describes one."""
        config = self.config
        gpus = config.get("accelerator")
        network: dict[str, Any] = {
            key: value for key in ("network", "subnetwork") if (value := _link(key, config.get(key)))
        }
        if not network:
            network["network"] = "global/networks/default"
        if config["external_ip"]:
            network["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]
        wanted: dict[str, Any] = {
            "name": self.name,
            "description": "Made by zenctl for the steps of an apply; it goes by itself.",
            "machineType": f"zones/{zone}/machineTypes/{config['machine_type']}",
            "labels": dict(self.labels),
            "disks": [
                {
                    "boot": True,
                    "autoDelete": True,
                    "initializeParams": {
                        "sourceImage": config["image"],
                        "diskSizeGb": str(config["disk_size_gb"]),
                        "labels": dict(self.labels),
                    },
                }
            ],
            "networkInterfaces": [network],
            "serviceAccounts": [{"email": config.get("service_account") or "default", "scopes": [SCOPE]}],
            # Drivers of GPUs are not signed, and would not load.
            "shieldedInstanceConfig": {
                "enableSecureBoot": not gpus,
                "enableVtpm": True,
                "enableIntegrityMonitoring": True,
            },
            "scheduling": self._scheduling(bound=bool(gpus)),
            "metadata": {"items": [{"key": key, "value": value} for key, value in self.metadata.items()]},
        }
        if gpus:
            kind = f"zones/{zone}/acceleratorTypes/{gpus['type']}"
            wanted["guestAccelerators"] = [{"acceleratorType": kind, "acceleratorCount": gpus["count"]}]
        return wanted

    def _scheduling(self, *, bound: bool) -> dict[str, Any]:
        spot = bool(self.config["spot"])
        if self.config["preemptible"]:
            # It takes no limit of its run time and no action at its end: it is stopped after 24 hours.
            return {
                "automaticRestart": False,
                "onHostMaintenance": "TERMINATE",
                "preemptible": True,
                "provisioningModel": "STANDARD",
            }
        return {
            "automaticRestart": False,
            "onHostMaintenance": "TERMINATE" if spot or bound else "MIGRATE",
            "maxRunDuration": {"seconds": str(int(seconds(self.config["max_run_time"]) or 0))},
            "instanceTerminationAction": "DELETE",
            "provisioningModel": "SPOT" if spot else "STANDARD",
        }


def zones_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The zones in the order in which they are tried."""
    return tuple(config.get("zones") or [config["zone"]])


def machine_name(request: SubmitRequest, config: Mapping[str, Any]) -> str:
    """The name of the machine that runs a job: one for all jobs of an apply whose backends are configured alike.

    A job on its own, or with `scope = "step"`, has a machine of its own.
    """
    if is_shared(request, config):
        return f"zenctl-{request.apply}-{likeness(config)}"
    return f"zenctl-{sha256_text(request.spec.job_id)[:20]}"


def machine_packages(config: Mapping[str, Any]) -> Packages:
    """How jobs get what they import, and from where. A container image of the backend's has it, as one of a step's."""
    settings: dict[str, str] = {}
    if config["index_url"]:
        settings |= {"UV_DEFAULT_INDEX": config["index_url"], "PIP_INDEX_URL": config["index_url"]}
    if config["extra_index_urls"]:
        more = " ".join(config["extra_index_urls"])
        settings |= {"UV_INDEX": more, "PIP_EXTRA_INDEX_URL": more}
    return Packages(config["packages"] == "install" and not config["container_image"], settings)


def likeness(config: Mapping[str, Any]) -> str:
    """The same for backends that are configured alike, whatever they say of prices: they share a machine."""
    return sha256_json({key: value for key, value in config.items() if key not in PRICING})[:8]


def is_shared(request: SubmitRequest, config: Mapping[str, Any]) -> bool:
    """Whether the job's machine runs other jobs too."""
    return bool(request.apply) and config["scope"] == "apply"


def owner(context: ProviderContext) -> str:
    """The label value of a project's workspace: whoever applies it, from wherever, finds its machines."""
    return sha256_text(f"{context.project}/{context.workspace}")[:32]


def wanted_machine(
    request: SubmitRequest, config: Mapping[str, Any], context: ProviderContext, runner: tuple[str, str]
) -> Wanted:
    """The machine for a job. `runner` is the zipapp's path in the artifact store, a bucket, and its SHA-256."""
    parts = urlsplit(request.store_uri)
    access = dict(request.access(False))
    key = "/".join(part for part in (parts.path.strip("/"), runner[0]) if part)
    place = str(access.get("endpoint") or STORAGE).rstrip("/")
    own = {
        "startup-script": STARTUP,
        "enable-oslogin": "TRUE",
        "zenctl-runner": f"{place}/storage/v1/b/{parts.netloc}/o/{quote(key, safe='')}?alt=media",
        "zenctl-runner-sha256": runner[1],
        "zenctl-access": json.dumps(access),
        "zenctl-store": request.store_uri,
        "zenctl-python": config["python"],
        "zenctl-slots": str(config.get("slots") or 0),
        "zenctl-idle": f"{seconds(config['max_idle']):g}",
    }
    labels = {
        **config["labels"],
        OWNER: owner(context),
        "zenctl-project": _label(context.project),
        "zenctl-workspace": _label(context.workspace),
        **({APPLY: request.apply} if request.apply else {}),
    }
    return Wanted(
        machine_name(request, config),
        zones_of(config),
        config,
        labels,
        {"enable-oslogin": "TRUE", **config["metadata"], **own},
    )


def _label(text: str) -> str:
    """The text as a label's value, for people to read."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:63]


def _link(kind: str, text: str | None) -> str:
    """A network or subnetwork as the API takes it; a bare name of a network is one of the project's."""
    if not text:
        return ""
    return f"global/networks/{text}" if kind == "network" and "/" not in text else text
