"""Pins the versions of the providers that a configuration uses, in the lock file, and says where others are here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from zenctl.config.configuration import Configuration
from zenctl.config.modules import LOCK_FILE, lock_entries
from zenctl.diagnostics import Diagnostic, DiagnosticError, error, has_errors
from zenctl.engine.requests import Inputs
from zenctl.engine.requirements import configured_providers, used_providers
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.registry import Registry, discover


@dataclass(frozen=True, slots=True)
class LockedProvider:
    """A provider in the lock file: its version, and the distribution that it comes with ('' if that is not known)."""

    name: str
    version: str
    distribution: str = ""


@dataclass(frozen=True, slots=True)
class InstalledProvider:
    """A provider that is installed, and the types that it offers by kind: `backend`, `endpoint`, `artifacts`."""

    provider: LockedProvider
    offers: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class LockOutcome:
    """What the lock file says now, and what it said before; None as `locked` if nothing was written."""

    locked: tuple[LockedProvider, ...] | None
    before: Mapping[str, LockedProvider] = field(default_factory=dict, hash=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def lock_providers(inputs: Inputs) -> LockOutcome:
    """Write the installed versions of all providers that the configuration uses into the lock file."""
    found = configured_providers(inputs)
    if found.used is None or has_errors(found.diagnostics):
        return LockOutcome(None, {}, found.diagnostics, found.sources)
    registry = discover()
    path = inputs.root / LOCK_FILE
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else None
        before = _locked(text)
    except (OSError, ValueError) as problem:
        return LockOutcome(None, {}, (*found.diagnostics, _unreadable(problem)), found.sources)
    locked = tuple(LockedProvider(p.name, p.version, registry.distribution(p.name)) for p in found.used if p.version)
    document: dict[str, Any] = json.loads(text) if text is not None else {"version": 1, "modules": {}}
    document["providers"] = {p.name: {"version": p.version, "distribution": p.distribution} for p in locked}
    written = path.with_name(f"{LOCK_FILE}.{os.getpid()}")
    written.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(written, path)
    return LockOutcome(locked, before, found.diagnostics, found.sources)


def lock_problems(root: Path, configuration: Configuration, registry: Registry) -> list[Diagnostic]:
    """Providers that the configuration uses in another version than the lock file pins; none without such a file."""
    path = root / LOCK_FILE
    try:
        locked = _locked(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as problem:
        return [_unreadable(problem)]
    if not locked:
        return []
    problems = []
    for used in used_providers(configuration, registry):
        pinned = locked.get(used.name)
        if pinned is not None and used.version and used.version != pinned.version:
            summary = f"Provider {used.name} is {used.version} here, and {LOCK_FILE} pins {pinned.version}"
            install = (
                f"Install it: pip install '{pinned.distribution}=={pinned.version}'. " if pinned.distribution else ""
            )
            detail = f"{install}`zenctl providers lock` pins what is installed instead."
            problems.append(error("provider_not_as_locked", summary, detail))
    return problems


def _locked(text: str | None) -> dict[str, LockedProvider]:
    """The providers of a lock file; raises ValueError."""
    lock_entries(text)
    entries = (json.loads(text) if text is not None else {}).get("providers", {})
    if not isinstance(entries, dict):
        raise ValueError("its providers are no object")
    found = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("version"), str):
            raise ValueError(f"the entry of provider {name} is incomplete")
        found[name] = LockedProvider(name, entry["version"], str(entry.get("distribution", "")))
    return found


def _unreadable(problem: Exception) -> Diagnostic:
    detail = "Restore it from version control, or remove it and run `zenctl init` again."
    return error("invalid_lock", f"{LOCK_FILE} cannot be read: {problem}", detail)


def installed_providers(registry: Registry) -> tuple[list[InstalledProvider], list[Diagnostic]]:
    """Every provider that is installed, and what is wrong with those that cannot be loaded."""
    found: list[InstalledProvider] = []
    problems: list[Diagnostic] = []
    for name in registry.provider_names():
        try:
            provider, schema = registry.provider(name), registry.schema(name)
        except DiagnosticError as problem:
            problems += problem.diagnostics
            continue
        kinds = (("backend", schema.backends), ("endpoint", schema.endpoints), ("artifacts", schema.stores))
        offers = {kind: sorted(types) for kind, types in kinds if types}
        found.append(InstalledProvider(LockedProvider(name, provider.version, registry.distribution(name)), offers))
    return found, problems
