"""Tells of secrets and files that a block names and jobs on its backend cannot get at, as backend types declare it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zenctl.addrs import BackendAddr
from zenctl.config.configuration import Configuration
from zenctl.config.conforming import Place, fields
from zenctl.config.decoding import Decoded, text_of
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.providers import EMBEDDED
from zenctl.jobs.secrets.references import FORMS, PLACES, REMOTE, SCHEMES, split
from zenctl.provider.registry import Registry
from zenctl.schema import BackendType, BlockModel, SourceModel, Unknown
from zenctl.schema.block import is_secret_reference

LATER = "(known only after apply)"
"""Stands for a reference that follows from a result."""


class Reaching:
    """What jobs on the backends of a configuration can get at."""

    def __init__(self, configuration: Configuration, registry: Registry) -> None:
        self._configuration = configuration
        self._registry = registry

    def unreachable(self, model: type[BlockModel], decoded: Decoded, named: BackendAddr | None) -> list[Diagnostic]:
        """What is wrong with a step or datasource that names this backend, or none. What is not known yet is passed."""
        source = decoded.model if isinstance(decoded.model, SourceModel) else None
        if source is not None and source.version:
            # It stays with a snapshot that is recorded: no job reads anything.
            return []
        on_disk = source.on_disk if source is not None else ""
        defaults = self._configuration.settings.defaults
        # What lies on this machine is read here, unless a backend is named.
        addr = named or (EMBEDDED if on_disk else defaults.get("orchestrator", EMBEDDED))
        kind = self._type(addr)
        if kind is None:
            return []
        where = str(addr)
        if named is None and addr != EMBEDDED:
            place = self._configuration.settings.default_ranges.get("orchestrator")
            where = f"{addr}, the default orchestrator{f' ({place.filename}:{place.start.line})' if place else ''},"
        found = [
            _unresolvable(decoded, place, reference, where, kind)
            for place, reference in references(model, decoded)
            if split(reference)[0] in SCHEMES and split(reference)[0] not in kind.secrets
        ]
        if on_disk and not kind.local_files:
            found.append(_unreadable(decoded, on_disk, where))
        return found

    def _type(self, addr: BackendAddr) -> BackendType | None:
        """The backend's type; None where it is not declared rightly, which the loader has told."""
        configured = self._configuration.backends.get(addr)
        if configured is not None:
            return configured.type
        if str(addr) in self._configuration.faulty:
            return None
        try:
            return self._registry.backend_type(addr.type)[1]
        except DiagnosticError:
            return None


def references(model: type[BlockModel], decoded: Decoded) -> Iterator[tuple[Place, str]]:
    """The references to secrets in a block, as far as they are known, and where they are."""
    for name, info in fields(model).items():
        value = decoded.data.get(name) if is_secret_reference(info) else None
        if isinstance(value, str) and value:
            yield (name,), value
        elif isinstance(value, Mapping):
            yield from (((name, key), item) for key, item in value.items() if isinstance(item, str))


def reference_texts(model: type[BlockModel], decoded: Decoded) -> dict[str, str]:
    """The references of a block by where they stand; what is not known yet is told in words."""
    found = {text_of(place): reference for place, reference in references(model, decoded)}
    for name, info in fields(model).items():
        value = decoded.data.get(name) if is_secret_reference(info) else None
        if isinstance(value, Unknown):
            found[name] = LATER
        elif isinstance(value, Mapping):
            found |= {text_of((name, key)): LATER for key, item in value.items() if isinstance(item, Unknown)}
    return found


def _unresolvable(decoded: Decoded, place: Place, reference: str, where: str, kind: BackendType) -> Diagnostic:
    scheme = split(reference)[0]
    hidden = any(place[: len(sensitive)] == sensitive for sensitive in decoded.sensitive)
    shown = f'of the form "{scheme}:..."' if hidden else f'"{reference}"'
    summary = f'"{text_of(place)}" is {shown}, which jobs on {where} cannot resolve'
    able = [FORMS[name] for name in kind.secrets if name in FORMS]
    here = "give it a backend of type local, whose jobs run on this machine"
    if able:
        advice = f"Keep it where they can read it, and refer to it as {' or '.join(able)}; or {here}."
    else:
        advice = f"They can resolve no secrets at all: {here}."
    lacking = "have no identity there" if scheme in REMOTE else "do not see it"
    detail = f"It is {PLACES[scheme]}, and jobs of a backend of type {kind.name} {lacking}. {advice}"
    return error("secret_unreachable", summary, detail, range=decoded.range(place))


def _unreadable(decoded: Decoded, name: str, where: str) -> Diagnostic:
    summary = f'"{name}" is on this machine, where jobs on {where} cannot read it'
    detail = (
        "Leave `backend` out: it is then read here, and its snapshot goes into the artifact store, which they can "
        "read. Or have it in a bucket, and give the path as gs://BUCKET/KEY or s3://BUCKET/KEY."
    )
    return error("source_unreachable", summary, detail, range=decoded.range((name,)))
