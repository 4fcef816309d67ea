"""Shows backends: which there are, and of one its attributes, its machines, and the script that these start with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zenctl.cli.views import machines
from zenctl.cli.views.style import Style, pad, printable
from zenctl.plans.planjson import pool_json

if TYPE_CHECKING:
    from zenctl.engine.backends import Backend, DescribedBackend
    from zenctl.provider import MachineTemplate

FORMAT = "1.0"
AT_APPLY = "(known at apply)"


def backend_rows(backends: Sequence[Backend], style: Style) -> list[str]:
    """One line each: address, provider, what it can be, and for what it is the default."""
    addresses, providers = (max(len(text) for text in column) for column in zip(*map(_columns, backends), strict=True))
    rows = []
    for item in backends:
        default = f", default {' and '.join(item.default_for)}" if item.default_for else ""
        roles = ", ".join(item.roles)
        rows.append(f"{pad(str(item.addr), addresses)}  {pad(item.provider, providers)}  {roles}{style.dim(default)}")
    return rows


def _columns(item: Backend) -> tuple[str, str]:
    return str(item.addr), item.provider


def backends_document(backends: Sequence[Backend]) -> dict[str, Any]:
    """The same for programs."""
    return {"format_version": FORMAT, "backends": [_backend(item) for item in backends]}


def described_document(found: Sequence[DescribedBackend]) -> dict[str, Any]:
    """Backends with their attributes and machines, for programs."""
    return {"format_version": FORMAT, "backends": [_described(item) for item in found]}


def described_lines(found: Sequence[DescribedBackend], style: Style) -> Iterator[str]:
    """Backends with their attributes and machines; the startup script comes last, as each machine gets it."""
    for number, item in enumerate(found):
        if number:
            yield ""
        where = f" ({item.backend.range})" if item.backend.range else ""
        yield style.bold(f"# {item.backend.addr}") + style.dim(where)
        yield from backend_rows([item.backend], style)
        yield from _section("Attributes", {key: _value(value) for key, value in item.attributes.items()}, style)
        for pool in item.pools:
            shown = pool_json(pool)
            each = "step" if pool.scope == "step" else "apply"
            price = machines.price(shown, each=pool.count > 1)
            yield from ["", style.bold("Machines:")]
            yield printable(f"  {pool.count} x {machines.kind(shown)}, for each {each}, removed after it ({price})")
            yield from (style.dim(f"  {line}") for line in machines.basis([shown]))
        if item.template is not None:
            yield from _template(item.template, style)


def _template(template: MachineTemplate, style: Style) -> Iterator[str]:
    yield from _section("Labels", {key: _known(value) for key, value in template.labels.items()}, style)
    metadata = {key: _known(value) for key, value in template.metadata.items() if value != template.startup_script}
    yield from _section("Metadata", metadata, style)
    if template.identity:
        yield from ["", style.bold("Acts as:"), printable(f"  {template.identity}")]
    if template.permissions:
        yield from ["", style.bold("Permissions of whoever applies:")]
        yield from (printable(f"  {permission}") for permission in template.permissions)
    if template.startup_script:
        yield from ["", style.bold("Startup script:"), *map(printable, template.startup_script.rstrip().split("\n"))]


def _section(title: str, rows: Mapping[str, str], style: Style) -> Iterator[str]:
    if rows:
        width = max(map(len, rows))
        yield from ["", style.bold(f"{title}:")]
        yield from (printable(f"  {pad(key, width)} = {value}") for key, value in rows.items())


def _known(value: str | None) -> str:
    return AT_APPLY if value is None else _value(value)


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _backend(item: Backend) -> dict[str, Any]:
    return {
        "address": str(item.addr),
        "type": item.addr.type,
        "name": item.addr.name,
        "provider": item.provider,
        "roles": list(item.roles),
        "default_for": list(item.default_for),
        "range": {"filename": item.range.filename, "line": item.range.start.line} if item.range else None,
    }


def _described(item: DescribedBackend) -> dict[str, Any]:
    template = item.template
    machine = None
    if template is not None:
        machine = {
            "labels": dict(template.labels),
            "metadata": dict(template.metadata),
            "identity": template.identity,
            "permissions": list(template.permissions),
            "startup_script": template.startup_script,
        }
    pools = [{"count": pool.count, **pool_json(pool)} for pool in item.pools]
    return {**_backend(item.backend), "attributes": dict(item.attributes), "machines": pools, "template": machine}
