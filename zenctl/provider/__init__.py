"""The provider SDK, version 1: what a provider implements, what it is told, and how it reports errors."""

from zenctl.provider.errors import ErrorKind, ProviderError
from zenctl.provider.messages import (
    EndpointAction,
    EndpointPlan,
    EndpointRequest,
    EndpointState,
    JobHandle,
    JobState,
    JobStatus,
    LogChunk,
    ProviderContext,
    SubmitRequest,
    no_access,
)
from zenctl.provider.protocol import Compute, Endpoint, Importable, Processing, Progressing, Provider, Sweeping

SDK_VERSION = 1

__all__ = [
    "SDK_VERSION",
    "Compute",
    "Endpoint",
    "EndpointAction",
    "EndpointPlan",
    "EndpointRequest",
    "EndpointState",
    "ErrorKind",
    "Importable",
    "JobHandle",
    "JobState",
    "JobStatus",
    "LogChunk",
    "Processing",
    "Progressing",
    "Provider",
    "ProviderContext",
    "ProviderError",
    "SubmitRequest",
    "Sweeping",
    "no_access",
]
