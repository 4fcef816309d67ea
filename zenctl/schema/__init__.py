"""How block types describe themselves: attributes, inputs, outputs and the code behind them. Imports no other layer."""

from zenctl.schema.block import BlockModel, RowsModel, SourceModel, attribute
from zenctl.schema.images import ImageReference
from zenctl.schema.references import ArtifactRef, BackendRef, Unknown
from zenctl.schema.types import (
    BackendType,
    DatasourceType,
    EndpointType,
    InputDecl,
    OutputDecl,
    ProviderSchema,
    SourceCache,
    SourceState,
    StepType,
    StoreType,
    snapshot_outputs,
)

__all__ = [
    "ArtifactRef",
    "BackendRef",
    "BackendType",
    "BlockModel",
    "DatasourceType",
    "EndpointType",
    "ImageReference",
    "InputDecl",
    "OutputDecl",
    "ProviderSchema",
    "RowsModel",
    "SourceCache",
    "SourceModel",
    "SourceState",
    "StepType",
    "StoreType",
    "Unknown",
    "attribute",
    "snapshot_outputs",
]
