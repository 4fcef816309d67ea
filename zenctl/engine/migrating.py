"""The operation behind `zenctl state migrate`: copies what is recorded into another metadata store; reads it back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import field
from typing import Any

from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.opening import OpeningError, open_settings, opened_store, store_failure
from zenctl.engine.requests import Inputs
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.migration import Migrated, Progress, migrate
from zenctl.metadata.opening import open_store
from zenctl.metadata.store import StoreError

__all__ = ["MigrateOutcome", "Migrated", "Progress", "migrate_state"]


@dataclass(frozen=True, slots=True)
class MigrateOutcome:
    """What the other store holds now, or only diagnostics."""

    migrated: Migrated | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def migrate_state(inputs: Inputs, type: str, attributes: Mapping[str, Any], progress: Progress) -> MigrateOutcome:
    """Copy from the store that the configuration sets into the one that is described as its block would be.

    Everything in the store is copied, of every workspace and project. The configuration stays what it is.
    """
    sources: Mapping[str, str] = {}
    try:
        settings, sources = open_settings(inputs)
        here = settings.metadata
        if (here.type, dict(here.config)) == (type, dict(attributes)):
            summary = "The configuration uses this metadata store already"
            raise DiagnosticError(error("same_store", summary, "Name the store to copy to.", range=here.range))
        with opened_store(settings, inputs, create=False) as source:
            if isinstance(source, MemoryStore):
                detail = f"Nothing has been recorded. Set the store: zenctl config metadata set {type} ..."
                raise DiagnosticError(error("nothing_recorded", "There is nothing to copy", detail, range=here.range))
            with closing(open_store(type, attributes, inputs.data_dir, create=True)) as target:
                return MigrateOutcome(migrate(source, target, progress), (), sources)
    except OpeningError as problem:
        return MigrateOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return MigrateOutcome(None, problem.diagnostics, sources)
    except StoreError as problem:
        return MigrateOutcome(None, (store_failure(problem),), sources)
