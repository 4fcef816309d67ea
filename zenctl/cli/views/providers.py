"""Shows which providers a configuration uses: versions, where they are required, and for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.cli.views.style import Style, columns, pad
from zenctl.diagnostics import SourceRange
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


def _constraint(requirement: Requirement) -> str:
    where = f" in {_module(requirement)}" if requirement.module else ""
    return f'"{requirement.constraint}"{where}' if requirement.constraint else f"any version{where}"


def _module(requirement: Requirement) -> str:
    return ".".join(f"module.{name}" for name in requirement.module)


def _place(range: SourceRange) -> str:
    return f"{range.filename}:{range.start.line}"
