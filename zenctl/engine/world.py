"""World: an opened configuration with the stores and providers that a plan or an apply works on."""

from __future__ import annotations

from zenctl.engine.opening import Opened
from zenctl.engine.providers import Providers
from zenctl.engine.requests import Inputs
from zenctl.jobs.storage import Storage
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.store import MetadataStore


@dataclass(frozen=True, slots=True)
class World:
    """What a plan or an apply works on."""

    opened: Opened
    inputs: Inputs
    store: MetadataStore
    providers: Providers
    storage: Storage
