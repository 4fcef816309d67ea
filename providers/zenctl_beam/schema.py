"""What the Beam provider offers: the processing backend `direct`. Imports no Beam."""

from __future__ import annotations

from zenctl.schema import BackendType, BlockModel, ProviderSchema


class BeamConfig(BlockModel):
    """The block `provider "beam"` has no attributes."""


class DirectBackend(BlockModel):
    """The block `backend "direct"` has no attributes: pipelines run inside the job's own process."""


BEAM = ProviderSchema(
    name="beam",
    config=BeamConfig,
    backends={
        "direct": BackendType(
            name="direct",
            description="Runs the Beam pipelines of data steps inside the job, by Beam's direct runner.",
            model=DirectBackend,
            roles=("processing",),
        )
    },
)
