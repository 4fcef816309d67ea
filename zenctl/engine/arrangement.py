"""Evaluates a node's meta-arguments: whether, where, how long and how often it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.addrs import BackendAddr
from zenctl.config.configuration import Meta
from zenctl.config.plain import FAULTY, Marked, plain_value
from zenctl.config.references import backend_address
from zenctl.diagnostics import Diagnostic, did_you_mean, error, has_errors
from zenctl.durations import seconds
from zenctl.engine.components import plain
from zenctl.engine.explaining import output_data
from zenctl.engine.parameters import redacted
from zenctl.jobs.resources import Resources, memory_bytes
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import EPHEMERAL, SENSITIVE
from zenctl.lang.syntax import Expression
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import Unknown

TRIGGERS = "triggers_replace"
RESOURCES = ("cpu", "memory", "gpu")


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A node's meta-arguments; what is wrong has its default.

    `timeout` and `cache` are in seconds: how long a result counts, None for ever, 0 never. `triggers_replace` is plain
    data, {"unknown": type} where not known, secrets in it by their digest.
    """

    enabled: bool = True
    timeout: float | None = None
    retries: int = 0
    resources: Resources = Resources()
    backend: BackendAddr | None = None
    processing: BackendAddr | None = None
    cache: float | None = None
    reproducible: bool = False
    triggers_replace: Any = None


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
    reproducible = _read(meta.reproducible, "reproducible", scope, diagnostics)
    if reproducible is not None and not isinstance(reproducible, bool):
        _wrong(meta.reproducible, '"reproducible" must be true or false', diagnostics)
    arrangement = Arrangement(
        enabled=enabled is not False,
        timeout=limit,
        retries=retries or 0,
        resources=_resources(meta.resources, scope, diagnostics),
        backend=backend_address(meta.backend) if meta.backend is not None else None,
        processing=backend_address(meta.processing) if meta.processing is not None else None,
        cache=_cache(meta.cache, scope, diagnostics),
        reproducible=reproducible is True,
        triggers_replace=_replacing(meta.triggers_replace, scope, diagnostics),
    )
    return arrangement, diagnostics


def _cache(expression: Expression | None, scope: Scope, diagnostics: list[Diagnostic]) -> float | None:
    """How long a result counts, in seconds: None for ever, 0 never."""
    given = _read(expression, "cache", scope, diagnostics)
    if given is None or given == "always":
        return None
    if given == "never":
        return 0.0
    word, _, rest = given.partition(" ") if isinstance(given, str) else ("", "", "")
    limit = seconds(rest) if word == "until" else None
    if limit is None and expression is not None:
        detail = 'Write cache = "always", which is the default, cache = "never" or cache = "until 24h".'
        detail += f' Did you mean "until {given}"?' if seconds(given) is not None else ""
        summary = '"cache" does not say how long a result counts'
        diagnostics.append(error("wrong_value", summary, detail, range=expression.range))
    return limit


def _resources(expression: Expression | None, scope: Scope, diagnostics: list[Diagnostic]) -> Resources:
    """What a job needs of a machine."""
    given = _read(expression, "resources", scope, diagnostics)
    if given is None or expression is None:
        return Resources()
    place = expression.range
    if not isinstance(given, Mapping):
        _wrong(expression, '"resources" must be an object: { cpu = 2, memory = "4GiB", gpu = 1 }', diagnostics)
        return Resources()
    for name in given:
        if name not in RESOURCES:
            detail = did_you_mean(str(name), RESOURCES).strip() or "There are cpu, memory and gpu."
            diagnostics.append(error("unknown_attribute", f'"resources" has no "{name}"', detail, range=place))
    cpu, memory, gpu = (given.get(name) for name in RESOURCES)
    size = memory_bytes(memory) if isinstance(memory, str) else None
    if cpu is not None and (isinstance(cpu, bool) or not isinstance(cpu, (int, float)) or cpu <= 0):
        _wrong(expression, '"resources.cpu" must be a number of cores above 0, such as 2 or 0.5', diagnostics)
        cpu = None
    if memory is not None and size is None:
        _wrong(expression, '"resources.memory" must be a text such as "512MiB" or "4GB"', diagnostics)
    if gpu is not None and (isinstance(gpu, bool) or not isinstance(gpu, int) or gpu < 0):
        _wrong(expression, '"resources.gpu" must be a whole number of devices', diagnostics)
        gpu = None
    return Resources(float(cpu or 0), size or 0, int(gpu or 0))


def _read(expression: Expression | None, name: str, scope: Scope, diagnostics: list[Diagnostic]) -> Any:
    """The plain value; None if it is not given, wrong or not known (then that is reported)."""
    why = "It decides what is planned, and an ephemeral value may be another one when the plan is applied."
    data, _ = _evaluated(expression, name, why, scope, diagnostics)
    if expression is not None and isinstance(data, Unknown):
        summary = f'"{name}" must be known before anything runs'
        detail = "It depends on a result that is known only after apply."
        diagnostics.append(error("unknown_meta_argument", summary, detail, range=expression.range))
        return None
    return data


def _evaluated(
    expression: Expression | None, name: str, not_ephemeral: str, scope: Scope, diagnostics: list[Diagnostic]
) -> tuple[Any, Marked]:
    """The plain value and its marks; None if it is not given or wrong (then that is reported)."""
    if expression is None:
        return None, []
    value, found = evaluate_expression(expression, scope)
    diagnostics += found
    data, marks = plain_value(value)
    if has_errors(found) or any(FAULTY in names for _, names in marks):
        return None, []
    if any(EPHEMERAL in names for _, names in marks):
        summary = f'"{name}" cannot depend on an ephemeral value'
        diagnostics.append(error("ephemeral_value", summary, not_ephemeral, range=expression.range))
        return None, []
    return data, marks


def _wrong(expression: Expression | None, text: str, diagnostics: list[Diagnostic]) -> None:
    if expression is not None:
        diagnostics.append(error("wrong_type", text, range=expression.range))


def _replacing(expression: Expression | None, scope: Scope, diagnostics: list[Diagnostic]) -> Any:
    """The value of `triggers_replace`; None if it is not given or wrong (then that is reported)."""
    why = "It is compared with what it was before, and an ephemeral value is not kept."
    data, marks = _evaluated(expression, TRIGGERS, why, scope, diagnostics)
    data, several = output_data(data)
    if expression is not None and several is not None:
        detail = "Name one of its outputs, such as step.python.fit.model."
        summary = f'"{TRIGGERS}" is {several}, which has several outputs'
        diagnostics.append(error("several_outputs", summary, detail, range=expression.range))
        return None
    secret = [(TRIGGERS, *place) for place, names in marks if SENSITIVE in names]
    shown, _ = redacted({TRIGGERS: data}, secret)
    return plain(shown[TRIGGERS])
