"""Holds metrics against the gates of an `evaluate` step. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.diagnostics import did_you_mean
from zenctl.sdk import StepError
from zenctl.steps.evaluate.schema import Gate


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Every number by its dotted name: {"classes": {"a": {"recall": 1}}} -> {"classes.a.recall": 1}."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{name}."))
        elif isinstance(value, (int, float)):
            found[prefix + name] = value
    return found


def check(metrics: Mapping[str, Any], gates: Mapping[str, Gate]) -> None:
    """Raise StepError(kind="gate_failed") that lists every gate not met, with what was wanted and what was measured."""
    measured = flat(metrics)
    for name in gates:
        if name not in measured:
            plain = [known for known in measured if "." not in known]
            raise StepError(
                f'there is no metric "{name}" to hold a gate against',
                f"Measured were {', '.join(plain)}, and more by slice and class.{did_you_mean(name, measured)}",
            )
    failed = [
        f"{name} is {measured[name]:.6g}, wanted {_wanted(gate)}"
        for name, gate in sorted(gates.items())
        if not _met(measured[name], gate)
    ]
    if failed:
        count = f"{len(failed)} of {len(gates)} gates" if len(gates) > 1 else "the gate"
        verb = "are" if len(failed) > 1 else "is"
        raise StepError(
            f"{count} {verb} not met: {'; '.join(failed)}",
            "The model was not passed on. Improve it, or change the gate if the bound was wrong.",
            kind="gate_failed",
        )


def _met(value: float, gate: Gate) -> bool:
    return (gate.min is None or value >= gate.min) and (gate.max is None or value <= gate.max)


def _wanted(gate: Gate) -> str:
    bounds = []
    if gate.min is not None:
        bounds.append(f"at least {gate.min:.6g}")
    if gate.max is not None:
        bounds.append(f"at most {gate.max:.6g}")
    return " and ".join(bounds)
