"""Opens what the configuration names at its providers: the artifact store, backends and endpoints."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.addrs import BackendAddr
from zenctl.config.configuration import Configuration
from zenctl.config.decoding import decode
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error, raise_errors, warning
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.engine.guarding import guarded
from zenctl.engine.machine_events import MachineEvents
from zenctl.jobs.storage import Storage
from zenctl.lang.evaluate import Scope
from zenctl.provider import (
    Compute,
    Endpoint,
    JobHandle,
    Processing,
    Provider,
    ProviderContext,
    ProviderError,
    Sized,
    Sweeping,
    Vouching,
)
from zenctl.provider.registry import Registry

EMBEDDED = BackendAddr("local", "embedded")
"""The backend of steps that name none and have no default: processes on this machine."""


_VALIDATE = "`zenctl validate` tells what is wrong with it."


class Providers:
    """The configured providers of one command. Each is made at its first use and closed with this object.

    `machines` is told what becomes of those that backends make.
    """

    def __init__(
        self,
        registry: Registry,
        configuration: Configuration,
        scope: Scope,
        context: ProviderContext,
        machines: MachineEvents | None = None,
    ) -> None:
        self._registry = registry
        self._configuration = configuration
        self._scope = scope
        self._context = context
        self._machines = machines
        self._providers: dict[str, Provider] = {}
        self._computes: dict[BackendAddr, Compute] = {}
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._buckets: dict[str, Storage] = {}
        # Workers of an apply ask at once; a provider is configured once, and a backend made once.
        self._making = threading.RLock()

    def storage(self) -> Storage:
        """The artifact store."""
        settings = self._configuration.settings.artifacts
        provider_name, _ = self._registry.store_type(settings.type)
        try:
            return self._store(provider_name, settings.type, settings.config)
        except ProviderError as problem:
            what = f'artifacts "{settings.type}"'
            raise DiagnosticError(provider_diagnostic(problem, what, range=settings.range)) from problem

    def bucket(self, uri: str) -> Storage:
        """The bucket at `gs://NAME` or `s3://NAME`, for a datasource: reached as the provider's block says.

        If it is that of the artifact store, as the `artifacts` block says.
        """
        if uri not in self._buckets:
            scheme, _, name = uri.partition("://")
            provider_name, kind = self._registry.store_of(scheme)
            artifacts = self._configuration.settings.artifacts
            config: Mapping[str, Any] = {**artifacts.config, "prefix": ""}
            if artifacts.type != kind.name or artifacts.config.get("bucket") != name:
                try:
                    config = kind.model.model_validate({"bucket": name}).model_dump()
                except ValueError as problem:
                    detail = f"A path in a bucket is {scheme}://BUCKET/KEY."
                    summary = f'"{name}" cannot be the name of a bucket'
                    raise DiagnosticError(error("source_missing", summary, detail)) from problem
            try:
                self._buckets[uri] = self._store(provider_name, kind.name, config)
            except ProviderError as problem:
                raise DiagnosticError(provider_diagnostic(problem, f"cannot read {uri}")) from problem
        return self._buckets[uri]

    def placed(self, addr: BackendAddr | None) -> BackendAddr:
        """Where a step runs that names this backend, or none: the default orchestrator, or the embedded one."""
        return addr or self._configuration.settings.defaults.get("orchestrator") or EMBEDDED

    def placed_job(self, desired: DesiredDatasource | DesiredStep, locations: Mapping[str, str]) -> BackendAddr:
        """Where its job runs; a source that lies on this machine is read here, unless a backend is named.

        `locations` are those of the source's files.
        """
        if desired.backend is None and any(os.path.isabs(place) for place in locations.values()):
            return EMBEDDED
        return self.placed(desired.backend)

    def declared(self, addr: BackendAddr) -> SourceRange | None:
        """Where the block of a backend stands; None for the embedded one."""
        configured = self._configuration.backends.get(addr)
        return configured.range if configured is not None else None

    def attributes(self, addr: BackendAddr) -> tuple[str, Mapping[str, Any], frozenset[str]]:
        """A backend's provider, its attributes with their defaults, and the names of those that hold a secret."""
        provider_name, _, config = self._backend(addr)
        configured = self._configuration.backends.get(addr)
        if configured is None:
            return provider_name, config, frozenset()
        decoded, _ = decode(configured.type.model, configured.body, self._scope, stored=False)
        return provider_name, config, frozenset(str(place[0]) for place in decoded.sensitive)

    def compute(self, addr: BackendAddr | None) -> Compute:
        """A backend that runs steps, as `placed` has it."""
        wanted = self.placed(addr)
        with self._making:
            if wanted not in self._computes:
                provider_name, type_name, config = self._backend(wanted)
                backend = self._provider(provider_name).compute(type_name, config)
                made = guarded(backend, "backend", provider_name, self._registry.author(provider_name))
                if self._machines is not None:
                    self._machines.attach(wanted, made)
                self._computes[wanted] = made
            return self._computes[wanted]

    def machine_story(self, jobs: Sequence[tuple[Compute, JobHandle]]) -> list[Mapping[str, Any]]:
        """What has happened to the machines of these jobs, as `MachineEvents.story` has it."""
        return self._machines.story(jobs) if self._machines is not None else []

    def backends(self) -> list[BackendAddr]:
        """The backends of the configuration that run steps."""
        return [addr for addr, config in self._configuration.backends.items() if "orchestrator" in config.type.roles]

    def make_machines(self) -> bool:
        """Whether a backend makes machines that may be left over, as far as can be told without asking it."""
        try:
            return any(isinstance(self.compute(addr), Sweeping) for addr in self.backends())
        except (DiagnosticError, ProviderError):
            # Who applies is told what is wrong with it.
            return True

    def runs_images(self, addr: BackendAddr | None) -> bool:
        """Whether the backend runs jobs in container images. Asks its provider for nothing but the types it has."""
        return self._registry.backend_type(self.placed(addr).type)[1].images

    def processing(self, addr: BackendAddr | None) -> Mapping[str, Any]:
        """Beam options of a processing backend; {} where none is named: data steps then run in process."""
        wanted = addr or self._configuration.settings.defaults.get("processing")
        if wanted is None:
            return {}
        provider_name, type_name, config = self._backend(wanted)
        with self._making:
            processing: Processing = self._provider(provider_name).processing(type_name, config)
        return guarded(processing, "processing backend", provider_name, self._registry.author(provider_name)).options()

    def secrets_access(self, scheme: str, credentials: bool) -> Mapping[str, Any]:
        """What a job is told to resolve secrets of a scheme; {} where no provider knows more than the job itself.

        Raises ProviderError.
        """
        name = self._registry.provider_of_secrets(scheme)
        provider = self._provider(name) if name else None
        return provider.secrets_access(scheme, credentials) if isinstance(provider, Vouching) else {}

    def endpoint(self, type_name: str, provider: str = "") -> Endpoint:
        """An endpoint type's implementation; `provider` may name one with an alias, such as `gcp.eu`."""
        key = type_name, provider or self._registry.endpoint_type(type_name)[0]
        with self._making:
            if key not in self._endpoints:
                made = self._provider(key[1]).endpoint(type_name)
                self._endpoints[key] = guarded(made, "endpoint type", key[1], self._registry.author(key[1]))
            return self._endpoints[key]

    def versions(self) -> dict[str, str]:
        """The version of each provider used so far."""
        return {provider.name: provider.version for _, provider in sorted(self._providers.items())}

    def close(self) -> None:
        """End what the providers started for this command. Raises DiagnosticError if something may go on.

        What is asked for after that opens its provider anew.
        """
        problems = []
        providers, self._providers = self._providers, {}
        for opened in (self._computes, self._endpoints, self._buckets):
            opened.clear()
        for name, provider in providers.items():
            try:
                provider.close()
            except ProviderError as problem:
                problems.append(provider_diagnostic(problem, f"provider {name}"))
        if problems:
            raise DiagnosticError(*problems)

    def _store(self, provider: str, type: str, config: Mapping[str, Any]) -> Storage:
        with self._making:
            made = self._provider(provider).storage(type, config)
        return guarded(made, "artifact store", provider, self._registry.author(provider))

    def _backend(self, addr: BackendAddr) -> tuple[str, str, Mapping[str, Any]]:
        configured = self._configuration.backends.get(addr)
        if configured is None and str(addr) in self._configuration.faulty:
            raise DiagnosticError(error("backend_unknown", f"{addr} is not declared rightly", _VALIDATE))
        if configured is None:
            provider_name, backend = self._registry.backend_type(addr.type)
            if any(field.is_required() for field in backend.model.model_fields.values()):
                detail = (
                    "An interrupted apply has used it: put its block back for one apply, which clears up after that."
                )
                raise DiagnosticError(error("backend_unknown", f"{addr} is not declared any more", detail))
            return provider_name, addr.type, backend.model().model_dump()
        decoded, diagnostics = decode(configured.type.model, configured.body, self._scope, stored=False)
        raise_errors([d.at(configured.range, str(addr)) for d in diagnostics])
        if decoded.model is None:
            summary = f"{addr} depends on a variable that has no value, or a wrong one"
            place = configured.range
            raise DiagnosticError(error("backend_unknown", summary, _VALIDATE, range=place, address=str(addr)))
        return configured.provider, addr.type, decoded.model.model_dump()

    def _provider(self, name: str) -> Provider:
        with self._making:
            return self._configured(name)

    def _configured(self, name: str) -> Provider:
        if name not in self._providers:
            bare = self._registry.instance(name)
            block = self._configuration.providers.get(name)
            config: Mapping[str, Any] = {}
            if block is None and f"provider.{name}" in self._configuration.faulty:
                raise DiagnosticError(error("provider_unknown", f"Provider {name} is not declared rightly", _VALIDATE))
            if block is not None:
                decoded, diagnostics = decode(bare.schema().config, block.body, self._scope, stored=False)
                raise_errors([d.at(block.range) for d in diagnostics])
                if decoded.model is None:
                    summary = f"Provider {name} depends on a variable that has no value, or a wrong one"
                    raise DiagnosticError(error("provider_unknown", summary, _VALIDATE, range=block.range))
                config = decoded.model.model_dump()
            try:
                provider = guarded(bare, "provider", name, self._registry.author(name))
                provider.configure(config, self._context)
            except ProviderError as problem:
                place = block.range if block else None
                raise DiagnosticError(provider_diagnostic(problem, f"provider {name}", range=place)) from problem
            self._providers[name] = provider
        return self._providers[name]


def misfits(node: DesiredDatasource | DesiredStep, providers: Providers) -> list[Diagnostic]:
    """What is wrong with where a step or datasource is to run, if it asks for more than there can be."""
    place = node.config.meta.resources.range if node.config.meta.resources is not None else node.config.range
    try:
        compute = providers.compute(node.backend)
    except ProviderError as problem:
        return [provider_diagnostic(problem, str(node.addr), range=place, address=str(node.addr))]
    found = compute.misfit(node.resources) if isinstance(compute, Sized) else None
    if found is None:
        return []
    where = providers.placed(node.backend)
    summary = f"{node.addr} does not fit on {where}: {found.message}"
    detail = "Ask for less in `resources`, or name another `backend`."
    if found.certain:
        return [error("resources_exceeded", summary, detail, range=place, address=str(node.addr))]
    detail += " Where it is applied on a larger machine than this one, all is well."
    return [warning("resources_exceeded", summary, detail, range=place, address=str(node.addr))]


def provider_diagnostic(problem: ProviderError, what: str, **place: Any) -> Any:
    """A provider's error as a diagnostic."""
    return error(f"provider_{problem.kind.value}", f"{what}: {problem.message}", problem.hint, **place)
