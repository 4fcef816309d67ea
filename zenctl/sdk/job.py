"""Job: all that a built-in step is told, and how any step reports its progress and what it warns of."""

from __future__ import annotations

import warnings
from dataclasses import field
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.memory import Memory, NoMemory

Report = Callable[[float, float, str], None]
Alert = Callable[[str, str], None]


def _silent(done: float, total: float, unit: str) -> None:
    """Outside of a job nobody listens."""


def _as_python_does(summary: str, detail: str) -> None:
    """Outside of a job a warning is one of Python's own, so that a test or a notebook shows it."""
    warnings.warn(f"{summary}: {detail}" if detail else summary, stacklevel=3)


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
    alert: Alert = _as_python_does

    def progress(self, done: float, total: float = 0, unit: str = "") -> None:
        """Tell how far it is: `progress(3, 10, "epochs")`. `total` 0 = not known. Cheap: may be called often."""
        self.report(done, total, unit)

    def warn(self, summary: str, detail: str = "") -> None:
        """Tell the user of something that is no failure, as `zenctl.sdk.warn` does."""
        self.alert(summary, detail)


_listener: Optional[Report] = None
_alarm: Optional[Alert] = None


def progress(done: float, total: float = 0, unit: str = "") -> None:
    """Tell how far a step is, from user code: `progress(3, 10, "epochs")`. Does nothing outside of a job."""
    if _listener is not None:
        _listener(done, total, unit)


def warn(summary: str, detail: str = "") -> None:
    """Tell the user of something that is no failure: `warn("12 of 345 rows were left out", "They have no label.")`.

    Apply shows it as a warning at the step's block, `zenctl state show` as long as the result is kept. `summary` is one
    short line; lines of `detail` that begin with a space are shown as they are. What was said already is not said
    again; of very many only the first are kept. Call it from the step's own process: what a process that it starts says
    is not heard. Outside of a job it is a `UserWarning`. Raises ValueError for an empty summary.
    """
    (_alarm or _as_python_does)(summary, detail)


def listen(report: Optional[Report], alert: Optional[Alert] = None) -> None:
    """Set who hears `progress` and `warn`; the runner calls it."""
    global _listener, _alarm
    _listener, _alarm = report, alert
