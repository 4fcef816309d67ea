"""What the engine tells while it works. Views turn events into text or JSON; the engine never prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Union

from zenctl.diagnostics import Diagnostic
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.actions import Action

if TYPE_CHECKING:
    from zenctl.provider import MachineEvent


@dataclass(frozen=True, slots=True)
class RefreshStarted:
    """Plan looks at the world: `what` is a datasource's or endpoint's address."""

    address: str


@dataclass(frozen=True, slots=True)
class RefreshEnded:
    """It was looked at; `note` is a few words (`345 rows, unchanged`)."""

    address: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChangeStarted:
    """Apply begins with an address. `job_id` is empty for endpoints."""

    address: str
    action: Action
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class ChangeProgress:
    """A running step's own count. `total` is 0 if not known."""

    address: str
    done: float
    total: float
    unit: str


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """Text that a running step printed."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeEnded:
    """Apply is done with an address.

    `outcome` is `ran`, `cut_off` (its inputs turned out unchanged), `reused`, `unchanged`, `forgotten`, `created`,
    `updated`, `replaced`, `deleted`. `note` is a few words (`accuracy 0.98`, a URL); `diagnostics` are the warnings of
    the job, or of that whose result is taken.
    """

    address: str
    action: Action
    outcome: str
    seconds: float
    note: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeFailed:
    """Apply failed at an address; `diagnostics` say why. `log` is a command that shows more, or empty."""

    address: str
    action: Action
    seconds: float
    diagnostics: tuple[Diagnostic, ...]
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class ChangeSkipped:
    """An address was not begun because `because` (an address) failed, or because of an interrupt (then empty)."""

    address: str
    action: Action
    because: str


@dataclass(frozen=True, slots=True)
class MachineChanged:
    """Something happened to a machine of a backend (`address`), as its provider tells it.

    `seconds` have passed since it was asked for, if this command has asked for it.
    """

    address: str
    told: MachineEvent
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Notice:
    """A plain statement on the course of things, such as `waiting for the lock held by ...`."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)


Event = Union[
    RefreshStarted,
    RefreshEnded,
    ChangeStarted,
    ChangeProgress,
    ChangeLog,
    ChangeEnded,
    ChangeFailed,
    ChangeSkipped,
    MachineChanged,
    Notice,
]

Listener = Callable[[Event], None]
"""Called from the engine's threads, one event at a time; must return soon."""
