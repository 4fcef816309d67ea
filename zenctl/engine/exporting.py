"""The operation behind `zenctl state export`: reads what is recorded of a workspace, apply by apply, as events."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field, replace
from typing import TYPE_CHECKING

from zenctl.config.stores import get_store
from zenctl.diagnostics import Diagnostic, DiagnosticError, error, warning
from zenctl.engine.opening import OpeningError, open_settings, opened_store
from zenctl.engine.requests import Inputs
from zenctl.engine.workflow import artifact_store
from zenctl.jobs.artifacts import CorruptArtifact, blob_path, read_tree
from zenctl.jobs.storage import Storage, StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.applies import Apply, applies
from zenctl.metadata.encoding import workspace_key
from zenctl.metadata.lineage import producers_of
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.state import read_recorded
from zenctl.metadata.store import Execution, MetadataStore, Where
from zenctl.provider.registry import discover
from zenctl.sdk.snapshot import SCHEMA_FILE

if TYPE_CHECKING:
    from zenctl.engine.openlineage_events import Surroundings

AT_ONCE = 500
"""About how many executions are read at a time."""


@dataclass(frozen=True, slots=True)
class ExportOutcome:
    """The events, one JSON text each, or only diagnostics. Iterating raises DiagnosticError if a store fails."""

    events: Iterator[str] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def export_state(inputs: Inputs, *, since: int = 0) -> ExportOutcome:
    """The OpenLineage events of the applies after serial `since`."""
    sources: Mapping[str, str] = {}
    try:
        _check_library()
        settings, sources = open_settings(inputs)
        with ExitStack() as open_things:
            store = open_things.enter_context(opened_store(settings, inputs, create=False))
            storage, found = _storage(inputs, open_things)
            around = _surroundings(inputs, storage)
            events = _events(store, settings.project, inputs.workspace, since, around)
            return ExportOutcome(_held(open_things.pop_all(), events), found, sources)
    except OpeningError as problem:
        return ExportOutcome(None, problem.diagnostics, problem.sources)
    except DiagnosticError as problem:
        return ExportOutcome(None, problem.diagnostics, sources)


def _check_library() -> None:
    """Raise DiagnosticError if the client library is not installed."""
    try:
        import openlineage.client  # noqa: F401
    except ImportError as problem:
        summary = "OpenLineage events need its client library, openlineage-python, which is not installed"
        detail = f"Install it: pip install 'zenctl[openlineage]' ({problem})"
        raise DiagnosticError(error("library_missing", summary, detail)) from problem


def _held(open_things: ExitStack, events: Iterator[str]) -> Iterator[str]:
    with open_things:
        yield from events


def _storage(inputs: Inputs, open_things: ExitStack) -> tuple[Storage | None, tuple[Diagnostic, ...]]:
    """The artifact store, where the columns of datasets are; without it events lack these only."""
    try:
        return open_things.enter_context(artifact_store(inputs)), ()
    except DiagnosticError as problem:
        why = problem.diagnostics[0].summary if problem.diagnostics else "it cannot be opened"
        summary = "The events tell no columns of datasets: the artifact store cannot be read"
        return None, (warning("artifact_store", summary, why),)


def _surroundings(inputs: Inputs, storage: Storage | None) -> Surroundings:
    from zenctl.engine.openlineage_events import Surroundings

    location = get_store(inputs.root, discover(), "artifacts").location
    place = location if "://" in location else str((inputs.root / (location or "")).absolute())
    known: dict[str, Mapping[str, str]] = {}

    def columns(artifact: RecordedArtifact) -> Mapping[str, str]:
        if artifact.digest not in known:
            known[artifact.digest] = {} if storage is None else _columns(storage, artifact.digest)
        return known[artifact.digest]

    return Surroundings(place, columns)


def _columns(storage: Storage, digest: str) -> Mapping[str, str]:
    """The columns of a snapshot with their types; {} of one that is not there any more, or no snapshot."""
    try:
        for file in read_tree(storage, digest).files:
            if file.path == SCHEMA_FILE:
                with storage.open(blob_path(file.sha256)) as stream:
                    return {str(f["name"]): str(f["type"]) for f in json.loads(stream.read())["features"]}
    except (CorruptArtifact, StorageError, ValueError, KeyError, TypeError):
        return {}
    return {}


def _events(store: MetadataStore, project: str, workspace: str, since: int, around: Surroundings) -> Iterator[str]:
    from zenctl.engine.openlineage_events import apply_events

    found = [apply for apply in applies(store, project, workspace, time.time_ns() // 1_000_000) if apply.serial > since]
    where = Where(properties={"workspace_key": workspace_key(project, workspace)}, at_least={"serial": since + 1})
    by_serial: dict[int, list[Execution]] = defaultdict(list)
    for execution in store.executions(where):
        by_serial[int(execution.properties.get("serial", 0))].append(execution)
    for batch in _batches(sorted(found, key=lambda apply: apply.serial), by_serial):
        recorded = read_recorded(store, [e for apply in batch for e in by_serial[apply.serial]])
        known = _with_producers(store, recorded, around)
        for apply in batch:
            of_apply = [one for one in recorded if one.serial == apply.serial]
            yield from apply_events(project, workspace, apply, of_apply, known)


def _batches(found: Sequence[Apply], by_serial: Mapping[int, Sequence[Execution]]) -> Iterator[list[Apply]]:
    batch: list[Apply] = []
    count = 0
    for apply in found:
        batch.append(apply)
        count += len(by_serial.get(apply.serial, ()))
        if count >= AT_ONCE:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _with_producers(store: MetadataStore, recorded: Sequence[Recorded], around: Surroundings) -> Surroundings:
    made = producers_of(store, recorded)
    known = {one.execution_id: one for one in recorded}
    missing = {id_ for found in made.values() for id_ in found.values()} - known.keys()
    known |= {one.execution_id: one for one in read_recorded(store, store.executions_by_id(sorted(missing)))}
    return replace(around, producers=known, made=made)
