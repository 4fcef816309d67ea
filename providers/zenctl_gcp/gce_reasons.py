"""Says in words why Compute Engine refused, or why a machine did not serve, and what to do about it. Pure."""

from __future__ import annotations

import re

ROLES = {
    "compute.": "roles/compute.instanceAdmin.v1",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "serviceusage.services.use": "roles/serviceusage.serviceUsageConsumer",
}
"""The predefined role that holds a permission, by what the permission begins with."""

FIELDS = {
    "machineType": "Its types are told by: gcloud compute machine-types list --zones={zone}",
    "zone": "Zones are told by: gcloud compute zones list",
    "mage": "Images are told by: gcloud compute images list. A family is given as projects/P/global/images/family/F",
    "acceleratorType": "What a zone has is told by: gcloud compute accelerator-types list",
    "etwork": "Networks are told by: gcloud compute networks subnets list",
    "erviceAccount": "Service accounts are told by: gcloud iam service-accounts list",
}
"""What to look up, by a part of the field's name that Compute Engine finds fault with."""

QUOTA = "Ask for more in the Google Cloud console (IAM & Admin, Quotas), or use another region or machine type."


def grant(project: str, said: str) -> str:
    """How to get the permission that an answer says is missing; empty if it names none."""
    found = re.search(r"'?((?:compute|iam|serviceusage)\.\w+\.\w+)'?", said)
    permission = found.group(1) if found else "iam.serviceAccounts.actAs" if "serviceAccountUser" in said else ""
    role = next((role for start, role in ROLES.items() if permission.startswith(start)), "")
    if not role:
        return ""
    whom = f"gcloud projects add-iam-policy-binding {project} --member=user:YOU --role={role}"
    return f"{permission} is part of {role}. Grant it: {whom}"


def look_up(zone: str, said: str) -> str:
    """Where to find what may stand in the field that an answer finds fault with; empty if it names none."""
    found = re.search(r"field '([\w.\[\]]+)'|/(image)s?/|(subnetwork|network)s/", said)
    field = next((name for name in found.groups() if name), "") if found else ""
    return next((hint.format(zone=zone) for part, hint in FIELDS.items() if part in field), "")


def last_words(serial: str) -> str:
    """The last that the startup script or what it runs wrote to the serial port; the system's own lines are passed over
    where there are others.
    """
    lines = [line.strip() for line in serial.splitlines() if line.strip()]
    own = [line for line in lines if re.search(r"zenctl: |curl: \(|sha256sum: |startup-script: ", line)]
    return re.sub(r"^.*startup-script: ", "", (own or lines or [""])[-1])


def not_served(serial: str, bucket: str, account: str) -> str:
    """Why a machine that has shut down before it began a job could not serve, and what to do; empty if nobody knows."""
    who = account or "the project's default one"
    member = f"serviceAccount:{account}" if account else "serviceAccount:EMAIL"
    grants = f"gcloud storage buckets add-iam-policy-binding gs://{bucket} --member={member} --role="
    if "zenctl: no service account" in serial:
        return "it has no service account: set `service_account` of its backend, or restore the project's default one"
    if "error: 403" in serial or "denies permission" in serial:
        what = "create objects in" if "objects.create" in serial else "read"
        role = "roles/storage.objectCreator" if "objects.create" in serial else "roles/storage.objectViewer"
        return f"its service account ({who}) may not {what} gs://{bucket}; grant it {role}: {grants}{role}"
    if "error: 404" in serial:
        return f"what it was to run is gone from gs://{bucket}, or it cannot see that"
    if re.search(r"curl: \((5|6|7|28|35)\)", serial):
        return (
            "it does not reach the bucket: without external_ip its subnetwork needs Private Google Access or Cloud NAT"
        )
    if re.search(r"curl: not found|sha256sum: not found|: python[\w./]*: not found|command not found", serial):
        return "its image lacks curl, sha256sum or the Python that `python` of its backend names"
    return ""
