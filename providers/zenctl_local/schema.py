"""The block types of the local provider: backend, artifact store and endpoint on this machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from zenctl.jobs.resources import memory_bytes
from zenctl.schema import (
    ArtifactRef,
    BackendType,
    BlockModel,
    EndpointType,
    ProviderSchema,
    StoreType,
    attribute,
)

DEFAULT_HOST = "127.0.0.1"
DEFAULT_STORE = ".zenctl/artifacts"


_SIZE = r"[0-9]+(\.[0-9]+)?\s*([KMGT]i?)?B?"


def _size(text: str) -> str:
    if memory_bytes(text) is None:
        raise ValueError('give a size such as "512MiB" or "8GB"')
    return text


Memory = Annotated[str, AfterValidator(_size), WithJsonSchema({"type": "string", "pattern": f"^{_SIZE}$"})]
"""A size of memory."""


class LocalProviderBlock(BlockModel):
    """`provider "local" {}`: nothing to set."""


class LocalBackend(BlockModel):
    """`backend "local" "NAME" {}`: steps run as processes of this machine."""

    slots: int | None = attribute(
        "How many steps may run at the same time on this backend; without it as many as apply starts.",
        default=None,
        fingerprint=False,
        gt=0,
    )
    cpus: float | None = attribute(
        "How many cores the steps share that ask for some (`resources`); without it all of this machine.",
        default=None,
        fingerprint=False,
        gt=0,
    )
    memory: Memory | None = attribute(
        'How much memory the steps share that ask for some, such as "8GiB"; without it all of this machine.',
        default=None,
        fingerprint=False,
    )
    gpus: int | None = attribute(
        "How many GPUs the steps share; each sees those it asked for, and no other (CUDA_VISIBLE_DEVICES). Without it "
        "those of this machine, which a step that asks for none sees all.",
        default=None,
        fingerprint=False,
        ge=0,
    )
    python: str | None = attribute(
        "Path of the Python interpreter (3.9 or newer) that runs the steps; without it the one that runs zenctl.",
        default=None,
        fingerprint=False,
        min_length=1,
    )


class LocalStore(BlockModel):
    """`artifacts "local" {}`: a folder of this machine."""

    path: str = attribute(
        "The folder, relative to the configuration's folder.", default=DEFAULT_STORE, fingerprint=False, min_length=1
    )


class LocalEndpoint(BlockModel):
    """`endpoint "local" "NAME" {}`: a model served over HTTP by a process that outlives apply."""

    model: ArtifactRef = attribute("The model to serve.")
    host: str = attribute("Address to listen on.", default=DEFAULT_HOST, min_length=1)
    port: int = attribute(
        "Port to listen on; 0 takes any that is free and keeps it.", default=0, exclusive=True, ge=0, le=65535
    )


LOCAL = ProviderSchema(
    name="local",
    config=LocalProviderBlock,
    backends={
        "local": BackendType(
            "local",
            "Runs steps as processes of this machine, or in containers of podman or docker.",
            LocalBackend,
            ("orchestrator",),
            images=True,
            # With the credentials of who runs zenctl, which its providers lend.
            secrets=("env", "file", "gcp-secret", "aws-secret"),
            local_files=True,
        )
    },
    endpoints={"local": EndpointType("local", "Serves a model over HTTP from this machine.", LocalEndpoint)},
    stores={"local": StoreType("local", "Keeps artifacts in a folder of this machine.", LocalStore, "file")},
)
