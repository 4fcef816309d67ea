"""Reads lifecycle blocks, and the `moved` and `removed` blocks that say what became of addresses."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from zenctl.addrs import KINDS, AddressError, ModuleInstance, canonical, without_keys
from zenctl.config.conditions import read_condition
from zenctl.config.configuration import Condition, Lifecycle, MovedConfig, RemovedConfig
from zenctl.config.reading import BodyReader, check_labels
from zenctl.config.references import VALUES, traversal, whole_reference
from zenctl.diagnostics import Diagnostic, did_you_mean, error
from zenctl.lang.parser import parse_expression
from zenctl.lang.syntax import (
    Block,
    Expression,
    GetAttr,
    Index,
    Literal,
    Parentheses,
    TemplateWrap,
    TupleExpr,
    Variable,
)

ATTRIBUTES = ("prevent_destroy", "ignore_changes", "replace_triggered_by")
ENDPOINT_ATTRIBUTES = ("prevent_destroy", "create_before_destroy", "ignore_changes", "replace_triggered_by")
BLOCKS = ("precondition", "postcondition")


COMPONENTS = ("code", "environment", "source", "inputs", "params")
"""What the result of a step or datasource depends on, besides its type."""


ASPECTS = ("code", "environment")
"""What `on_change` can name."""

CHOICES = ("rerun", "keep")
"""What `on_change` can say of each."""


def read_lifecycle(
    block: Block, what: str, attributes: tuple[str, ...], ignorable: Collection[str], diagnostics: list[Diagnostic]
) -> Lifecycle:
    """The `lifecycle` block of a node; `ignorable` is what `ignore_changes` may name."""
    where = f"lifecycle of {what}"
    reader = BodyReader(block.body, where, diagnostics, attributes=attributes, blocks=BLOCKS)
    conditions: dict[str, tuple[Condition, ...]] = {}
    for kind in BLOCKS:
        read = [read_condition(nested, f"{kind} of {what}", diagnostics) for nested in reader.blocks(kind)]
        conditions[kind] = tuple(c for c in read if c is not None)
    return Lifecycle(
        prevent_destroy=reader.boolean("prevent_destroy"),
        create_before_destroy="create_before_destroy" in attributes and reader.boolean("create_before_destroy"),
        ignore_changes=_ignored(reader.expression("ignore_changes"), what, ignorable, diagnostics),
        replace_triggered_by=_triggers(reader.expression("replace_triggered_by"), diagnostics),
        preconditions=conditions["precondition"],
        postconditions=conditions["postcondition"],
    )


def read_on_change(block: Block, what: str, diagnostics: list[Diagnostic]) -> tuple[str, ...]:
    """The aspects that an `on_change` block says to keep a result in spite of."""
    where = f"the block on_change of {what}"
    reader = BodyReader(block.body, where, diagnostics, attributes=ASPECTS)
    kept = []
    for name, found in block.body.attributes.items():
        if name not in ASPECTS:
            continue
        known = len(diagnostics)
        choice = reader.data(name)
        if choice not in CHOICES and len(diagnostics) == known:
            detail = f'Write {name} = "keep", or {name} = "rerun", which is the default.'
            summary = f'"{name}" of {where} must be "rerun" or "keep"'
            diagnostics.append(error("wrong_value", summary, detail, range=found.expression.range))
        elif choice == "keep":
            kept.append(name)
    return tuple(sorted(kept))


def _ignored(
    expression: Expression | None, what: str, ignorable: Collection[str], diagnostics: list[Diagnostic]
) -> tuple[tuple[str, ...], ...]:
    """The paths named by `ignore_changes`; an empty one for `all`."""
    if expression is None:
        return ()
    if traversal(expression) == ("all",):
        return ((),)
    detail = "Write ignore_changes = [params.epochs, code], or ignore_changes = all."
    if not isinstance(expression, TupleExpr):
        summary = "ignore_changes must be a list of attributes, or all"
        diagnostics.append(error("wrong_type", summary, detail, range=expression.range))
        return ()
    found = []
    for item in expression.items:
        names = traversal(item)
        if names is None:
            summary = "ignore_changes holds names of attributes only"
            diagnostics.append(error("wrong_type", summary, detail, range=item.range))
        elif names[0] not in ignorable:
            inside = f" A parameter is named params.{names[0]}." if "params" in ignorable else ""
            known = f"It can be: {', '.join(sorted(ignorable))}, all.{inside}"
            hint = did_you_mean(names[0], ignorable).strip() or known
            summary = f'ignore_changes of {what} cannot name "{names[0]}"'
            diagnostics.append(error("unknown_attribute", summary, hint, range=item.range))
        else:
            found.append(names)
    return tuple(found)


def _triggers(expression: Expression | None, diagnostics: list[Diagnostic]) -> tuple[Expression, ...]:
    if expression is None:
        return ()
    detail = "Write replace_triggered_by = [step.TYPE.NAME, step.TYPE.NAME[each.key], ...]"
    if not isinstance(expression, TupleExpr):
        summary = "replace_triggered_by must be a list"
        diagnostics.append(error("wrong_type", summary, detail, range=expression.range))
        return ()
    found = []
    for item in expression.items:
        named = _named(item)
        reference = None if named is None else whole_reference(named)
        if named is None or reference is None or reference.path[0] not in VALUES or len(reference.path) < 3:
            summary = "replace_triggered_by holds steps and datasources only"
            diagnostics.append(error("wrong_type", summary, detail, range=item.range))
        else:
            found.append(named)
    return tuple(found)


def _named(item: Expression) -> Expression | None:
    """The expression that a text stands for, so that YAML needs no `${}` where only an address can stand."""
    if isinstance(item, Literal) and isinstance(item.value, str):
        return parse_expression(item.value, item.range.filename, item.range.start)[0]
    return item


def read_moved(
    block: Block, diagnostics: list[Diagnostic], module: tuple[ModuleInstance, ...] = ()
) -> MovedConfig | None:
    """A `moved` block; None if it is wrong."""
    if not check_labels(block, (), diagnostics):
        return None
    reader = BodyReader(block.body, "moved", diagnostics, attributes=("from", "to"))
    found = {name: _address(reader, name, block, diagnostics, module) for name in ("from", "to")}
    if not found["from"] or not found["to"]:
        return None
    if found["from"] == found["to"]:
        diagnostics.append(error("invalid_move", f"{found['from']} cannot move to itself", range=block.header_range))
        return None
    kinds = {kind_moved(text) for text in found.values()}
    if len(kinds) > 1:
        detail = f"{found['from']} and {found['to']} are of different kinds: {' and '.join(sorted(kinds))}."
        diagnostics.append(error("invalid_move", "This cannot move there", detail, range=block.header_range))
        return None
    return MovedConfig(found["from"], found["to"], block.header_range)


def check_moves(moves: Iterable[MovedConfig]) -> list[Diagnostic]:
    """Moves of one address to two others, of two to one, and in a circle."""
    found: list[Diagnostic] = []
    from_: dict[str, MovedConfig] = {}
    to: dict[str, MovedConfig] = {}
    for move in moves:
        one, other = from_.setdefault(move.source, move), to.setdefault(move.target, move)
        if one.target != move.target:
            detail = f"At {one.range} it moves to {one.target}. Keep the move that is meant."
            summary = f"{move.source} moves to {one.target} and to {move.target}"
            found.append(error("invalid_move", summary, detail, range=move.range))
        elif other.source != move.source:
            detail = f"At {other.range} {other.source} does. Only one of them can have moved there."
            summary = f"{other.source} and {move.source} both move to {move.target}"
            found.append(error("invalid_move", summary, detail, range=move.range))
    told: set[str] = set()
    for start in from_:
        chain = [start]
        while chain[-1] in from_ and from_[chain[-1]].target not in chain:
            chain.append(from_[chain[-1]].target)
        if chain[-1] in from_ and from_[chain[-1]].target == start and told.isdisjoint(chain):
            told.update(chain)
            names = " -> ".join([*chain, start])
            detail = "Where an address stands at the end cannot be told. Remove one of these moves."
            found.append(error("invalid_move", f"Moves go in a circle: {names}", detail, range=from_[start].range))
    return found


def read_removed(
    block: Block, diagnostics: list[Diagnostic], module: tuple[ModuleInstance, ...] = ()
) -> RemovedConfig | None:
    """A `removed` block; None if it is wrong."""
    if not check_labels(block, (), diagnostics):
        return None
    reader = BodyReader(block.body, "removed", diagnostics, attributes=("from",), blocks=("lifecycle",))
    destroy = True
    for nested in reader.blocks("lifecycle"):
        inner = BodyReader(nested.body, "lifecycle of removed", diagnostics, attributes=("destroy",))
        destroy = inner.boolean("destroy", True)
    source = _address(reader, "from", block, diagnostics, module)
    if source and source != without_keys(source):
        detail = "Name the whole block; instances come and go with for_each and count."
        diagnostics.append(error("invalid_address", "removed takes no keys", detail, range=block.header_range))
        return None
    return RemovedConfig(source, destroy, block.header_range) if source else None


def _address(
    reader: BodyReader, name: str, block: Block, diagnostics: list[Diagnostic], module: tuple[ModuleInstance, ...]
) -> str:
    """The address an attribute names, with the module it stands in before it; "" if it is wrong."""
    expression = reader.expression(name)
    if expression is None:
        summary = f'{block.type[:1].upper()}{block.type[1:]} has no "{name}"'
        reader.missing(name, error("missing_attribute", summary, range=block.header_range))
        return ""
    text = _text(expression)
    try:
        own = canonical(text)
    except AddressError:
        detail = 'Write for example step.python.fit, step.python.fit["a"] or module.eu.'
        diagnostics.append(error("invalid_address", f'"{name}" must be an address', detail, range=expression.range))
        return ""
    return ".".join([*(str(m) for m in module), own])


def _text(expression: Expression) -> str:
    """An expression that is a plain traversal as an address is written."""
    if isinstance(expression, Literal) and isinstance(expression.value, str):
        return expression.value
    parts: list[str] = []
    node = expression
    while True:
        if isinstance(node, (Parentheses, TemplateWrap)):
            node = node.expression
        elif isinstance(node, GetAttr):
            parts.append(f".{node.name}")
            node = node.source
        elif isinstance(node, Index) and isinstance(node.key, Literal):
            key = node.key.value
            parts.append(f"[{json.dumps(key, ensure_ascii=False)}]" if isinstance(key, str) else f"[{key}]")
            node = node.source
        elif isinstance(node, Variable):
            return "".join([node.name, *reversed(parts)])
        else:
            return ""


def kind_moved(text: str) -> str:
    """What something that moves must stay: `step`, `datasource`, `module`, or an endpoint's kind and type."""
    names = without_keys(text).split(".")
    inner = names[-3] if len(names) > 2 else ""
    kind = inner if inner in KINDS else "module"
    return f"{kind}.{names[-2]}" if kind == "endpoint" else kind
