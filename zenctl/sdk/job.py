"""Job: all that a built-in step is told, and how any step reports its progress."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.memory import Memory, NoMemory

Report = Callable[[float, float, str], None]


def _silent(done: float, total: float, unit: str) -> None:
    """Outside of a job nobody listens."""


@dataclass(frozen=True)
class Job:
    """The one argument of a built-in step's function.

    - `inputs` by name: `Dataset`, `Model`, `Metrics` or `Artifact`, as the artifact's type says.
    - `outputs` by name: `DatasetOutput`, `MetricsOutput` or `Output`; each must be written.
    - `params` are the block's attributes that are part of the fingerprint, as plain data.
    - `locations` say where sources lie; `expect` what must still be true of them ({"source": digest}).
    - `processing` are Beam pipeline options by name; empty means in process.
    - `memory` is what earlier jobs left; nothing of it may show in what is written.
    - `scratch` is an empty folder for temporary files, removed after the job.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, str] = field(default_factory=dict)
    processing: Mapping[str, Any] = field(default_factory=dict)
    scratch: Path = Path(".")
    memory: Memory = NoMemory()
    report: Report = _silent

    def progress(self, done: float, total: float = 0, unit: str = "") -> None:
        """Tell how far it is: `progress(3, 10, "epochs")`. `total` 0 = not known. Cheap: may be called often."""
        self.report(done, total, unit)


_listener: Optional[Report] = None


def progress(done: float, total: float = 0, unit: str = "") -> None:
    """Tell how far a step is, from user code: `progress(3, 10, "epochs")`. Does nothing outside of a job."""
    if _listener is not None:
        _listener(done, total, unit)


def listen(report: Optional[Report]) -> None:
    """Set who hears `progress`; the runner calls it."""
    global _listener
    _listener = report
