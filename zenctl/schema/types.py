"""The types a configuration can name: steps, datasources, backends, endpoints, stores, and a provider's set of them.

Descriptors are light: the code behind them is named as `"module:attribute"` and imported only where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from zenctl.lazy_dataclasses import dataclass
from zenctl.schema.block import BlockModel


@dataclass(frozen=True, slots=True)
class InputDecl:
    """An input: the artifact types it takes (empty = any), whether it must be given, and what it is for."""

    types: tuple[str, ...] = ()
    required: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True)
class OutputDecl:
    """An output: its artifact type and what it holds."""

    type: str
    description: str = ""


Outputs = Callable[[Mapping[str, Any]], Mapping[str, OutputDecl]]
"""From the decoded attributes (plain data, unknowns as `Unknown`; `inputs` gives names and types) to the outputs."""


@dataclass(frozen=True, slots=True)
class StepType:
    """A built-in step type.

    `version` counts changes of the implementation that can change its results: it is part of the fingerprint.
    `distributions` are the installed packages whose versions are part of it. `imports` are modules worth loading
    before the job runs. `inputs` is None where the user names the inputs freely. `mlmd_type` is the MLMD system type.
    `implementation` is a function of one `zenctl.sdk.Job`; empty for `python` and `command`, whose code is the user's.
    """

    name: str
    description: str
    model: type[BlockModel]
    inputs: Mapping[str, InputDecl] | None
    outputs: Outputs
    implementation: str = ""
    version: int = 1
    distributions: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    mlmd_type: str = "Process"


def snapshot_outputs(attributes: Mapping[str, Any]) -> Mapping[str, OutputDecl]:
    """The outputs of a datasource: the snapshot and, if rows can go there, `quarantine`."""
    outputs = {"data": OutputDecl("Dataset", "the snapshot")}
    if attributes.get("bad_rows") == "quarantine":
        outputs["quarantine"] = OutputDecl("Anomalies", "bad_rows.jsonl: the rows that were left out, and why")
    return outputs


@dataclass(frozen=True, slots=True)
class SourceState:
    """A datasource as it is now, seen without parsing it.

    `digest` identifies its content, wherever it lies; `rows` is None if counting would need a parse; `bytes` 0 if only
    a version of it was looked at. `locations` are
    what a job needs to find it (absolute paths or URIs), by name; they are never part of a fingerprint.
    `columns` are the types by name as far as they are known without a parse, `""` where they are not. `form` names the
    way in which rows were told apart (see `SourceCache.keep_rows`); empty where they were not.
    """

    digest: str
    bytes: int
    rows: int | None = None
    locations: Mapping[str, str] = field(default_factory=dict, hash=False)
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    form: str = ""


class SourceCache(Protocol):
    """Remembers what a file's content was while its size, time and inode stay the same. Losing it costs only time."""

    def get(self, path: Path) -> Mapping[str, Any] | None:
        """What was put for the file as it is now, or None."""
        ...

    def put(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Remember plain JSON facts about the file as it is now."""
        ...

    def get_object(self, uri: str, version: str) -> Mapping[str, Any] | None:
        """What was put for this version of an object of a bucket, or None."""
        ...

    def put_object(self, uri: str, version: str, facts: Mapping[str, Any]) -> None:
        """Remember plain JSON facts about this version of an object."""
        ...

    def keep_rows(self, digest: str, form: str, rows: bytes) -> None:
        """Remember the rows of a source by its digest: 8 bytes of digest and 4 of length each, sorted."""
        ...


Observe = Callable[[BlockModel, Path, SourceCache], SourceState]
"""From the decoded block, the configuration's folder and a cache; raises DiagnosticError if it cannot be read."""


Buckets = Callable[[str], Any]
"""Opens the bucket at `gs://NAME` or `s3://NAME`: a `zenctl.jobs.stores.objects.ObjectStorage`. DiagnosticError."""

ObserveObjects = Callable[[BlockModel, Buckets, SourceCache], SourceState]
"""The same of a block whose `path` is in a bucket: what the store says of its objects, which are not read as a whole.

Locations are `zenctl.jobs.objects.RemoteObject`s: the job finds files in their place.
"""


@dataclass(frozen=True, slots=True)
class DatasourceType:
    """A datasource type. `observe` names an `Observe` function, light enough for plan.

    `observe_objects` names an `ObserveObjects` function; a type without one reads nothing in buckets.
    `implementation` is a function of one `zenctl.sdk.Job` that writes the snapshot as its output `data`, and, where the
    model is a `RowsModel` that says so, `quarantine`.
    """

    name: str
    description: str
    model: type[BlockModel]
    observe: str
    implementation: str
    version: int = 1
    distributions: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    observe_objects: str = ""


@dataclass(frozen=True, slots=True)
class BackendType:
    """A backend type and the roles it can take: `orchestrator`, `processing`, `training`.

    `images` says that its jobs run in the container image that their order names. `secrets` are the schemes of secret
    references that its jobs can resolve, of `zenctl.jobs.secrets.references.SCHEMES`: `env` and `file` where they see
    the environment and the files of the machine that zenctl runs on, others where they have an identity that the place
    knows. `local_files` says that they can read a source that lies on that machine.
    """

    name: str
    description: str
    model: type[BlockModel]
    roles: tuple[str, ...]
    images: bool = False
    secrets: tuple[str, ...] = ()
    local_files: bool = False


@dataclass(frozen=True, slots=True)
class EndpointType:
    """An endpoint type. Its model's fields besides `model` (the artifact served) are the provider's own."""

    name: str
    description: str
    model: type[BlockModel]


@dataclass(frozen=True, slots=True)
class StoreType:
    """A type of artifact store: the block `artifacts "<name>" {}` and the URI scheme it serves."""

    name: str
    description: str
    model: type[BlockModel]
    scheme: str


@dataclass(frozen=True, slots=True)
class ProviderSchema:
    """Everything a provider offers.

    `secrets` are the schemes of secret references for which it lends the user's credentials to jobs on this machine
    (see `zenctl.provider.Vouching`).
    """

    name: str
    config: type[BlockModel]
    backends: Mapping[str, BackendType] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointType] = field(default_factory=dict)
    stores: Mapping[str, StoreType] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
