"""What is recorded, decoded: an execution of an address with its artifacts, and a workspace's current ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.addrs import Address
from zenctl.jobs.result import JobWarning
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.store import ExecutionState


@dataclass(frozen=True, slots=True)
class RecordedArtifact:
    """An artifact as recorded. `properties` are the job's (`rows`, metrics, `value`).

    `id` is 0 where only the digest is known. Given as an input, `address` may name the address whose output it is, so
    that lineage leads there also where another address produced the same bytes; it is not read back. `deleted` says
    that its files were freed: the record stays, and nothing can be made from it.
    """

    id: int
    type: str
    uri: str
    digest: str
    bytes: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)
    address: Address | None = field(default=None, compare=False)
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """One execution of an address, decoded.

    `components` are those of the fingerprint (see `zenctl.plans.actions.Components`, as plain JSON); `environment` is
    what the job really ran with; `notes` are what it left for later ones: by key (digest of the artifact, digest of the
    note). `attributes` is what a provider reported of an endpoint, or of the `machines` of a job. `source` names the
    recorded execution that a CACHED one stands for, `producers` the executions that made the inputs, by input name,
    where known. `operation` is `run`, `reuse`, `move`, `import`, `publish` or `delete` (of an endpoint);
    `imported_from` says of an imported result which file or folder each output was. `produced_ms` is when its outputs
    were made: of a CACHED one, when that execution ended. `repeated` is an attempt whose job is run twice, so that the
    first's result alone does not complete it. `resumed` is the job whose checkpoint it went on from. `warnings` are the
    job's, of a CACHED one those of the job that made its outputs.
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
    warnings: tuple[JobWarning, ...] = ()
    source: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    produced_ms: int = 0
    repeated: bool = False
    resumed: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict, hash=False)
    notes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    producers: Mapping[str, int] = field(default_factory=dict, hash=False)
    operation: str = "run"
    imported_from: Mapping[str, str] = field(default_factory=dict, hash=False)
    project: str = ""
    workspace: str = ""

    @property
    def is_result(self) -> bool:
        """Whether it produced something; `is_deleted` says whether that can still be used."""
        return self.state in (ExecutionState.COMPLETE, ExecutionState.CACHED)

    @property
    def is_deleted(self) -> bool:
        """Whether anything that it produced was deleted since."""
        return any(artifact.deleted for artifact in self.outputs.values())


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """What is recorded for a workspace.

    `results` holds the current result of each address; `attempts` the newest attempt where it is not a result
    (running, failed, canceled); `outputs` the root outputs of the newest apply that recorded any; `serial` the newest
    apply, 0 if there was none; `busy` the apply that is under way, 0 if there is none; `unfinished` the newest apply if
    it has not completed, and is not under way.
    """

    project: str
    workspace: str
    serial: int = 0
    results: Mapping[Address, Recorded] = field(default_factory=dict, hash=False)
    attempts: Mapping[Address, Recorded] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    busy: int = 0
    unfinished: int = 0
