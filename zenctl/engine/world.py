"""World: an opened configuration with the stores and providers that a plan or an apply works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.events import Listener
from zenctl.engine.opening import Opened, open_providers, opened_store
from zenctl.engine.providers import Providers, provider_diagnostic
from zenctl.engine.requests import Inputs
from zenctl.jobs.storage import Storage, StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.store import MetadataStore
from zenctl.provider import ProviderError


@dataclass(frozen=True, slots=True)
class World:
    """What a plan or an apply works on."""

    opened: Opened
    inputs: Inputs
    store: MetadataStore
    providers: Providers
    storage: Storage


@contextmanager
def open_world(opened: Opened, inputs: Inputs, *, create: bool, listener: Listener | None = None) -> Iterator[World]:
    """A configuration with its metadata store, providers and artifact store, closed at the end.

    The `listener` hears what becomes of machines, to the very end.

    Without `create` a metadata store that is not there reads as empty. What fails in either is a DiagnosticError.
    """
    providers = open_providers(opened, inputs, listener)
    try:
        with opened_store(opened.configuration.settings, inputs, create=create) as store:
            yield World(opened, inputs, store, providers, providers.storage())
    except StorageError as problem:
        raise DiagnosticError(store_refusal(problem)) from problem
    except ProviderError as problem:
        raise DiagnosticError(provider_diagnostic(problem, "a provider failed")) from problem
    finally:
        providers.close()


def store_refusal(problem: StorageError) -> Diagnostic:
    """What the artifact store refused, and what to do about it."""
    hint = "Check its permissions." if problem.kind == "UNAUTHORIZED" else "Run the command again: it goes on."
    return error("artifact_store", f"The {problem.summary}", problem.hint or hint)
