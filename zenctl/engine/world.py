"""World: an opened configuration with the stores and providers that a plan or an apply works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zenctl.engine.opening import Opened, open_providers, opened_store
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


@contextmanager
def open_world(opened: Opened, inputs: Inputs, *, create: bool) -> Iterator[World]:
    """A configuration with its metadata store, providers and artifact store, closed at the end.

    Without `create` a metadata store that is not there reads as empty. What fails in it is a DiagnosticError.
    """
    providers = open_providers(opened, inputs)
    try:
        with opened_store(opened.configuration.settings, inputs, create=create) as store:
            yield World(opened, inputs, store, providers, providers.storage())
    finally:
        providers.close()
