"""Evaluates a node's meta-arguments: whether, where, how long and how often it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zenctl.addrs import BackendAddr
from zenctl.config.configuration import Meta
from zenctl.config.plain import FAULTY, plain_value
from zenctl.config.references import backend_address
from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.engine.durations import seconds
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import EPHEMERAL
from zenctl.lang.syntax import Expression
from zenctl.schema import Unknown


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A node's meta-arguments. `timeout` is in seconds; what is wrong has its default."""

    enabled: bool = True
    timeout: float | None = None
    retries: int = 0
    backend: BackendAddr | None = None
    processing: BackendAddr | None = None


def arrange(meta: Meta, scope: Scope) -> tuple[Arrangement, list[Diagnostic]]:
    """Evaluate them. They decide what is planned, so they must be known before anything runs."""
    diagnostics: list[Diagnostic] = []
    enabled = _read(meta.enabled, "enabled", scope, diagnostics)
    if enabled is not None and not isinstance(enabled, bool):
        _wrong(meta.enabled, '"enabled" must be true or false', diagnostics)
    timeout = _read(meta.timeout, "timeout", scope, diagnostics)
    limit = seconds(timeout)
    if timeout is not None and limit is None:
        text = '"timeout" must be a number of seconds or a text such as "30m" or "1h30m"'
        _wrong(meta.timeout, text, diagnostics)
    retries = _read(meta.retries, "retries", scope, diagnostics)
    if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int) or retries < 0):
        _wrong(meta.retries, '"retries" must be a whole number, 0 or more', diagnostics)
        retries = None
    arrangement = Arrangement(
        enabled=enabled is not False,
        timeout=limit,
        retries=retries or 0,
        backend=backend_address(meta.backend) if meta.backend is not None else None,
        processing=backend_address(meta.processing) if meta.processing is not None else None,
    )
    return arrangement, diagnostics


def _read(expression: Expression | None, name: str, scope: Scope, diagnostics: list[Diagnostic]) -> Any:
    """The plain value; None if it is not given, wrong or not known (then that is reported)."""
    if expression is None:
        return None
    value, found = evaluate_expression(expression, scope)
    diagnostics += found
    data, marks = plain_value(value)
    if has_errors(found) or any(FAULTY in names for _, names in marks):
        return None
    if any(EPHEMERAL in names for _, names in marks):
        detail = "It decides what is planned, and an ephemeral value may be another one when the plan is applied."
        summary = f'"{name}" cannot depend on an ephemeral value'
        diagnostics.append(error("ephemeral_value", summary, detail, range=expression.range))
        return None
    if isinstance(data, Unknown):
        summary = f'"{name}" must be known before anything runs'
        detail = "It depends on a result that is known only after apply."
        diagnostics.append(error("unknown_meta_argument", summary, detail, range=expression.range))
        return None
    return data


def _wrong(expression: Expression | None, text: str, diagnostics: list[Diagnostic]) -> None:
    if expression is not None:
        diagnostics.append(error("wrong_type", text, range=expression.range))
