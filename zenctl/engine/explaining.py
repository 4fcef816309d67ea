"""Says what may stand behind a problem with a reference: instances, a node that is off, a result to come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address
from zenctl.config.configuration import Configuration, Meta, ModuleCall, NodeConfig
from zenctl.config.conforming import RESULT, StepOutputs
from zenctl.config.references import node_address
from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.references import Reference
from zenctl.schema import ArtifactRef, Unknown


def explained(
    problems: Iterable[Diagnostic], module: Configuration, found: Sequence[Reference], disabled: Sequence[Address]
) -> list[Diagnostic]:
    """Problems of a block of `module`, whose references are `found`, that may come from a node that is switched off,
    and so null, or from one that has instances.
    """
    names = ", ".join(str(addr) for addr in disabled)
    off = f"{names} is not enabled, so its value is null here." if disabled else ""
    notes = [(problem, off or _instances(problem, module, found)) for problem in problems]
    return [replace(d, detail=f"{d.detail} {note}".strip()) if note else d for d, note in notes]


def _instances(problem: Diagnostic, module: Configuration, found: Sequence[Reference]) -> str:
    """How to name an instance, where a reference takes a block or a module for one that has none."""
    if problem.code != "unknown_attribute" or problem.range is None:
        return ""
    for reference in found:
        name, meta = _named(reference, module)
        if meta is None or not _holds(reference.range, problem.range):
            continue
        if meta.for_each is not None:
            return f'{name} has instances, by for_each: refer to one of them as {name}["KEY"].'
        if meta.count is not None:
            return f"{name} has instances, by count: refer to one of them as {name}[0]."
    return ""


def _named(reference: Reference, module: Configuration) -> tuple[str, Meta | None]:
    addr = node_address(reference, module.prefix)
    if addr is not None and addr in module.nodes:
        return ".".join(str(part) for part in reference.path[:3]), module.nodes[addr].meta
    called = str(reference.path[1]) if len(reference.path) > 1 and reference.path[0] == "module" else ""
    return (f"module.{called}", module.calls[called].meta) if called in module.calls else ("", None)


def _holds(outer: SourceRange, inner: SourceRange) -> bool:
    return outer.filename == inner.filename and outer.start.byte <= inner.start.byte < outer.end.byte


def unknown_instances(block: NodeConfig | ModuleCall, name: str, needed: Sequence[Address]) -> Diagnostic:
    """What for_each or count waits for, and how to get on."""
    argument = "for_each" if block.meta.for_each is not None else "count"
    expression = block.meta.for_each or block.meta.count
    detail = "The instances must be known to be planned."
    if needed:
        targets = " ".join(f"-target={addr}" for addr in needed)
        waits = ", ".join(str(addr) for addr in needed)
        detail = f"{detail} It waits for {waits}. Apply that first: zenctl apply {targets}"
    summary = f'"{argument}" of {name} is known only after apply'
    place = expression.range if expression is not None else block.range
    return error("unknown_for_each", summary, detail, range=place)


def missing_trigger(named: Address, there: Sequence[Address], place: SourceRange) -> Diagnostic:
    """What replace_triggered_by names is no instance of its block; `there` are those that are."""
    known = ", ".join(str(instance) for instance in there[:5])
    detail = f"There are: {known}." if known else "It has no instances."
    summary = f"replace_triggered_by names {named}, which is not there"
    return error("unknown_address", summary, detail, range=place)


def output_data(data: Any) -> tuple[Any, StepOutputs | None]:
    """A root output's data with a returned value in place of its artifact, and a step used as one value, if any."""
    if isinstance(data, StepOutputs):
        return Unknown(), data
    if isinstance(data, ArtifactRef) and data.output == RESULT:
        return (Unknown() if data.values is None else data.values.get("value")), None
    if isinstance(data, dict):
        pairs = {key: output_data(item) for key, item in data.items()}
        return {key: item for key, (item, _) in pairs.items()}, next((s for _, s in pairs.values() if s), None)
    if isinstance(data, list):
        items = [output_data(item) for item in data]
        return [item for item, _ in items], next((s for _, s in items if s), None)
    return data, None
