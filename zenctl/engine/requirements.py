"""Says which providers a configuration uses, for what, and which versions its modules require."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from zenctl.config.configuration import Configuration, DatasourceConfig, EndpointConfig
from zenctl.config.loader import load
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, has_errors
from zenctl.engine.providers import EMBEDDED
from zenctl.engine.requests import Inputs
from zenctl.lang.syntax import Literal, Template
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.registry import Registry, discover


@dataclass(frozen=True, slots=True)
class Use:
    """What a provider is used for, and where that stands; without a range it is used by default."""

    what: str
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """A version constraint (empty for any version) of a module; the root module's path is empty."""

    constraint: str
    module: tuple[str, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class UsedProvider:
    """A provider that a configuration uses or requires. `version` is the installed one."""

    name: str
    version: str
    requirements: tuple[Requirement, ...] = ()
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class ProvidersOutcome:
    """The providers of a configuration, or only diagnostics.

    `others` are the versions of those that are installed and not used, empty where one cannot be loaded.
    """

    used: tuple[UsedProvider, ...] | None
    others: Mapping[str, str] = field(default_factory=dict, hash=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def configured_providers(inputs: Inputs) -> ProvidersOutcome:
    """The providers of a folder's configuration; variables need no values."""
    registry = discover()
    loaded = load(inputs.root, registry)
    if loaded.configuration is None or has_errors(loaded.diagnostics):
        return ProvidersOutcome(None, {}, loaded.diagnostics, loaded.sources)
    used = used_providers(loaded.configuration, registry)
    names = {provider.name for provider in used}
    others = {name: _version(registry, name) for name in registry.provider_names() if name not in names}
    return ProvidersOutcome(tuple(used), others, loaded.diagnostics, loaded.sources)


def used_providers(configuration: Configuration, registry: Registry) -> list[UsedProvider]:
    """The providers that the modules of a configuration use or require, by name."""
    uses = _uses(configuration, registry)
    requirements: dict[str, list[Requirement]] = {}
    for module in configuration.modules():
        for name, required in module.settings.required_providers.items():
            found = Requirement(required.constraint, module.path, required.range)
            requirements.setdefault(name, []).append(found)
    return [
        UsedProvider(name, _version(registry, name), tuple(requirements.get(name, ())), tuple(uses.get(name, ())))
        for name in sorted({*uses, *requirements})
    ]


def _uses(configuration: Configuration, registry: Registry) -> dict[str, list[Use]]:
    uses: dict[str, list[Use]] = {}

    def use(provider: str, what: str, place: SourceRange | None = None) -> None:
        # Under an alias it is the same package.
        uses.setdefault(provider.partition(".")[0], []).append(Use(what, place))

    for provider in configuration.providers.values():
        use(provider.name, f'provider "{provider.name}"', provider.range)
    settings = configuration.settings
    artifacts = settings.artifacts
    if configuration.store_provider:
        use(configuration.store_provider, f'artifacts "{artifacts.type}"', artifacts.range)
    for backend in configuration.backends.values():
        use(backend.provider, str(backend.addr), backend.range)
    for role, addr in settings.defaults.items():
        if addr in configuration.backends:
            use(configuration.backends[addr].provider, f"default {role}", settings.default_ranges[role])
    nodes = configuration.all_nodes().values()
    for node in nodes:
        if isinstance(node, EndpointConfig):
            use(node.provider, str(node.addr), node.range)
        elif isinstance(node, DatasourceConfig):
            bucket = _bucket(node, registry)
            if bucket is not None:
                use(bucket[0], f"{node.addr} (in a bucket)", bucket[1])
    placed = [node.meta.backend is not None for node in nodes if not isinstance(node, EndpointConfig)]
    if not all(placed) and "orchestrator" not in settings.defaults:
        use(registry.backend_type(EMBEDDED.type)[0], "steps that name no backend")
    return uses


def _bucket(node: DatasourceConfig, registry: Registry) -> tuple[str, SourceRange] | None:
    """The provider by which a datasource reads a bucket, and where its path stands; variables need no values.

    So what the path begins with must be written there: of one that is a variable as a whole nothing is known.
    """
    path = node.body.attributes.get("path")
    if path is None or not node.type.observe_objects:
        return None
    written = path.expression.parts[0] if isinstance(path.expression, Template) else path.expression
    text = written.value if isinstance(written, Literal) else None
    scheme, separator, _ = text.partition("://") if isinstance(text, str) else ("", "", "")
    if not separator:
        return None
    try:
        return registry.store_of(scheme)[0], path.expression.range
    except DiagnosticError:
        # Whoever reads it tells that no provider is installed for it.
        return None


def _version(registry: Registry, name: str) -> str:
    try:
        return registry.provider(name).version
    except DiagnosticError:
        return ""
