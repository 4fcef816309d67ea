"""Configuration: the typed form of one module. Expressions stay unevaluated; everything static is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.diagnostics import SourceRange
from zenctl.lang.syntax import Body, Expression
from zenctl.schema import BackendType, DatasourceType, EndpointType, StepType, StoreType


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`metadata "<type>" {}` or `artifacts "<type>" {}`: the type and its decoded attributes."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The `zenctl {}` blocks. `defaults` gives a backend by role (`orchestrator`, `processing`, `training`).

    `required_providers` gives a version constraint by provider, '' for any version.
    """

    project: str
    required_version: str = ""
    metadata: StoreConfig = StoreConfig("sqlite")
    artifacts: StoreConfig = StoreConfig("local")
    defaults: Mapping[str, BackendAddr] = field(default_factory=dict, hash=False)
    required_providers: Mapping[str, str] = field(default_factory=dict, hash=False)
    require_clean_code: bool = False
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """A `validation` block of a variable: what must be true, and what the user is told if it is not."""

    condition: Expression
    error_message: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class VariableConfig:
    """A `variable` block. `type` is a type expression (`number`, `list(string)`, `any`); `default` is plain data.

    `typed` says that the type is declared, `deprecated` what to do instead of giving a value; empty if it is not.
    """

    name: str
    type: str
    has_default: bool
    default: Any
    description: str
    sensitive: bool
    nullable: bool
    range: SourceRange
    validations: tuple[ValidationRule, ...] = ()
    ephemeral: bool = False
    deprecated: str = ""
    typed: bool = True

    @property
    def stored(self) -> bool:
        """Whether its value may be written into a plan."""
        return not self.sensitive and not self.ephemeral


@dataclass(frozen=True, slots=True)
class NamedExpression:
    """A local value."""

    name: str
    expression: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """An `output` block."""

    name: str
    value: Expression
    description: str
    sensitive: bool
    range: SourceRange
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A `provider` block."""

    name: str
    body: Body
    range: SourceRange


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """A `backend` block; `provider` is the provider that offers its type."""

    addr: BackendAddr
    type: BackendType
    provider: str
    body: Body
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Meta:
    """Meta-arguments of a node, still expressions where they may be any."""

    depends_on: tuple[Address, ...] = ()
    enabled: Expression | None = None
    timeout: Expression | None = None
    retries: Expression | None = None
    backend: Expression | None = None
    processing: Expression | None = None
    prevent_destroy: bool = False


@dataclass(frozen=True, slots=True)
class DatasourceConfig:
    """A `datasource` block. `body` holds the type's own attributes only (meta-arguments are taken out)."""

    addr: DatasourceAddr
    type: DatasourceType
    body: Body
    meta: Meta
    range: SourceRange
    references: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class StepConfig:
    """A `step` block."""

    addr: StepAddr
    type: StepType
    body: Body
    meta: Meta
    range: SourceRange
    references: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """An `endpoint` block; `provider` is the provider that offers its type."""

    addr: EndpointAddr
    type: EndpointType
    provider: str
    body: Body
    meta: Meta
    range: SourceRange
    references: tuple[Address, ...] = ()


NodeConfig = Union[DatasourceConfig, StepConfig, EndpointConfig]
"""What a plan is about. `references` are the nodes it refers to or names in depends_on, sorted, without doubles."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One module: settings and blocks by name or address, in the order of the files.

    `root` is its folder; `files` maps each file's name (relative to root) to its text, as read. `store` is the type of
    the artifact store and `store_provider` the provider that offers it. `faulty` are the addresses (`step.python.fit`,
    `var.x`, `local.y`) of blocks that were left out because of errors already reported: what refers to them is not
    reported again.
    """

    root: Path
    settings: Settings
    files: Mapping[str, str] = field(hash=False)
    variables: Mapping[str, VariableConfig] = field(default_factory=dict, hash=False)
    locals: Mapping[str, NamedExpression] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, OutputConfig] = field(default_factory=dict, hash=False)
    providers: Mapping[str, ProviderConfig] = field(default_factory=dict, hash=False)
    backends: Mapping[BackendAddr, BackendConfig] = field(default_factory=dict, hash=False)
    nodes: Mapping[Address, NodeConfig] = field(default_factory=dict, hash=False)
    store: StoreType | None = None
    store_provider: str = ""
    faulty: frozenset[str] = frozenset()
