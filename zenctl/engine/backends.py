"""Describes the backends of a configuration: their attributes, and the machines they would make. Reaches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from zenctl.addrs import AddressError, BackendAddr, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, did_you_mean, error
from zenctl.engine.opening import Opened, OpeningError, open_configuration, open_providers
from zenctl.engine.providers import EMBEDDED, Providers, provider_diagnostic
from zenctl.engine.requests import Inputs
from zenctl.jobs.resources import Resources
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import MachinePool, MachineTemplate, ProviderError, Provisioning

HIDDEN = "(sensitive value)"
"""What stands for a secret."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of the configuration, or the embedded one. `default_for` are the roles in which it needs no naming."""

    addr: BackendAddr
    provider: str
    roles: tuple[str, ...]
    default_for: tuple[str, ...] = ()
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class DescribedBackend:
    """A backend with its attributes, secrets hidden, and if it makes machines, with these and what each is given."""

    backend: Backend
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pools: tuple[MachinePool, ...] = ()
    template: MachineTemplate | None = None


@dataclass(frozen=True, slots=True)
class BackendsOutcome:
    """What was found, None if nothing could be looked at; `sources` are the texts that diagnostics point into."""

    backends: tuple[Backend, ...] | None = None
    described: tuple[DescribedBackend, ...] | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def list_backends(inputs: Inputs) -> BackendsOutcome:
    """The backends of the configuration; variables need no values."""
    try:
        opened = open_configuration(inputs, values_required=False)
        return BackendsOutcome(backends=_backends(opened), diagnostics=opened.diagnostics, sources=opened.sources)
    except OpeningError as problem:
        return BackendsOutcome(diagnostics=problem.diagnostics, sources=problem.sources)
    except DiagnosticError as problem:
        return BackendsOutcome(diagnostics=problem.diagnostics)


def describe_backends(inputs: Inputs, address: str = "") -> BackendsOutcome:
    """The backend at an address, or all of the configuration."""
    try:
        opened = open_configuration(inputs, values_required=False)
    except OpeningError as problem:
        return BackendsOutcome(diagnostics=problem.diagnostics, sources=problem.sources)
    providers = open_providers(opened, inputs)
    try:
        chosen = _chosen(_backends(opened), address)
        described = tuple(_described(backend, providers) for backend in chosen)
        return BackendsOutcome(described=described, diagnostics=opened.diagnostics, sources=opened.sources)
    except DiagnosticError as problem:
        return BackendsOutcome(diagnostics=problem.diagnostics, sources=opened.sources)
    finally:
        providers.close()


def _backends(opened: Opened) -> tuple[Backend, ...]:
    defaults = opened.configuration.settings.defaults
    found = [
        Backend(
            addr,
            config.provider,
            config.type.roles,
            tuple(role for role, chosen in defaults.items() if chosen == addr),
            config.range,
        )
        for addr, config in opened.configuration.backends.items()
    ]
    if defaults.get("orchestrator") is None:
        provider, kind = opened.registry.backend_type(EMBEDDED.type)
        found.append(Backend(EMBEDDED, provider, kind.roles, ("orchestrator",)))
    return tuple(found)


def _chosen(backends: Sequence[Backend], address: str) -> list[Backend]:
    if not address:
        return list(backends)
    try:
        wanted = parse(address)
    except AddressError:
        wanted = None
    chosen = [backend for backend in backends if backend.addr == wanted]
    if not chosen:
        known = [str(backend.addr) for backend in backends]
        detail = f"{did_you_mean(address, known)} `zenctl backend list` lists those of the configuration.".strip()
        raise DiagnosticError(error("backend_unknown", f"There is no backend {address}", detail))
    return chosen


def _described(backend: Backend, providers: Providers) -> DescribedBackend:
    _, attributes, secret = providers.attributes(backend.addr)
    found = DescribedBackend(backend, {name: HIDDEN if name in secret else v for name, v in attributes.items()})
    if "orchestrator" not in backend.roles:
        return found
    try:
        compute = providers.compute(backend.addr)
        if not isinstance(compute, Provisioning):
            return found
        hidden = {text for name in secret for text in _texts(attributes[name])}
        pools = tuple(compute.pools([Resources()]))
        return replace(found, pools=pools, template=_without(compute.template(), hidden))
    except ProviderError as problem:
        place = {"range": backend.range, "address": str(backend.addr)}
        raise DiagnosticError(provider_diagnostic(problem, str(backend.addr), **place)) from problem


def _without(template: MachineTemplate, hidden: set[str]) -> MachineTemplate:
    """The template with what the configuration takes from secrets hidden in labels and metadata."""

    def shown(values: Mapping[str, str | None]) -> dict[str, str | None]:
        return {key: HIDDEN if value in hidden else value for key, value in values.items()}

    return replace(template, metadata=shown(template.metadata), labels=shown(template.labels))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
