"""Plan and Change: everything apply needs to know, and everything a view shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from zenctl.addrs import Address, parse
from zenctl.diagnostics import Diagnostic
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.actions import Action, Components, Reason

if TYPE_CHECKING:
    from zenctl.provider import MachinePool

INTERRUPTED = "apply_interrupted"
"""The code of the warning that an apply before was interrupted."""

CHANGING = frozenset(Action) - {Action.NO_OP}
"""Every action that does something."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one address.

    `before` and `after` are plain JSON: the recorded and the planned attributes (`params`, `inputs`, `outputs`,
    `code`, ...). `after_unknown` lists the paths in `after` that are known only after apply, `sensitive` those that
    are never shown. `depends_on` are the addresses whose results it needs. `fingerprint` is empty while an input is
    unknown. `execution_id` pins the recorded execution that NO_OP and REUSE stand on. `moved_from` is the address that
    its record has until now (a `moved` block says so). `provider` is the provider of an endpoint, empty for the rest.
    `create_first` says of a replacement that what it replaces is removed only after it stands.
    """

    addr: Address
    action: Action
    reasons: tuple[Reason, ...] = ()
    before: Mapping[str, Any] | None = field(default=None, hash=False)
    after: Mapping[str, Any] | None = field(default=None, hash=False)
    after_unknown: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    components: Components | None = None
    fingerprint: str = ""
    execution_id: int | None = None
    moved_from: str = ""
    provider: str = ""
    create_first: bool = False

    @property
    def address(self) -> str:
        return str(self.addr)

    @property
    def is_noop(self) -> bool:
        return self.action is Action.NO_OP and not self.moved_from


@dataclass(frozen=True, slots=True)
class OutputChange:
    """A root output before and after; `unknown` if the value is known only after apply."""

    name: str
    before: Any = None
    after: Any = None
    unknown: bool = False
    sensitive: bool = False

    @property
    def changed(self) -> bool:
        return self.unknown or self.before != self.after


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a `check` block, or of the conditions of a node: `status` is `pass`, `fail` or `unknown`.

    `kind` is `check`, `step`, `datasource`, `endpoint` or `output`, `name` what the user wrote; `problems` are the
    messages of what does not hold.
    """

    kind: str
    name: str
    status: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointSeen:
    """A live endpoint as the plan saw it: the digest of the model that it serves, and whether it answers."""

    model: str | None
    ready: bool


@dataclass(frozen=True, slots=True)
class PlannedMachines:
    """Machines that apply makes for jobs, and removes again; they follow from the changes and are none themselves.

    `backends` are the addresses that name them: several where these are configured alike. `runs` are the addresses
    whose jobs run there, `may_run` those whose jobs may.
    """

    backends: tuple[str, ...]
    pool: MachinePool
    runs: tuple[str, ...] = ()
    may_run: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many there will be in all, at most."""
        jobs = len(self.runs) + len(self.may_run)
        return self.pool.count * (jobs if self.pool.scope == "step" else 1)


@dataclass(frozen=True, slots=True)
class CodeArchive:
    """One step's frozen code: its digest is that of the zip's bytes, which a plan file and a job carry."""

    digest: str
    data: bytes = field(repr=False, hash=False, default=b"")


@dataclass(frozen=True, slots=True)
class CodeDiff:
    """How the recorded source of a step differs from the planned one: a unified diff by path, of the files that count.

    Where there is no recorded source to compare with, `note` says why.
    """

    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class FilesRead:
    """What a module's expressions asked of its files: the SHA-256 of each that was read (what stands in it may be
    secret) and whether there is one by path, lists by folder and pattern.
    """

    digests: Mapping[str, str] = field(default_factory=dict, hash=False)
    existing: Mapping[str, bool] = field(default_factory=dict, hash=False)
    matches: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What apply will do, in the order of `changes` (dependencies first), complete on its own.

    - `serial` is the newest apply of the workspace that the plan knows of; `heads` the execution that was each
      address's current result then: a plan whose heads have moved is stale.
    - `files` is the configuration it was made from, `{file name: text}`; `variables` the values given, none of them
      sensitive; `code` the archive of each step's code, by address.
    - `code_version` is {"commit", "branch", "remote", "dirty"} of the folder when it was made; empty if not looked at.
    - `code_diffs` are the differences of the steps' source, by address; empty where nobody asked for them.
    - `read` is what expressions read of files, by the module's folder.
    - `refreshed` says that sources and endpoints were looked at; `endpoints` is what was seen of each live one, None
      where there was none; `drift` what differs from its record by no doing of an apply.
    - `checks` are what came of conditions, `blocks` the configuration's blocks in Terraform's shape, for readers.
    - `machines` are those that are made for the jobs of the changes.
    - `timestamp` is ISO 8601 in UTC. One that is `refresh_only` changes records and nothing else.
    """

    project: str
    workspace: str
    serial: int
    timestamp: str
    zenctl_version: str
    changes: tuple[Change, ...]
    outputs: tuple[OutputChange, ...] = ()
    destroy: bool = False
    refresh_only: bool = False
    configuration_digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    variables: Mapping[str, Any] = field(default_factory=dict, hash=False)
    heads: Mapping[str, int] = field(default_factory=dict, hash=False)
    code: Mapping[str, CodeArchive] = field(default_factory=dict, hash=False)
    code_version: Mapping[str, Any] = field(default_factory=dict, hash=False)
    code_diffs: Mapping[str, CodeDiff] = field(default_factory=dict, hash=False)
    read: Mapping[str, FilesRead] = field(default_factory=dict, hash=False)
    providers: Mapping[str, str] = field(default_factory=dict, hash=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    refreshed: bool = True
    endpoints: Mapping[str, EndpointSeen | None] = field(default_factory=dict, hash=False)
    drift: tuple[Change, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    blocks: Mapping[str, Any] = field(default_factory=dict, hash=False)
    machines: tuple[PlannedMachines, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def change(self, address: Address | str) -> Change | None:
        """The change of an address, or None."""
        wanted = parse(address) if isinstance(address, str) else address
        return next((c for c in self.changes if c.addr == wanted), None)

    @property
    def interrupted(self) -> bool:
        """Whether an apply before was interrupted and left something under way, which the next one sees to."""
        return any(diagnostic.code == INTERRUPTED for diagnostic in self.diagnostics)

    @property
    def is_empty(self) -> bool:
        """Whether apply would do nothing at all, outputs included."""
        return all(c.is_noop for c in self.changes) and not any(o.changed for o in self.outputs)
