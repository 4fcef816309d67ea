"""Reads datasource, step and endpoint blocks: finds the type, takes out the meta-arguments, keeps the rest as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr, ModuleInstance, StepAddr
from zenctl.config.configuration import DatasourceConfig, EndpointConfig, Lifecycle, Meta, NodeConfig, StepConfig
from zenctl.config.conforming import fields
from zenctl.config.lifecycle import ATTRIBUTES, COMPONENTS, ENDPOINT_ATTRIBUTES, read_lifecycle, read_on_change
from zenctl.config.names import check_names
from zenctl.config.reading import check_labels
from zenctl.config.references import chosen_provider, traversal
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error
from zenctl.lang.references import references
from zenctl.lang.syntax import Attribute, Block, Body, Expression, ObjectExpr, TupleExpr
from zenctl.provider.registry import Registry
from zenctl.schema import BlockModel

META = ("for_each", "count", "depends_on", "enabled", "timeout", "retries", "resources", "backend", "processing")
"""Meta-arguments of datasources, which steps have too."""

STEP_META = (*META, "cache", "reproducible", "triggers_replace")
"""Those of steps."""

ENDPOINT_META = ("for_each", "count", "depends_on", "enabled", "provider")

DEPENDED: Mapping[str, type[Address]] = {
    "datasource": DatasourceAddr,
    "step": StepAddr,
    "endpoint": EndpointAddr,
}
"""What depends_on may name."""


def read_node(
    block: Block, registry: Registry, diagnostics: list[Diagnostic], module: tuple[ModuleInstance, ...] = ()
) -> NodeConfig | None:
    """A `datasource`, `step` or `endpoint` block; None if its type or name is wrong. References come later."""
    if not check_labels(block, ("type", "name"), diagnostics):
        return None
    type_, name = block.labels
    try:
        if block.type == "step":
            step = registry.step_type(type_)
            meta, body = _split(block, step.model, STEP_META, diagnostics, module)
            return StepConfig(StepAddr(type_, name, None, module), step, body, meta, block.header_range)
        if block.type == "datasource":
            source = registry.datasource_type(type_)
            meta, body = _split(block, source.model, META, diagnostics, module)
            return DatasourceConfig(DatasourceAddr(type_, name, None, module), source, body, meta, block.header_range)
        provider, endpoint = registry.endpoint_type(type_)
        meta, body = _split(block, endpoint.model, ENDPOINT_META, diagnostics, module)
        provider, wrong = chosen_provider(meta.provider, provider)
        diagnostics += [] if wrong is None else [wrong]
        return EndpointConfig(
            EndpointAddr(type_, name, None, module), endpoint, provider, body, meta, block.header_range
        )
    except DiagnosticError as problem:
        diagnostics += [d.at(block.label_ranges[0]) for d in problem.diagnostics]
        return None


def _split(
    block: Block,
    model: type[BlockModel],
    names: tuple[str, ...],
    diagnostics: list[Diagnostic],
    module: tuple[ModuleInstance, ...],
) -> tuple[Meta, Body]:
    """The meta-arguments, and the body without them. What a type declares itself is always the type's."""
    what = f'{block.type} "{block.labels[0]}" "{block.labels[1]}"'
    own: dict[str, Attribute] = {}
    meta: dict[str, Expression] = {}
    nested_blocks = ("lifecycle", "on_change") if block.type == "step" else ("lifecycle",)
    for name, attribute in block.body.attributes.items():
        if name in model.model_fields:
            own[name] = attribute
        elif name in names:
            meta[name] = attribute.expression
        elif name in nested_blocks and isinstance(attribute.expression, ObjectExpr):
            detail = f"Write it as a block, without the equals sign: {name} {{ ... }}"
            summary = f'"{name}" of {what} is a block'
            diagnostics.append(error("unknown_attribute", summary, detail, range=attribute.name_range))
        else:
            own[name] = attribute
    lifecycle = Lifecycle()
    on_change: tuple[str, ...] = ()
    blocks = []
    for nested in block.body.blocks:
        if nested.type == "lifecycle" and "lifecycle" not in model.model_fields:
            of_endpoint = block.type == "endpoint"
            allowed = ENDPOINT_ATTRIBUTES if of_endpoint else ATTRIBUTES
            ignorable = {**dict.fromkeys(fields(model)), **dict.fromkeys(_components(block.type))}
            lifecycle = read_lifecycle(nested, what, allowed, ignorable, diagnostics)
        elif nested.type in nested_blocks and nested.type not in model.model_fields:
            on_change = read_on_change(nested, what, diagnostics)
        else:
            blocks.append(nested)
    body = replace(block.body, attributes=own, blocks=tuple(blocks))
    diagnostics += [d.at(block.header_range) for d in check_names(model, body, what, others=(*names, *nested_blocks))]
    made = read_meta(meta, what, diagnostics, module)
    return replace(made, lifecycle=lifecycle, on_change=on_change), body


def read_meta(
    given: dict[str, Any], what: str, diagnostics: list[Diagnostic], module: tuple[ModuleInstance, ...]
) -> Meta:
    """The meta-arguments of a node or a module call; `given` is used up."""
    if "for_each" in given and "count" in given:
        summary = f"{what[:1].upper()}{what[1:]} has both for_each and count"
        detail = "Keep one: for_each names its instances by key, count numbers them."
        diagnostics.append(error("invalid_for_each", summary, detail, range=given.pop("count").range))
    depends_on, modules = _depends_on(given.pop("depends_on", None), diagnostics, module)
    return replace(Meta(**given), depends_on=depends_on, depends_on_modules=modules)


def _components(kind: str) -> tuple[str, ...]:
    """What `ignore_changes` can name besides the attributes of a type."""
    return {"endpoint": (), "step": (*COMPONENTS, "triggers_replace")}.get(kind, COMPONENTS)


def _depends_on(
    expression: Expression | None, diagnostics: list[Diagnostic], module: tuple[ModuleInstance, ...]
) -> tuple[dict[Address, SourceRange], dict[str, SourceRange]]:
    """The blocks and the modules that are named, each with its first place."""
    found: dict[Address, SourceRange] = {}
    modules: dict[str, SourceRange] = {}
    if expression is None:
        return found, modules
    detail = "Write depends_on = [step.TYPE.NAME, module.NAME, ...]"
    if not isinstance(expression, TupleExpr):
        diagnostics.append(error("wrong_type", "depends_on must be a list", detail, range=expression.range))
        return found, modules
    for item in expression.items:
        names = traversal(item)
        if names is not None and len(names) == 2 and names[0] == "module":
            modules.setdefault(names[1], item.range)
        elif names is None or len(names) != 3 or names[0] not in DEPENDED:
            summary = "depends_on holds addresses of steps, datasources, endpoints and modules only"
            diagnostics.append(error("wrong_type", summary, _whole(item) or detail, range=item.range))
        else:
            found.setdefault(DEPENDED[names[0]](names[1], names[2], None, module), item.range)
    return found, modules


def _whole(item: Expression) -> str:
    """What to write in place of an instance or an attribute of something; empty if it is none."""
    for reference in references(item):
        length = 2 if reference.path[0] == "module" else 3 if reference.path[0] in DEPENDED else 0
        if length and len(reference.path) > length:
            return f"It waits for the whole: write {'.'.join(map(str, reference.path[:length]))}."
    return ""
