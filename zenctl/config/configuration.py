"""Configuration: the typed form of a tree of modules. Expressions stay unevaluated; everything static is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Union

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, EndpointAddr, ModuleInstance, StepAddr
from zenctl.diagnostics import SourceRange
from zenctl.lang.syntax import Body, Expression
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import BackendType, DatasourceType, EndpointType, StepType, StoreType


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`metadata "<type>" {}` or `artifacts "<type>" {}`: the type and its decoded attributes."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class RequiredProvider:
    """An entry of `required_providers`: a version constraint, '' for any version, and where it stands."""

    constraint: str
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Settings:
    """The `zenctl {}` blocks. `defaults` gives a backend by role (`orchestrator`, `processing`, `training`), and
    `default_ranges` where it is named.

    `reuse_from` says whose results may be taken besides the workspace's own; still an expression.
    """

    project: str
    required_version: str = ""
    metadata: StoreConfig = StoreConfig("sqlite")
    artifacts: StoreConfig = StoreConfig("local")
    defaults: Mapping[str, BackendAddr] = field(default_factory=dict, hash=False)
    default_ranges: Mapping[str, SourceRange] = field(default_factory=dict, hash=False)
    required_providers: Mapping[str, RequiredProvider] = field(default_factory=dict, hash=False)
    require_clean_code: bool = False
    reuse_from: Expression | None = None
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true, and what the user is told if it is not: a precondition, a postcondition, an assertion."""

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
    validations: tuple[Condition, ...] = ()
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
    preconditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """A `check` block: assertions that warn and stop nothing."""

    name: str
    assertions: tuple[Condition, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class MovedConfig:
    """A `moved` block: what is recorded at `source` (a block, an instance or a module) stands at `target` now."""

    source: str
    target: str
    range: SourceRange


@dataclass(frozen=True, slots=True)
class RemovedConfig:
    """A `removed` block: what became of a block that is no longer configured; `destroy` is for endpoints."""

    source: str
    destroy: bool
    range: SourceRange


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A `provider` block. One with an `alias` stands beside the one without: a second account or region."""

    name: str
    body: Body
    range: SourceRange
    alias: str = ""

    @property
    def key(self) -> str:
        """`gcp`, or `gcp.eu` with an alias."""
        return f"{self.name}.{self.alias}" if self.alias else self.name


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """A `backend` block; `provider` is the provider that offers its type, `gcp` or with its alias `gcp.eu`.

    `provider_range` is where the block names it, else that of the block.
    """

    addr: BackendAddr
    type: BackendType
    provider: str
    body: Body
    range: SourceRange
    provider_range: SourceRange


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A `lifecycle` block. `ignore_changes` are paths into what a result depends on, such as (`params`, `epochs`); an
    empty one stands for all. `replace_triggered_by` names blocks or instances of the same module.
    """

    prevent_destroy: bool = False
    create_before_destroy: bool = False
    ignore_changes: tuple[tuple[str, ...], ...] = ()
    replace_triggered_by: tuple[Expression, ...] = ()
    preconditions: tuple[Condition, ...] = ()
    postconditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Meta:
    """Meta-arguments of a node or a module call, still expressions where they may be any.

    `depends_on` are blocks of the same module, `depends_on_modules` names of its module calls, each with its place.
    `on_change` are the aspects, of `code` and `environment`, whose change alone leaves a step's result in force.
    """

    for_each: Expression | None = None
    count: Expression | None = None
    depends_on: Mapping[Address, SourceRange] = field(default_factory=dict, hash=False)
    depends_on_modules: Mapping[str, SourceRange] = field(default_factory=dict, hash=False)
    enabled: Expression | None = None
    timeout: Expression | None = None
    retries: Expression | None = None
    resources: Expression | None = None
    backend: Expression | None = None
    processing: Expression | None = None
    provider: Expression | None = None
    cache: Expression | None = None
    reproducible: Expression | None = None
    triggers_replace: Expression | None = None
    on_change: tuple[str, ...] = ()
    lifecycle: Lifecycle = Lifecycle()


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
    """An `endpoint` block; `provider` is the provider that offers its type, `gcp` or with its alias `gcp.eu`."""

    addr: EndpointAddr
    type: EndpointType
    provider: str
    body: Body
    meta: Meta
    range: SourceRange
    references: tuple[Address, ...] = ()


NodeConfig = Union[DatasourceConfig, StepConfig, EndpointConfig]
"""What a plan is about. `references` are the blocks whose results it needs or that depends_on names, also those that
the modules around it wait for; sorted, without doubles."""


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A `module` block: `module` is what `source` leads to, `arguments` the values of its variables."""

    name: str
    source: str
    module: Configuration
    arguments: Mapping[str, Expression] = field(hash=False)
    meta: Meta
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Item:
    """A value of one module of the tree: a `var`, `local` or `output`, or the instances of a module (`call`)."""

    module: tuple[str, ...]
    kind: str
    name: str

    def __str__(self) -> str:
        kind = "module" if self.kind == "call" else self.kind
        return ".".join([*(f"module.{name}" for name in self.module), kind, self.name])


@dataclass(frozen=True, slots=True)
class Graph:
    """What the values of a tree of modules are made of, followed through all modules.

    `leads` gives the nodes that a value needs; `looped` are the values that need themselves (which is reported).
    """

    leads: Mapping[Item, frozenset[Address]] = field(default_factory=dict, hash=False)
    looped: frozenset[Item] = frozenset()


@dataclass(frozen=True, slots=True)
class Configuration:
    """One module with those it calls: settings and blocks by name or address, in the order of the files.

    `root` is the folder of the root module, `folder` this module's own, relative to it with forward slashes ("" for the
    root module), `path` the names of the calls that lead here. Of the root module `files` maps each file's name
    (relative to root) to its text, those of all modules included, and `graph` says what its values are made of.
    `store` is the type of the artifact store and `store_provider` the provider that offers it. `faulty` are the
    addresses (`step.python.fit`, `var.x`, `local.y`) of blocks that were left out because of errors already reported:
    what refers to them is not reported again.
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
    calls: Mapping[str, ModuleCall] = field(default_factory=dict, hash=False)
    checks: Mapping[str, CheckConfig] = field(default_factory=dict, hash=False)
    moved: tuple[MovedConfig, ...] = ()
    removed: tuple[RemovedConfig, ...] = ()
    store: StoreType | None = None
    store_provider: str = ""
    path: tuple[str, ...] = ()
    folder: str = ""
    faulty: frozenset[str] = frozenset()
    graph: Graph = Graph()

    @property
    def prefix(self) -> tuple[ModuleInstance, ...]:
        """The module part of the addresses of this module's blocks."""
        return tuple(ModuleInstance(name) for name in self.path)

    def modules(self) -> Iterator[Configuration]:
        """This module and all below it."""
        waiting = [self]
        while waiting:
            module = waiting.pop()
            yield module
            waiting.extend(call.module for call in reversed(list(module.calls.values())))

    def all_nodes(self) -> dict[Address, NodeConfig]:
        """The nodes of this module and of all below it."""
        return {addr: node for module in self.modules() for addr, node in module.nodes.items()}
