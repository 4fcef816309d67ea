"""Finds the snapshots that a configuration pins with `version`, in every workspace it is used in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zenctl.addrs import Address, DatasourceAddr
from zenctl.engine.desired import DesiredDatasource
from zenctl.engine.known import recorded_results
from zenctl.engine.opening import Opened, open_configuration
from zenctl.engine.pinning import named_snapshots, pinned_version, snapshots_of
from zenctl.engine.requests import Inputs
from zenctl.metadata.records import Recorded
from zenctl.metadata.state import WorkspaceState, history, read_state
from zenctl.metadata.store import MetadataStore
from zenctl.schema.block import SourceModel


def pinned_digests(opened: Opened, inputs: Inputs, store: MetadataStore, workspaces: Iterable[str]) -> set[str]:
    """Digests of the snapshots that must stay for the configuration as it is now. Raises OpeningError.

    A version that is not known, because a variable has no value here, pins every snapshot of its datasource.
    """
    blocks = [
        addr
        for addr, node in opened.evaluator.nodes.items()
        if isinstance(addr, DatasourceAddr) and "version" in node.body.attributes
    ]
    found: set[str] = set()
    for name in workspaces if blocks else ():
        used = opened
        if name != inputs.workspace:
            # What it pins can follow from the workspace.
            used = open_configuration(replace(inputs, workspace=name), values_required=False)
        state = read_state(store, opened.configuration.settings.project, name)
        for block in blocks:
            found |= _pinned(used, store, state, block)
    return found


def _pinned(opened: Opened, store: MetadataStore, state: WorkspaceState, block: Address) -> set[str]:
    """What one block pins in one workspace."""
    known = recorded_results(state)
    instances = opened.evaluator.instances(block, known)
    recorded = {addr for addr in (*state.results, *instances.addresses) if addr.block == block}
    found: set[str] = set()
    for addr in recorded:
        snapshots = snapshots_of(history(store, state.project, state.workspace, addr))
        desired, _ = opened.evaluator.node(addr, known) if addr in instances.addresses else (None, ())
        if isinstance(desired, DesiredDatasource) and isinstance(desired.model, SourceModel):
            version = pinned_version(desired)
            snapshots = named_snapshots(version, snapshots) if version else []
        found |= _digests(snapshots)
    return found


def _digests(snapshots: Iterable[Recorded]) -> set[str]:
    return {recorded.outputs["data"].digest for recorded in snapshots}
