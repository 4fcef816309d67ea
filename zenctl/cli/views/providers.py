"""Shows which providers a configuration uses: versions, where they are required, and for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.cli.views.style import Style, columns, pad
from zenctl.diagnostics import SourceRange
from zenctl.engine.provider_locks import InstalledProvider, LockedProvider
from zenctl.engine.requirements import Requirement, UsedProvider

FORMAT_VERSION = "1.0"
"""Version of the document; minor versions only add keys."""


def provider_lines(used: Sequence[UsedProvider], others: Mapping[str, str], style: Style) -> list[str]:
    """The lines for people."""
    lines = []
    for provider in used:
        lines.append(f"{style.bold(provider.name)} {provider.version}".rstrip())
        rows = [(f"requires {_constraint(r)}", _place(r.range)) for r in provider.requirements]
        rows += [(use.what, _place(use.range) if use.range is not None else "by default") for use in provider.uses]
        width = max(columns(left) for left, _ in rows)
        lines += [f"  {pad(left, width)}  {style.dim(right)}" for left, right in rows]
        lines.append("")
    if not used:
        lines += ["This configuration uses no provider.", ""]
    if others:
        names = ", ".join(f"{name} {version}".rstrip() for name, version in sorted(others.items()))
        lines.append(f"Installed, not used: {names}")
    elif lines:
        lines.pop()
    return lines


def providers_document(used: Sequence[UsedProvider], others: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs; `declared` is null for what is used by default."""
    return {
        "format_version": FORMAT_VERSION,
        "providers": [
            {
                "name": provider.name,
                "version": provider.version,
                "required": [
                    {"constraint": r.constraint, "module": _module(r), "declared": _place(r.range)}
                    for r in provider.requirements
                ],
                "used_by": [
                    {"what": use.what, "declared": None if use.range is None else _place(use.range)}
                    for use in provider.uses
                ],
            }
            for provider in used
        ],
        "unused": dict(sorted(others.items())),
    }


def installed_lines(found: Sequence[InstalledProvider], style: Style) -> list[str]:
    """What is installed, for people."""
    lines = []
    for installed in found:
        provider = installed.provider
        origin = f"  {style.dim(f'from {provider.distribution}')}" if provider.distribution else ""
        lines.append(f"{style.bold(provider.name)} {provider.version}{origin}")
        lines += [f"  {kind:<10} {', '.join(names)}" for kind, names in installed.offers.items()]
    return lines or ["No provider is installed."]


def installed_document(found: Sequence[InstalledProvider]) -> dict[str, Any]:
    """The same for programs."""
    providers = [
        {**_locked(i.provider), "offers": {kind: list(names) for kind, names in i.offers.items()}} for i in found
    ]
    return {"format_version": FORMAT_VERSION, "providers": providers}


def locked_lines(locked: Sequence[LockedProvider], before: Mapping[str, LockedProvider]) -> list[str]:
    """What the lock file pins now, and what it did before, for people."""
    lines = []
    for provider in locked:
        old = before.get(provider.name)
        was = f" (was {old.version})" if old is not None and old.version != provider.version else ""
        lines.append(f"{provider.name} {provider.version}{was}")
    gone = sorted(before.keys() - {provider.name for provider in locked})
    lines += [f"{name}: not pinned any more, as it is not used" for name in gone]
    return lines or ["This configuration uses no provider."]


def locked_document(locked: Sequence[LockedProvider]) -> dict[str, Any]:
    """What the lock file pins now, for programs."""
    return {"format_version": FORMAT_VERSION, "providers": [_locked(provider) for provider in locked]}


def _locked(provider: LockedProvider) -> dict[str, str]:
    return {"name": provider.name, "version": provider.version, "distribution": provider.distribution}


def _constraint(requirement: Requirement) -> str:
    where = f" in {_module(requirement)}" if requirement.module else ""
    return f'"{requirement.constraint}"{where}' if requirement.constraint else f"any version{where}"


def _module(requirement: Requirement) -> str:
    return ".".join(f"module.{name}" for name in requirement.module)


def _place(range: SourceRange) -> str:
    return f"{range.filename}:{range.start.line}"
