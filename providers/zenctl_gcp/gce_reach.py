"""What of a job a machine of Compute Engine can get at, and the container that it is to have. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zenctl.jobs.queue import Contained
from zenctl.jobs.secrets.references import FORMS, GOOGLE, split
from zenctl.jobs.spec import JobSpec
from zenctl.provider import ErrorKind, ProviderError
from zenctl_gcp.schema import GCP


def contained(spec: JobSpec, config: Mapping[str, Any]) -> Contained | None:
    """The container of a job: of its own image, else of the backend's; None if it is to run in none."""
    image = spec.image or config["container_image"]
    return Contained(image, spec.resources.memory, bool(config["accelerator"])) if image else None


def check_reach(spec: JobSpec) -> None:
    """Refuse what a machine would look for in vain: ProviderError(INVALID)."""
    hint = 'Give it a backend of type "local".'
    for name, reference in sorted(spec.secrets.items()):
        if split(reference)[0] not in GCP.backends["gce"].secrets:
            message = f"its secret {name} ({reference}) is where a machine of Compute Engine cannot get it"
            more = f"Or keep it in Secret Manager: {FORMS[GOOGLE]}."
            raise ProviderError(ErrorKind.INVALID, message, f"{hint} {more}")
    if spec.image and spec.variables:
        names = ", ".join(spec.variables)
        message = f"its variables ({names}) are this machine's, and a machine of Compute Engine does not have them"
        raise ProviderError(ErrorKind.INVALID, message, "Set them in the image. " + hint)
    for place in spec.locations.values():
        if os.path.isabs(place):
            message = f"its source {place} is on this machine, where a machine of Compute Engine cannot read it"
            raise ProviderError(ErrorKind.INVALID, message, hint)
