"""Finds what is installed: step, datasource, backend, endpoint and store types, by entry point, loaded on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import partial
from importlib import metadata
from typing import Any, Generic, TypeVar, cast

from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.mistakes import Author, reason, unfit, unfit_schema
from zenctl.provider.protocol import SDK_VERSION, Provider
from zenctl.schema import BackendType, DatasourceType, EndpointType, ProviderSchema, StepType, StoreType

GROUPS = ("zenctl.providers", "zenctl.steps", "zenctl.datasources")
"""Entry-point groups: provider classes, StepType objects, DatasourceType objects."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """Something installed that is not loaded yet. `load` may raise; then `install` finds out how to repair that.

    `distribution` tells what it was installed with, `package` is the Python package that it lies in.
    """

    load: Callable[[], T]
    install: Callable[[], str] = str
    distribution: Callable[[], str] = str
    package: str = ""

    def author(self) -> Author:
        """Whose code it is."""
        return Author(self.distribution(), self.package)


def discover() -> Registry:
    """The registry of everything installed beside zenctl. Reads package metadata and imports nothing of it."""
    found: dict[str, dict[str, Entry[Any]]] = {group: {} for group in GROUPS}
    for distribution in metadata.distributions():
        # To take apart what every package offers would be a third of what finding them costs.
        if "[zenctl." not in (distribution.read_text("entry_points.txt") or ""):
            continue
        for point in distribution.entry_points:
            if point.group in found:
                package = point.module.partition(".")[0]
                entry = Entry(point.load, partial(_install, point), partial(_distribution, point), package)
                found[point.group].setdefault(point.name, entry)
    providers, steps, datasources = (found[group] for group in GROUPS)
    return Registry(providers, steps, datasources)


def _distribution(point: metadata.EntryPoint) -> str:
    return str(point.dist.metadata["Name"]) if point.dist is not None else ""


def _install(point: metadata.EntryPoint) -> str:
    name = _distribution(point)
    if not name:
        return "Install the package that offers it again."
    extras = point.dist.metadata.get_all("Provides-Extra") or [] if point.dist is not None else []
    wanted = f"{name}[{point.name}]" if point.name in extras else name
    return f"Install what it needs: pip install '{wanted}'"


def registry_of(
    providers: Iterable[Provider] = (),
    steps: Iterable[StepType] = (),
    datasources: Iterable[DatasourceType] = (),
) -> Registry:
    """A registry of plain objects, for tests and for embedding."""
    return Registry(
        {p.name: Entry(_constant(_constant(p))) for p in providers},
        {s.name: Entry(_constant(s)) for s in steps},
        {d.name: Entry(_constant(d)) for d in datasources},
    )


def _constant(value: T) -> Callable[[], T]:
    return lambda: value


@dataclass(slots=True)
class Registry:
    """Types by name. What is asked for is loaded once; a name that is unknown or broken raises DiagnosticError.

    `providers` entries load a provider's class (or any callable without arguments that gives a Provider).
    """

    providers: Mapping[str, Entry[Callable[[], Provider]]] = field(default_factory=dict)
    steps: Mapping[str, Entry[StepType]] = field(default_factory=dict)
    datasources: Mapping[str, Entry[DatasourceType]] = field(default_factory=dict)
    _loaded: dict[tuple[str, str], Any] = field(default_factory=dict)

    def provider_names(self) -> tuple[str, ...]:
        """Every installed provider."""
        return tuple(sorted(self.providers))

    def step_names(self) -> tuple[str, ...]:
        """Every installed step type."""
        return tuple(sorted(self.steps))

    def datasource_names(self) -> tuple[str, ...]:
        """Every installed datasource type."""
        return tuple(sorted(self.datasources))

    def backend_names(self) -> tuple[str, ...]:
        """Every backend type of the providers that can be loaded."""
        return self._offered(lambda schema: schema.backends)

    def endpoint_names(self) -> tuple[str, ...]:
        """Every endpoint type of the providers that can be loaded."""
        return self._offered(lambda schema: schema.endpoints)

    def store_names(self) -> tuple[str, ...]:
        """Every artifact store type of the providers that can be loaded."""
        return self._offered(lambda schema: schema.stores)

    def step_type(self, name: str) -> StepType:
        """A step type by name."""
        return self._entry("step type", name, self.steps)

    def datasource_type(self, name: str) -> DatasourceType:
        """A datasource type by name."""
        return self._entry("datasource type", name, self.datasources)

    def backend_type(self, name: str) -> tuple[str, BackendType]:
        """The provider's name and the type."""
        return self._of_provider("backend type", name, lambda schema: schema.backends)

    def endpoint_type(self, name: str) -> tuple[str, EndpointType]:
        """The provider's name and the type."""
        return self._of_provider("endpoint type", name, lambda schema: schema.endpoints)

    def store_type(self, name: str) -> tuple[str, StoreType]:
        """The provider's name and the type."""
        return self._of_provider("artifact store type", name, lambda schema: schema.stores)

    def store_of(self, scheme: str) -> tuple[str, StoreType]:
        """The provider's name and the type of the artifact stores with this URI scheme."""

        def offered(schema: ProviderSchema) -> Mapping[str, StoreType]:
            return {store.scheme: store for store in schema.stores.values()}

        return self._of_provider("artifact store scheme", scheme, offered)

    def provider_of_secrets(self, scheme: str) -> str:
        """The provider that lends credentials for references of this scheme; empty if none does."""
        for name in self.provider_names():
            try:
                if scheme in self.schema(name).secrets:
                    return name
            except DiagnosticError:
                continue  # told by whoever asks for something of this provider
        return ""

    def provider(self, name: str) -> Provider:
        """The provider: one object for this registry, not configured yet."""
        key = ("provider object", name)
        if key not in self._loaded:
            make = self._entry("provider", name, self.providers)
            try:
                made = make()
            except (Exception, SystemExit) as problem:
                raise DiagnosticError(_broken("provider", name, problem, self.providers[name])) from problem
            written_for = getattr(made, "sdk_version", SDK_VERSION)
            if written_for != SDK_VERSION:
                summary = f'The provider "{name}" is written for version {written_for} of the provider SDK'
                whose = f"It comes from {self.author(name)}; this zenctl has version {SDK_VERSION}."
                detail = f"{whose} Install versions of both that fit each other."
                raise DiagnosticError(error("provider_sdk_version", summary, detail))
            wrong = unfit(made, name)
            if wrong:
                raise DiagnosticError(_mistaken("provider", name, wrong, self.author(name)))
            self._loaded[key] = made
        return cast(Provider, self._loaded[key])

    def instance(self, name: str) -> Provider:
        """The provider to configure: that object, or for a name with an alias (`gcp.eu`) one of its own."""
        plain, alias = name.partition(".")[::2]
        if not alias:
            return self.provider(name)
        key = ("provider object", name)
        if key not in self._loaded:
            self._loaded[key] = type(self.provider(plain))()
        return cast(Provider, self._loaded[key])

    def distribution(self, provider: str) -> str:
        """The name of the distribution that a provider was installed with; empty if it was not installed."""
        entry = self.providers.get(provider)
        return entry.distribution() if entry is not None else ""

    def author(self, provider: str) -> Author:
        """Whose code a provider is; it may be named with an alias."""
        entry = self.providers.get(provider.partition(".")[0])
        return entry.author() if entry is not None else Author()

    def schema(self, provider: str) -> ProviderSchema:
        """What a provider offers."""
        key = ("schema", provider)
        if key not in self._loaded:
            try:
                found: Any = self.provider(provider).schema()
            except DiagnosticError:
                raise
            except (Exception, SystemExit) as problem:
                raise DiagnosticError(_broken("provider", provider, problem, self.providers[provider])) from problem
            wrong = unfit_schema(found, provider)
            if wrong:
                raise DiagnosticError(_mistaken("provider", provider, wrong, self.author(provider)))
            self._loaded[key] = found
        return cast(ProviderSchema, self._loaded[key])

    def _entry(self, what: str, name: str, entries: Mapping[str, Entry[T]]) -> T:
        key = (what, name)
        if key not in self._loaded:
            if name not in entries:
                raise DiagnosticError(_unknown(what, name, tuple(sorted(entries))))
            try:
                self._loaded[key] = entries[name].load()
            except (Exception, SystemExit) as problem:
                raise DiagnosticError(_broken(what, name, problem, entries[name])) from problem
        return cast(T, self._loaded[key])

    def _of_provider(self, what: str, name: str, offers: Callable[[ProviderSchema], Mapping[str, T]]) -> tuple[str, T]:
        # The provider of the same name is asked first, so that the usual case loads no other.
        if name in self.providers:
            own = offers(self.schema(name))
            if name in own:
                return name, own[name]
        found: list[tuple[str, T]] = []
        problems: list[Diagnostic] = []
        for provider in self.provider_names():
            try:
                types = offers(self.schema(provider))
            except DiagnosticError as problem:
                problems += problem.diagnostics
                continue
            if name in types:
                found.append((provider, types[name]))
        if len(found) > 1:
            names = " and ".join(self._named(provider) for provider, _ in found)
            summary = f'The {what} "{name}" is offered by several providers: {names}'
            raise DiagnosticError(error("ambiguous_type", summary, "Uninstall all but one of them."))
        if not found:
            known = self._offered(offers)
            unknown = _unknown(what, name, known)
            broken = " ".join(d.summary + "." for d in problems)
            detail = f"{unknown.detail} {broken}".strip()
            raise DiagnosticError(error(unknown.code, unknown.summary, detail))
        return found[0]

    def _named(self, provider: str) -> str:
        distribution = self.distribution(provider)
        return f"{provider} (from {distribution})" if distribution else provider

    def _offered(self, offers: Callable[[ProviderSchema], Mapping[str, Any]]) -> tuple[str, ...]:
        names: set[str] = set()
        for provider in self.provider_names():
            try:
                names |= set(offers(self.schema(provider)))
            except DiagnosticError:
                continue  # told by whoever asks for something of this provider
        return tuple(sorted(names))


def _unknown(what: str, name: str, known: tuple[str, ...]) -> Diagnostic:
    available = f"Available: {', '.join(known)}." if known else "None is installed."
    detail = f"{did_you_mean(name, known)} {available}".strip()
    return error(f"unknown_{what.replace(' ', '_')}", f'There is no {what} "{name}"', detail)


def _broken(what: str, name: str, problem: BaseException, entry: Entry[Any]) -> Diagnostic:
    code, summary = f"broken_{what.replace(' ', '_')}", f'The {what} "{name}" cannot be loaded: '
    if isinstance(problem, ModuleNotFoundError):
        return error(code, f"{summary}the Python module {problem.name} is not installed", entry.install())
    if isinstance(problem, ImportError):
        return error(code, summary + reason(problem), f"{entry.install()}. {entry.author().blamed(problem)}")
    return error(code, summary + reason(problem), entry.author().blamed(problem))


def _mistaken(what: str, name: str, wrong: str, author: Author) -> Diagnostic:
    return error(f"broken_{what}", f'The {what} "{name}" cannot be used: {wrong}', author.blamed())
