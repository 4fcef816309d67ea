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
    Misfit,
    ProviderContext,
    SubmitRequest,
    no_access,
)
from zenctl.provider.protocol import (
    SDK_VERSION,
    Compute,
    Endpoint,
    Importable,
    Processing,
    Progressing,
    Provider,
    Sized,
    Sweeping,
)

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
    "Misfit",
    "Processing",
    "Progressing",
    "Provider",
    "ProviderContext",
    "ProviderError",
    "Sized",
    "SubmitRequest",
    "Sweeping",
    "no_access",
]
