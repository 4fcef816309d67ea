"""Looks at the world for plan: sources, code, environments, stored outputs, endpoints. Writes only caches."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from zenctl.addrs import Address, EndpointAddr
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error
from zenctl.engine.desired import Desired, DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.endpoints import live_name
from zenctl.engine.equipping import check_carried
from zenctl.engine.events import Listener, RefreshEnded, RefreshStarted
from zenctl.engine.observed import Observed
from zenctl.engine.providers import Providers, misfits, provider_diagnostic
from zenctl.engine.sources import CodeSources
from zenctl.engine.virtual_environments import (
    Requirements,
    check_requirements,
    declared_environment,
    python_version,
    read_requirements,
    unreadable,
)
from zenctl.fingerprint.data import FileCache, RowsDifference
from zenctl.fingerprint.environment import installed, variable_digests
from zenctl.jobs.artifacts import CorruptArtifact, check_trees
from zenctl.jobs.resources import Resources
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.provider import EndpointState, ProviderError, Remote
from zenctl.schema import SourceModel, SourceState
from zenctl.schema.types import Observe, ObserveObjects


class Refresher:
    """Collects Observed and diagnostics. `cache_dir` is the only place it writes to.

    `allowed` says what is wrong with reading a datasource, before anything of it is read.
    """

    def __init__(
        self,
        root: Path,
        cache_dir: Path,
        *,
        state: WorkspaceState,
        providers: Providers,
        code: CodeSources,
        listener: Listener,
        refresh: bool = True,
        pin: Callable[[DesiredDatasource], Recorded | None] = lambda _: None,
        allowed: Callable[[DesiredDatasource], list[Diagnostic]] | None = None,
    ) -> None:
        """`pin` gives the recorded snapshot that a datasource is to stay with; it raises DiagnosticError."""
        self.root = root
        self.cache_dir = cache_dir
        self.state = state
        self.providers = providers
        self.code = code
        self.listener = listener
        self.refresh = refresh
        self.pin = pin
        self.allowed = allowed
        self.diagnostics: list[Diagnostic] = []
        self._seen: dict[Address, object] = {}
        self._sources: dict[Address, SourceState] = {}
        self._closures: dict[Address, Any] = {}
        self._environments: dict[Address, Mapping[str, Any]] = {}
        self._damage: dict[Address, CorruptArtifact] = {}
        self._endpoints: dict[Address, EndpointState] = {}
        self._absent: set[Address] = set()
        self._rows: dict[Address, RowsDifference] = {}
        self._pinned: dict[Address, Recorded] = {}
        self._installed: dict[tuple[tuple[str, ...], bool], Mapping[str, Any]] = {}

    def observe(self, desired: Iterable[Desired], storage: Storage | None) -> Observed:
        """Look at everything that these nodes depend on. `storage` is None where there is no store yet."""
        cache = FileCache(self.cache_dir / "files.json")
        for node in desired:
            self._seen[node.addr] = _looked_at(node)
            if not isinstance(node, DesiredEndpoint) and node.resources != Resources():
                self.diagnostics += misfits(node, self.providers)
            if isinstance(node, DesiredDatasource):
                self._source(node, cache)
            elif isinstance(node, DesiredStep):
                self._step(node)
            else:
                self._endpoint(node)
        cache.save()
        self.code.save()
        if storage is not None and self.refresh:
            self._outputs(storage)
        return Observed(
            self._sources,
            self._closures,
            self._environments,
            self._damage,
            self._endpoints,
            frozenset(self._absent),
            self._rows,
            self._pinned,
        )

    def has_seen(self, node: Desired) -> bool:
        """Whether a node was observed as it is wanted, if it can be."""
        looked_at = _looked_at(node)
        return node.addr in self._seen and (looked_at is None or self._seen[node.addr] == looked_at)

    def observe_recorded(self, wanted: Collection[Address], storage: Storage) -> Observed:
        """Look at recorded endpoints and outputs, whatever the configuration says of them."""
        for addr in wanted:
            recorded = self.state.results[addr]
            if isinstance(addr, EndpointAddr):
                provider = str(recorded.attributes.get("provider", ""))
                self._read(addr, provider, live_name(addr, self.state), None)
        self._outputs(storage)
        return Observed(damage=self._damage, endpoints=self._endpoints, absent=frozenset(self._absent))

    def _source(self, node: DesiredDatasource, cache: FileCache) -> None:
        recorded = self.state.results.get(node.addr)
        self._environments[node.addr] = self._environment(node.config.type.distributions)
        if node.model is None:
            return
        try:
            pinned = self.pin(node)
        except DiagnosticError as problem:
            self.diagnostics += problem.diagnostics
            return
        if pinned is not None:
            self._pinned[node.addr] = pinned
            return
        if not self.refresh and recorded is not None and recorded.components.get("source"):
            facts = recorded.components["source"]
            columns = facts.get("columns", {})
            self._sources[node.addr] = SourceState(
                facts["digest"], facts.get("bytes", 0), facts.get("rows"), columns=columns
            )
            return
        refused = self.allowed(node) if self.allowed is not None else []
        if refused:
            self.diagnostics += refused
            return
        self.listener(RefreshStarted(str(node.addr)))
        in_bucket = isinstance(node.model, SourceModel) and node.model.in_bucket and node.config.type.observe_objects
        try:
            if in_bucket:
                observe_objects = cast(ObserveObjects, load_attribute(node.config.type.observe_objects))
                state = observe_objects(node.model, self.providers.bucket, cache)
            else:
                state = cast(Observe, load_attribute(node.config.type.observe))(node.model, self.root, cache)
        except DiagnosticError as problem:
            path = node.config.body.attributes.get("path")
            place = path.expression.range if path is not None else node.config.range
            found = [d.at(place, str(node.addr)) for d in problem.diagnostics]
            inside = node.addr.module and not in_bucket
            note = ' Beside the files of a module it is "${path.module}/..."' if inside else ""
            self.diagnostics += [replace(d, detail=f"{d.detail}{note}") for d in found]
            return
        self._sources[node.addr] = state
        before = recorded.components.get("source", {}).get("digest", "") if recorded is not None else ""
        if before and before != state.digest and state.form:
            difference = cache.difference(before, state.digest, state.form)
            self._rows |= {node.addr: difference} if difference is not None else {}
        rows = f"{state.rows:,} rows, " if state.rows is not None else ""
        seen = f"{rows}{state.bytes:,} bytes" if state.bytes else "its version"
        self.listener(RefreshEnded(str(node.addr), seen))

    def _step(self, node: DesiredStep) -> None:
        if node.code is None:
            self._environments[node.addr] = self._environment(node.config.type.distributions)
            return
        closure, found = self.code.closure(node.code, node.files, self.state.results.get(node.addr))
        self.diagnostics += [d.at(node.code.range, str(node.addr)) for d in found]
        if closure is not None:
            self._closures[node.addr] = closure
            self._environments[node.addr] = self._tracked(node, tuple(sorted(closure.third_party)))

    def _tracked(self, node: DesiredStep, packages: tuple[str, ...]) -> Mapping[str, Any]:
        """What of the environment counts for a python step: as its `environment` block says."""
        declared = declared_environment(node)
        found: dict[str, Any] = {"python": "", "distributions": {}}
        if declared.image is not None:
            self._check_images(node)
            found |= {"imports": list(packages), "image": declared.image}
        elif declared.tracks == "imports":
            direct = list(self._environment(packages)["distributions"])
            found = {**self._environment(tuple(direct), transitive=True), "imports": direct}
        elif declared.tracks == "lock":
            found = {**self._environment(()), **self._python(node)}
        if declared.builds or (declared.image is None and declared.tracks != "imports"):
            found["preload"] = list(packages)
        if declared.requirements:
            try:
                requirements = read_requirements(self.root, node)
            except OSError as problem:
                self.diagnostics.append(unreadable(node, problem))
            else:
                found["lock"] = requirements.lock
                wrong = [*check_requirements(self.root, node, requirements), *self._carried(node, requirements)]
                self.diagnostics += [d.at(None, str(node.addr)) for d in wrong]
        elif declared.builds:
            self.diagnostics += [d.at(None, str(node.addr)) for d in self._carried(node, None)]
        if declared.variables:
            found["variables"] = variable_digests(declared.variables, os.environ)
        return found

    def _carried(self, node: DesiredStep, requirements: Requirements | None) -> list[Diagnostic]:
        """What is wrong with a step's own environment, if it is to be made on another machine."""
        if not declared_environment(node).builds:
            return []
        try:
            is_remote = isinstance(self.providers.compute(node.backend), Remote)
        except (DiagnosticError, ProviderError):
            # What is wrong with the backend is told where that is looked at.
            return []
        return list(check_carried(node, requirements)) if is_remote else []

    def _check_images(self, node: DesiredStep) -> None:
        if not self.providers.runs_images(node.backend):
            where = str(node.backend or "the default orchestrator")
            summary = f"{node.addr} has an image, and {where} runs steps in none"
            detail = "Give it a backend that does, such as one of type local, or leave `image` out."
            self.diagnostics.append(
                error("image_not_possible", summary, detail, range=node.config.range, address=str(node.addr))
            )

    def _python(self, node: DesiredStep) -> dict[str, str]:
        """The version that a step asks for, if it does."""
        try:
            version = python_version(self.root, node)
        except DiagnosticError as problem:
            self.diagnostics += [d.at(None, str(node.addr)) for d in problem.diagnostics]
            return {}
        return {"python": version} if version else {}

    def _environment(self, packages: tuple[str, ...], *, transitive: bool = False) -> Mapping[str, Any]:
        if (packages, transitive) not in self._installed:
            self._installed[packages, transitive] = installed(packages, self.cache_dir, transitive=transitive)
        return self._installed[packages, transitive]

    def _outputs(self, storage: Storage) -> None:
        results = self.state.results.items()
        found = damages(storage, (artifact.digest for _, recorded in results for artifact in recorded.outputs.values()))
        for addr, recorded in results:
            for artifact in recorded.outputs.values():
                if artifact.digest in found:
                    self._damage[addr] = found[artifact.digest]

    def _endpoint(self, node: DesiredEndpoint) -> None:
        recorded = self.state.results.get(node.addr)
        name = live_name(node.addr, self.state)
        if not self.refresh:
            if recorded is not None:
                self._endpoints[node.addr] = recorded_endpoint(name, recorded)
            return
        self._read(node.addr, node.config.provider, name, node.config.range)

    def _read(self, addr: EndpointAddr, provider: str, name: str, place: SourceRange | None) -> None:
        try:
            state = self.providers.endpoint(addr.type, provider).read(name)
        except ProviderError as problem:
            self.diagnostics.append(provider_diagnostic(problem, str(addr), range=place, address=str(addr)))
            return
        if state is not None:
            self._endpoints[addr] = state
        else:
            self._absent.add(addr)


def _looked_at(node: Desired) -> object:
    """What decides what is looked at for a node, which may follow from results; None if that is not known, or never."""
    if isinstance(node, DesiredDatasource):
        return node.model
    return (node.code, node.files) if isinstance(node, DesiredStep) else None


def damage(storage: Storage, digest: str) -> CorruptArtifact | None:
    """What is wrong with a stored artifact at a quick look (there, and of its size), or None."""
    return damages(storage, [digest]).get(digest)


def damages(storage: Storage, digests: Iterable[str]) -> Mapping[str, CorruptArtifact]:
    """What is wrong with each of these artifacts at a quick look. DiagnosticError if the store cannot be read."""
    try:
        return check_trees(storage, digests)
    except StorageError as problem:
        summary = f"The artifact store cannot be read: {problem}"
        raise DiagnosticError(
            error("artifact_store", summary, problem.hint or "Check that it is reachable.")
        ) from problem


def recorded_endpoint(name: str, recorded: Recorded) -> EndpointState:
    """An endpoint as its record says it is."""
    model = recorded.inputs.get("model")
    url = str(recorded.attributes.get("url", ""))
    return EndpointState(name, model.digest if model else None, True, url, recorded.attributes)


def load_attribute(text: str) -> Callable[..., Any]:
    """Import `"module:attribute"`."""
    module, _, name = text.partition(":")
    return cast(Callable[..., Any], getattr(importlib.import_module(module), name))
