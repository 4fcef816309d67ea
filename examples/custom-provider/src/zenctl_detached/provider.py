"""The entry point: which blocks there are, and what stands behind them. Plan loads it, so it is light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.jobs.storage import Storage
from zenctl.provider import Compute, Endpoint, ErrorKind, Processing, ProviderContext, ProviderError
from zenctl.schema import BackendType, BlockModel, ProviderSchema, attribute


class DetachedConfig(BlockModel):
    """The block `provider "detached" {}`."""

    grace: float = attribute(
        "Seconds between asking a job to stop and killing it.", default=10.0, fingerprint=False, gt=0
    )


class DetachedBackend(BlockModel):
    """The block `backend "detached" "NAME" {}`."""

    launcher: list[str] = attribute(
        'A program that each job is started with, such as ["nice", "-n", "10"].', default=[], fingerprint=False
    )


SCHEMA = ProviderSchema(
    name="detached",
    config=DetachedConfig,
    backends={
        "detached": BackendType(
            name="detached",
            description="Runs each step as a process of this machine that outlives zenctl.",
            model=DetachedBackend,
            roles=("orchestrator",),
            # Its jobs see the files of this machine, and the environment that zenctl was started with.
            secrets=("env", "file"),
            local_files=True,
        )
    },
)


class DetachedProvider:
    """Offers one backend, and neither pipelines, endpoints nor stores."""

    name = "detached"
    version = "1.0.0"

    def __init__(self) -> None:
        self._context: ProviderContext | None = None
        self._grace = 10.0

    def schema(self) -> ProviderSchema:
        return SCHEMA

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
        self._context = context
        self._grace = float(config.get("grace", 10.0))

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:
        from zenctl_detached.compute import DetachedCompute

        if type not in SCHEMA.backends or self._context is None:
            raise _none("backend", type)
        folder = self._context.data_dir / "providers" / self.name
        return DetachedCompute(folder.absolute(), tuple(config.get("launcher", ())), self._grace)

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:  # noqa: ARG002 - the protocol's
        raise _none("processing backend", type)

    def endpoint(self, type: str) -> Endpoint:
        raise _none("endpoint", type)

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:  # noqa: ARG002 - the protocol's
        raise _none("artifact store", type)

    def close(self) -> None:
        """Nothing ends with the command: that is what the backend is for."""


def _none(what: str, type: str) -> ProviderError:
    return ProviderError(ErrorKind.INVALID, f'the detached provider has no {what} of type "{type}"')
