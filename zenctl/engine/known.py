"""What the rest of the configuration may refer to: the outputs of a node as artifact references."""

from __future__ import annotations

from collections.abc import Mapping

from zenctl.addrs import Address
from zenctl.jobs.artifacts import tree_path
from zenctl.jobs.result import OutputResult
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.schema import ArtifactRef, OutputDecl, snapshot_outputs

Known = Mapping[str, ArtifactRef]
"""The outputs of one node by name."""

DATA: Mapping[str, OutputDecl] = snapshot_outputs({})
"""The outputs of every datasource."""


def unknown_refs(addr: Address, outputs: Mapping[str, OutputDecl]) -> Known:
    """Outputs that are known only after apply."""
    return {name: ArtifactRef(addr, name, decl.type) for name, decl in outputs.items()}


def recorded_refs(addr: Address, recorded: Recorded, outputs: Mapping[str, OutputDecl]) -> Known:
    """Outputs of a recorded result; one that it does not have is unknown."""
    refs = dict(unknown_refs(addr, outputs))
    for name, artifact in recorded.outputs.items():
        refs[name] = ArtifactRef(addr, name, artifact.type, artifact.digest, artifact.uri, dict(artifact.properties))
    return refs


def recorded_results(state: WorkspaceState) -> dict[Address, Known]:
    """What is recorded at each address that has outputs."""
    return {addr: recorded_refs(addr, found, {}) for addr, found in state.results.items() if found.outputs}


def produced_refs(addr: Address, outputs: Mapping[str, OutputResult]) -> Known:
    """Outputs that a job has just written."""
    return {
        name: ArtifactRef(addr, name, output.type, output.digest, tree_path(output.digest), dict(output.properties))
        for name, output in outputs.items()
    }
