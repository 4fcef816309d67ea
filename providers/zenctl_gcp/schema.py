"""The block types of the Google Cloud provider: the artifact store and the backend `gce`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from zenctl.durations import seconds
from zenctl.provider.storing import Patience
from zenctl.schema import BackendType, BlockModel, ImageReference, ProviderSchema, StoreType, attribute

LEAST_RUN_TIME, MOST_RUN_TIME = 30.0, 120 * 86400.0
"""Seconds between which Compute Engine lets a machine's run time be limited."""

PRICING = ("price_per_hour", "currency", "prices")
"""Attributes of the backend `gce` that tell what a machine costs, and change nothing about it."""

RESERVED = "zenctl-"
"""What keys of labels and metadata begin with that are zenctl's own."""


INDEX = r"^https?://[^/\s@]+(/\S*)?$"
"""The URL of a package index, without credentials."""


def _duration(value: str) -> str:
    if seconds(value) is None:
        raise ValueError('give a duration such as "90s", "30m" or "1h30m"')
    return value


Duration = Annotated[str, AfterValidator(_duration)]
"""A time as users write it."""


class _Bucket(BlockModel):
    bucket: str = attribute(
        "Name of the bucket; it must exist.", fingerprint=False, pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$"
    )
    prefix: str = attribute(
        "Folder in the bucket, such as `team/penguins`; without it the whole bucket.", default="", fingerprint=False
    )


class _Connection(BlockModel):
    project: str | None = attribute(
        "The project that requests are made for; without it that of the credentials.",
        default=None,
        fingerprint=False,
        min_length=1,
    )
    endpoint: str | None = attribute(
        "URL of another server: a private endpoint, or an emulator (http://..., which gets no credentials). Without it "
        "STORAGE_EMULATOR_HOST, else Google's.",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )


class GcpProviderBlock(Patience, _Connection):
    """`provider "gcp" {}`: how buckets are reached that datasources read, and stores that do not say otherwise.

    Credentials are Google's application default credentials.
    """


class GcsStore(Patience, _Connection, _Bucket):
    """`artifacts "gcs" {}`: a bucket of Google Cloud Storage, or a folder in one."""


class Accelerator(BlockModel):
    """GPUs of a machine."""

    type: str = attribute("Their type, such as nvidia-tesla-t4.", fingerprint=False, pattern=r"^[a-z0-9-]+$")
    count: int = attribute("How many.", default=1, fingerprint=False, gt=0, le=16)


class GceBackend(BlockModel):
    """`backend "gce" "NAME" {}`: steps run on a virtual machine of Compute Engine that is made for them."""

    project: str = attribute("The Google Cloud project that pays for the machines.", fingerprint=False, min_length=1)
    zone: str | None = attribute(
        "Where the machine is made, such as europe-west1-b.", default=None, fingerprint=False, pattern=r"^[a-z0-9-]+$"
    )
    zones: list[str] = attribute(
        "Zones in the order in which they are tried while there is no capacity; instead of `zone`.",
        default=[],
        fingerprint=False,
    )
    machine_type: str = attribute(
        "Its machine type.", default="e2-standard-4", fingerprint=False, pattern=r"^[a-z0-9-]+$"
    )
    accelerator: Accelerator | None = attribute("GPUs, if it is to have any.", default=None, fingerprint=False)
    disk_size_gb: int = attribute("Size of its boot disk.", default=50, fingerprint=False, ge=10, le=65536)
    image: str = attribute(
        "Image or image family that it boots. It needs curl, sha256sum and Python 3.9 or newer; for containers podman "
        "or docker, which is installed if the image is of Debian or Ubuntu.",
        default="projects/debian-cloud/global/images/family/debian-12",
        fingerprint=False,
        min_length=1,
    )
    container_image: ImageReference | None = attribute(
        'The container image, by its digest, that steps run in which name none of their own: "NAME@sha256:...". It '
        "needs Python 3.9 or newer as python3, and the packages that the steps import.",
        default=None,
        fingerprint=False,
    )
    python: str = attribute(
        "The Python interpreter on the image that runs the steps, and beside containers zenctl's own programs.",
        default="python3",
        fingerprint=False,
        pattern=r"^[\w./-]+$",
    )
    packages: Literal["install", "image"] = attribute(
        "install: the machine makes each step an environment with the packages that it imports, in the versions that "
        "are installed where zenctl plans, and with zenctl's own code. image: the image has all that steps import.",
        default="install",
        fingerprint=False,
    )
    index_url: str | None = attribute(
        "Package index that the machine installs from; without it PyPI. No credentials: everybody who may look at the "
        "project's jobs could read them.",
        default=None,
        fingerprint=False,
        pattern=INDEX,
    )
    extra_index_urls: list[Annotated[str, Field(pattern=INDEX)]] = attribute(
        "Package indexes that are asked before that one.", default=[], fingerprint=False
    )
    spot: bool = attribute(
        "A machine that costs less and can be taken away at any time; a step that is lost with it runs again as often "
        "as its `retries` say.",
        default=False,
        fingerprint=False,
    )
    preemptible: bool = attribute(
        "The older kind of `spot`: it ends after 24 hours at the latest, and is stopped instead of deleted when it is "
        "taken away. Not together with `spot` or `max_run_time`.",
        default=False,
        fingerprint=False,
    )
    service_account: str | None = attribute(
        "Email of the service account that the machine acts as; without it the project's default one. It must be able "
        "to read and create objects of the artifact store.",
        default=None,
        fingerprint=False,
        min_length=1,
    )
    network: str | None = attribute("Its network; without it `default`.", default=None, fingerprint=False, min_length=1)
    subnetwork: str | None = attribute(
        "Its subnetwork, such as regions/europe-west1/subnetworks/jobs.", default=None, fingerprint=False, min_length=1
    )
    external_ip: bool = attribute(
        "Whether it has an address of its own on the internet. Without one its subnetwork needs Private Google Access "
        "or Cloud NAT.",
        default=True,
        fingerprint=False,
    )
    labels: dict[str, str] = attribute("Labels of the machine, besides zenctl's own.", default={}, fingerprint=False)
    metadata: dict[str, str] = attribute(
        "Metadata of the machine, besides zenctl's own. Everybody who may look at the machine can read it: no secrets.",
        default={},
        fingerprint=False,
    )
    scope: Literal["apply", "step"] = attribute(
        "apply: one machine runs all steps of an apply that have this backend. step: each step has a machine of its "
        "own.",
        default="apply",
        fingerprint=False,
    )
    slots: int | None = attribute(
        "How many steps may run at the same time on one machine; without it as many as apply starts.",
        default=None,
        fingerprint=False,
        gt=0,
    )
    max_idle: Duration = attribute(
        "For how long a machine without a step waits for one before it shuts down by itself.",
        default="10m",
        fingerprint=False,
    )
    max_run_time: Duration = attribute(
        "After how long Compute Engine deletes the machine, whatever it does: 30s to 120d.",
        default="1d",
        fingerprint=False,
    )
    endpoint: str | None = attribute(
        "URL of another server than Google's: a private endpoint, or an emulator (http://..., which gets no "
        "credentials).",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )
    retry_seconds: int = attribute(
        "How long a request is repeated that fails for a reason which may pass.", default=60, fingerprint=False, ge=0
    )
    price_per_hour: float | None = attribute(
        "What the machine costs an hour, for plan to show; without it an estimate from public list prices.",
        default=None,
        fingerprint=False,
        ge=0,
    )
    currency: str = attribute(
        "The currency of price_per_hour (ISO 4217).", default="USD", fingerprint=False, pattern=r"^[A-Z]{3}$"
    )
    prices: str | None = attribute(
        "A JSON file with prices of your own, seen from the configuration's folder; what it does not have is estimated "
        "from public list prices.",
        default=None,
        fingerprint=False,
        min_length=1,
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> GceBackend:
        if (self.zone is None) is not bool(self.zones):
            raise ValueError("give either `zone`, or several `zones` to try one after the other")
        if self.price_per_hour is not None and self.prices is not None:
            raise ValueError("give either `price_per_hour`, or a file of `prices`")
        if not LEAST_RUN_TIME <= (seconds(self.max_run_time) or 0) <= MOST_RUN_TIME:
            raise ValueError("max_run_time must be between 30s and 120d")
        if self.spot and self.preemptible:
            raise ValueError("give either `spot` or `preemptible`: the first is the newer of two kinds")
        if self.preemptible and "max_run_time" in self.model_fields_set:
            raise ValueError("a preemptible machine ends after 24 hours and has no `max_run_time`; one of `spot` has")
        for what, keys in (("label", self.labels), ("metadata key", self.metadata)):
            taken = next((k for k in keys if k.startswith(RESERVED) or k == "startup-script"), None)
            if taken is not None:
                raise ValueError(f"the {what} {taken} is zenctl's own")
        return self


GCP = ProviderSchema(
    name="gcp",
    config=GcpProviderBlock,
    backends={
        "gce": BackendType(
            "gce",
            "Runs steps on a virtual machine of Google Compute Engine, made for them and deleted afterwards.",
            GceBackend,
            ("orchestrator",),
            # A machine has an identity of Google Cloud, and none of AWS.
            secrets=("gcp-secret",),
            images=True,
        )
    },
    stores={"gcs": StoreType("gcs", "Keeps artifacts in a bucket of Google Cloud Storage.", GcsStore, "gs")},
    secrets=("gcp-secret",),
)
