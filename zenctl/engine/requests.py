"""What commands ask of the engine and what it answers: the requests and outcomes of each operation."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenctl.config.given import Ask, VariableArgument
from zenctl.diagnostics import Diagnostic
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.applies import Apply
from zenctl.metadata.artifacts import OutputRecord
from zenctl.metadata.lineage import LineageNode, UseNode
from zenctl.metadata.state import WorkspaceState
from zenctl.plans.plan import Plan

if TYPE_CHECKING:
    from zenctl.engine.run_comparison import RunTable
    from zenctl.engine.state_differences import StateDifference


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where a command works and what it was given. `root` is the configuration's folder.

    `variables` are `-var` and `-var-file` in the order typed; `environment` is os.environ (variables `ZENCTL_VAR_x`,
    secret references). `ask` asks a person for a variable without a value, if there is one to ask. `command` is the
    command line as typed, for the record.
    """

    root: Path
    workspace: str = "default"
    variables: tuple[VariableArgument, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    command: str = ""
    ask: Ask | None = field(default=None, compare=False)

    @property
    def data_dir(self) -> Path:
        """`.zenctl` of the project: default store, artifacts, caches, local endpoints."""
        return self.root / ".zenctl"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What changes a plan besides the configuration.

    `trusted_config` is the commit, tag or branch that says where credentials may go; empty if the configuration itself
    is trusted. `refresh_only` looks at what is recorded, and plans to record what has become of it.
    With `drift` sources that have changed are read, for how far their columns moved.
    With `code_diffs` it holds what changed in the source of steps; with `for_file` that too, and the commit it was made
    at.
    """

    destroy: bool = False
    refresh: bool = True
    refresh_only: bool = False
    drift: bool = False
    code_diffs: bool = False
    for_file: bool = False
    replace: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    trusted_config: str = ""


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """A plan, or only diagnostics. `sources` are the texts that diagnostics point into, by file name."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(slots=True)
class Stop:
    """How a command tells a running apply to end: `drain` starts nothing new, `cancel` also stops running steps."""

    drain: threading.Event = field(default_factory=threading.Event)
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """What apply did, by address. `outputs` are the root outputs afterwards, `{name: {"value":, "sensitive":}}`."""

    serial: int = 0
    ran: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict, hash=False)
    forgotten: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    canceled: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    interrupted: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """`zenctl import ADDRESS ID...`. `ids` are as typed; paths among them are seen from the configuration's folder.

    `lock_timeout` is in seconds; `config_out` names a new file for the block of an endpoint that has none.
    """

    address: str
    ids: tuple[str, ...] = ()
    lock_timeout: float = 0.0
    config_out: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was recorded: outputs by name, or an endpoint's attributes, and where each output came from."""

    address: str
    serial: int
    outputs: Mapping[str, OutputRecord] = field(default_factory=dict, hash=False)
    imported_from: Mapping[str, str] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What was imported, or only diagnostics. `written` is the file that a block was generated into."""

    imported: Imported | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    written: str = ""


@dataclass(frozen=True, slots=True)
class StateOutcome:
    """The recorded state, or only diagnostics. `apply` is the workspace's newest, None if there was none."""

    state: WorkspaceState | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    apply: Apply | None = None


@dataclass(frozen=True, slots=True)
class StateDiffOutcome:
    """How two states differ, or only diagnostics."""

    difference: StateDifference | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class CompareOutcome:
    """Runs side by side, by address, or only diagnostics."""

    tables: tuple[RunTable, ...] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    project: str = ""


@dataclass(frozen=True, slots=True)
class InitOutcome:
    """What `init` made (paths relative to the root), which providers the configuration uses, with versions, and the
    sources of the modules that were fetched.
    """

    created: tuple[str, ...]
    configuration_found: bool
    providers: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogsOutcome:
    """What a step printed, in pieces, or only diagnostics."""

    chunks: Iterator[str] | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class LineageOutcome:
    """A record with all it came from, or only diagnostics.

    `uses` is what stands on it now, in any workspace of the project; `apply` the apply that recorded it. `because` says
    how it was found, where it was not named by its address.
    """

    node: LineageNode | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    uses: UseNode | None = None
    apply: Apply | None = None
    because: str = ""
