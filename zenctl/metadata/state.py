"""The read model: what each address of a workspace last produced. Built in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zenctl.addrs import Address
from zenctl.metadata.store import ExecutionState


@dataclass(frozen=True, slots=True)
class RecordedArtifact:
    """An artifact as recorded. `properties` are the job's (`rows`, metrics, `value`)."""

    id: int
    type: str
    uri: str
    digest: str
    bytes: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One execution of an address, decoded.

    `components` are those of the fingerprint (see `zenctl.plans.actions.Components`, as plain JSON). `attributes` is
    what a provider reported of an endpoint. `source` names the recorded execution that a CACHED one stands for.
    """

    addr: Address
    execution_id: int
    job_id: str
    state: ExecutionState
    serial: int
    type: str
    fingerprint: str = ""
    components: Mapping[str, Any] = field(default_factory=dict, hash=False)
    inputs: Mapping[str, RecordedArtifact] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, RecordedArtifact] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    handle: Mapping[str, Any] = field(default_factory=dict, hash=False)
    backend: str = ""
    code_version: Mapping[str, Any] = field(default_factory=dict, hash=False)
    error: str = ""
    source: int = 0
    started_ms: int = 0
    ended_ms: int = 0

    @property
    def is_result(self) -> bool:
        """Whether it produced something that can be used."""
        return self.state in (ExecutionState.COMPLETE, ExecutionState.CACHED)


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """What is recorded for a workspace.

    `results` holds the current result of each address; `attempts` the newest attempt where it is not a result
    (running, failed, canceled); `outputs` the root outputs of the newest finished apply; `serial` the newest apply.
    """

    project: str
    workspace: str
    serial: int = 0
    results: Mapping[Address, Recorded] = field(default_factory=dict, hash=False)
    attempts: Mapping[Address, Recorded] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
