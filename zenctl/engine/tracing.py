"""Follows a record to all it was made from, and to all that stands on it now."""

from __future__ import annotations

import time

from zenctl.engine.naming import find_named
from zenctl.engine.requests import Inputs, LineageOutcome
from zenctl.metadata.lineage import lineage, uses
from zenctl.metadata.past import apply_of
from zenctl.metadata.records import Recorded
from zenctl.metadata.state import read_heads
from zenctl.metadata.store import MetadataStore
from zenctl.metadata.workspaces import workspaces


def trace(store: MetadataStore, project: str, inputs: Inputs, words: str) -> LineageOutcome:
    """The record that the words name, with its lineage both ways. Raises DiagnosticError if there is none."""
    named = find_named(store, project, inputs.workspace, words, inputs.root)
    recorded = named.recorded
    return LineageOutcome(
        lineage(store, recorded.execution_id),
        (),
        uses=uses(recorded, current(store, project, inputs.workspace)),
        apply=apply_of(store, recorded, time.time_ns() // 1_000_000),
        because=named.because,
    )


def current(store: MetadataStore, project: str, workspace: str) -> list[Recorded]:
    """The current results of all workspaces of a project; three queries for each, however long their history."""
    names = {workspace, *(found.name for found in workspaces(store, project))}
    return [recorded for name in sorted(names) for recorded in read_heads(store, project, name)]
