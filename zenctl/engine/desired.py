"""Desired: what the configuration asks for at one address, with every expression evaluated as far as is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Union

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.config.configuration import DatasourceConfig, EndpointConfig, StepConfig
from zenctl.diagnostics import SourceRange
from zenctl.jobs.resources import Resources
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import ArtifactRef, BlockModel, OutputDecl, snapshot_outputs


@dataclass(frozen=True, slots=True)
class CodeRef:
    """`code = "file.py:function"`; `file` is relative to `folder`, that of the module, with forward slashes.

    `ref` is the commit, tag or branch of `git::.//file.py:function?ref=...`, empty for the working tree; `repository`
    is where it is, empty for the configuration's own. `outputs` are the outputs that the block declares, (name, type)
    each: such a parameter needs no annotation.
    """

    file: str
    function: str
    ref: str = ""
    range: SourceRange | None = field(default=None, compare=False)
    outputs: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    repository: str = ""

    def __str__(self) -> str:
        name = f"{self.file}:{self.function}"
        return f"git::{self.repository or '.'}//{name}?ref={self.ref}" if self.ref else name


@dataclass(frozen=True, slots=True)
class DesiredDatasource:
    """A datasource. `model` is None while an attribute is known only after apply.

    `params` are the attributes that count for the fingerprint, `Unknown` inside where not known. `fingerprint_params`
    are the same with each sensitive value replaced by {"sensitive": digest}: only these may be stored or shown.
    `sensitive` are the paths of those, such as `auth.token`. `timeout` is in seconds. `references` are the instances
    whose results it waits for, `triggers` those that make it run again whenever they do.
    """

    addr: DatasourceAddr
    config: DatasourceConfig
    model: BlockModel | None
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    fingerprint_params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    backend: BackendAddr | None = None
    processing: BackendAddr | None = None
    timeout: float | None = None
    retries: int = 0
    resources: Resources = Resources()
    enabled: bool = True
    sensitive: tuple[str, ...] = ()
    references: tuple[Address, ...] = ()
    triggers: tuple[Address, ...] = ()

    @property
    def outputs(self) -> Mapping[str, OutputDecl]:
        """What it writes; the snapshot is `data`."""
        return snapshot_outputs(self.params)


@dataclass(frozen=True, slots=True)
class DesiredStep:
    """A step; `params`, `fingerprint_params`, `sensitive`, `model`, `timeout` and `references` are as for a datasource.

    `as_types` says what each input's parameter is annotated with (`Dataset`, `Path`, ...); empty for built-in steps.
    `cache_seconds` is how long a result counts, None for ever, 0 never; a `reproducible` step is run twice and its
    results compared. `triggers_replace` is a value whose change makes it run again, secrets in it by their digest.
    `returned` is the output that is the function's return value, or ''; `checkpoints` is its parameter for those.
    `code` is None for built-in steps; `files` are glob patterns that belong to it. `secrets` are its references to
    secrets by where they stand, with words for what is not known yet.
    """

    addr: StepAddr
    config: StepConfig
    model: BlockModel | None
    inputs: Mapping[str, ArtifactRef] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, OutputDecl] = field(default_factory=dict, hash=False)
    as_types: Mapping[str, str] = field(default_factory=dict, hash=False)
    returned: str = ""
    checkpoints: str = ""
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    fingerprint_params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    code: CodeRef | None = None
    files: tuple[str, ...] = ()
    backend: BackendAddr | None = None
    processing: BackendAddr | None = None
    timeout: float | None = None
    retries: int = 0
    resources: Resources = Resources()
    enabled: bool = True
    sensitive: tuple[str, ...] = ()
    references: tuple[Address, ...] = ()
    triggers: tuple[Address, ...] = ()
    cache_seconds: float | None = None
    reproducible: bool = False
    triggers_replace: Any = field(default=None, hash=False)
    secrets: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class DesiredEndpoint:
    """An endpoint. `config_data` is the decoded block without `model`, `Unknown` inside where not known.

    `shown_config` is the same with each sensitive value replaced by {"sensitive": digest}.
    """

    addr: EndpointAddr
    config: EndpointConfig
    model: ArtifactRef
    config_data: Mapping[str, Any] = field(default_factory=dict, hash=False)
    shown_config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    enabled: bool = True
    sensitive: tuple[str, ...] = ()
    references: tuple[Address, ...] = ()
    triggers: tuple[Address, ...] = ()


Desired = Union[DesiredDatasource, DesiredStep, DesiredEndpoint]


@dataclass(frozen=True, slots=True)
class DesiredOutput:
    """A root output: plain data with `Unknown` where not known."""

    name: str
    value: Any
    sensitive: bool = False
