"""The entry point of the Beam provider. Imports no Beam: only the job that runs a pipeline does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl import __version__
from zenctl.jobs.storage import Storage
from zenctl.provider import Compute, Endpoint, ErrorKind, Processing, ProviderContext, ProviderError
from zenctl.schema import ProviderSchema
from zenctl_beam.direct import DirectProcessing
from zenctl_beam.schema import BEAM


class BeamProvider:
    """Gives data steps the options with which they build their Beam pipelines."""

    name = "beam"
    version = __version__

    def schema(self) -> ProviderSchema:
        return BEAM

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
        """There is nothing to configure."""

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:  # noqa: ARG002 - no attributes
        """The processing backend `direct`."""
        if type not in BEAM.backends:
            raise ProviderError(ErrorKind.INVALID, f'the beam provider has no backend of type "{type}"')
        return DirectProcessing()

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:  # noqa: ARG002 - the protocol's
        if type not in BEAM.backends:
            raise ProviderError(ErrorKind.INVALID, f'the beam provider has no backend of type "{type}"')
        hint = "Use it as `processing = ...`; `backend = ...` takes one with the role `orchestrator`, such as `local`."
        raise ProviderError(ErrorKind.INVALID, f'a backend "{type}" runs pipelines, not steps', hint)

    def endpoint(self, type: str) -> Endpoint:
        raise ProviderError(ErrorKind.INVALID, f'the beam provider has no endpoint of type "{type}"')

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:  # noqa: ARG002 - the protocol's
        raise ProviderError(ErrorKind.INVALID, f'the beam provider has no artifact store of type "{type}"')

    def close(self) -> None:
        """There is nothing to end."""
