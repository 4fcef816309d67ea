"""Makes attributes of the blocks that are none in YAML: those that a type of step, datasource and so on declares."""

from __future__ import annotations

from dataclasses import replace

from zenctl.config.conforming import fields
from zenctl.config.names import nested_model
from zenctl.config.shapes import ROOT
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error
from zenctl.lang.syntax import (
    Attribute,
    Block,
    BlockShape,
    Body,
    Expression,
    Literal,
    ObjectExpr,
    ObjectItem,
    TupleExpr,
)
from zenctl.provider.registry import Registry
from zenctl.schema import BlockModel


def fold_blocks(body: Body, registry: Registry) -> tuple[Body, list[Diagnostic]]:
    """A file's body as YAML has it: `gates "accuracy" { min = 0.9 }` is `gates = { accuracy = { min = 0.9 } }`.

    What YAML has no place for is an error.
    """
    folding = _Folding(registry)
    return folding.root(body), folding.diagnostics


class _Folding:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.diagnostics: list[Diagnostic] = []

    def root(self, body: Body) -> Body:
        return replace(body, blocks=tuple(self.block(block, ROOT, self.model(block)) for block in body.blocks))

    def model(self, block: Block) -> type[BlockModel] | None:
        """The model of a block that has a type of its own; None if it has none, or nobody offers it."""
        find = {
            "step": lambda name: self.registry.step_type(name).model,
            "datasource": lambda name: self.registry.datasource_type(name).model,
            "endpoint": lambda name: self.registry.endpoint_type(name)[1].model,
            "backend": lambda name: self.registry.backend_type(name)[1].model,
            "provider": lambda name: self.registry.schema(name).config,
        }.get(block.type)
        if find is None or not block.labels:
            return None
        try:
            return find(block.labels[0])
        except DiagnosticError:
            return None  # whether there is such a type is for `validate` to say

    def block(self, block: Block, outer: BlockShape, model: type[BlockModel] | None) -> Block:
        """A block that is one in YAML, too."""
        shape = outer.blocks.get(block.type)
        if shape is None:
            self.refuse(block, f'There is no block "{block.type}" in YAML', "`zenctl validate` says which there are.")
            return block
        if len(block.labels) != shape.labels:
            detail = _labels(shape.labels, block)
            self.refuse(block, f"This {block.type} block cannot be written in YAML", detail)
            return block
        if any(sign in label for label in block.labels for sign in ("${", "%{")):
            detail = "Names are plain texts in YAML, and none looks like a template. Rename it."
            self.refuse(block, f"This {block.type} block cannot be written in YAML", detail)
        return replace(block, body=self.body(block.body, shape, model))

    def body(self, body: Body, shape: BlockShape, model: type[BlockModel] | None) -> Body:
        """A body with blocks only where YAML has them."""
        attributes = dict(body.attributes)
        kept: list[Block] = []
        folded: dict[str, list[Block]] = {}
        for block in body.blocks:
            if block.type in attributes:
                self.refuse(block, f'"{block.type}" is an attribute and a block here', "Remove one of them.")
            elif block.type in shape.blocks:
                kept.append(self.block(block, shape, _model_inside(block, model)))
            else:
                folded.setdefault(block.type, []).append(block)
        made = {label for block in kept if block.type == "dynamic" for label in block.labels}
        for name, blocks in folded.items():
            if name in made:
                self.refuse(blocks[0], f'"{name}" is made by a dynamic block as well', "Write it in one way only.")
            expression = self.fold(name, blocks, model)
            place = SourceRange(blocks[0].range.filename, blocks[0].range.start, blocks[-1].range.end)
            attributes[name] = Attribute(place, name, blocks[0].type_range, expression)
        return replace(body, attributes=attributes, blocks=tuple(kept))

    def fold(self, name: str, blocks: list[Block], model: type[BlockModel] | None) -> Expression:
        """Blocks of one type as the value of an attribute: an object, a list of objects, or an object by label."""
        known = fields(model) if model is not None else {}
        nested = nested_model(known[name]) if name in known else None
        if nested is None:
            detail = "YAML has attributes only here, and nothing says which of them this block stands for."
            self.refuse(blocks[0], f'The block "{name}" cannot be written in YAML', detail)
            return self.object(blocks[0], None)
        how, inner = nested
        place = SourceRange(blocks[0].range.filename, blocks[0].range.start, blocks[-1].range.end)
        values = [self.object(block, inner) for block in blocks]
        wanted = 1 if how == "map" else 0
        for block in blocks:
            if len(block.labels) != wanted:
                self.refuse(block, f'The block "{name}" cannot be written in YAML', _labels(wanted, block))
                return values[0]
        if how == "map":
            items = [
                ObjectItem(block.range, Literal(block.label_ranges[0], block.labels[0]), value)
                for block, value in zip(blocks, values, strict=True)
            ]
            if len({block.labels[0] for block in blocks}) < len(blocks):
                self.refuse(blocks[-1], f'Two blocks "{name}" have the same label', "Remove or rename one of them.")
            return ObjectExpr(place, tuple(items))
        if how == "one" and len(blocks) > 1:
            self.refuse(blocks[1], f'"{name}" is given twice', "Remove one of them.")
        return values[0] if how == "one" else TupleExpr(place, tuple(values))

    def object(self, block: Block, model: type[BlockModel] | None) -> ObjectExpr:
        body = self.body(block.body, BlockShape(), model)
        items = [
            ObjectItem(found.range, Literal(found.name_range, found.name), found.expression)
            for found in body.attributes.values()
        ]
        items.sort(key=lambda item: item.range.start)
        return ObjectExpr(body.range, tuple(items))

    def refuse(self, block: Block, summary: str, detail: str) -> None:
        self.diagnostics.append(error("cannot_convert", summary, detail, range=block.header_range))


def _model_inside(block: Block, model: type[BlockModel] | None) -> type[BlockModel] | None:
    """The model of what a block makes that is one in YAML, too: `dynamic` makes blocks of the type it is named for."""
    if model is None or block.type == "content":
        return model
    known = fields(model) if block.type == "dynamic" else {}
    nested = nested_model(known[block.labels[0]]) if block.labels and block.labels[0] in known else None
    return nested[1] if nested is not None else None


def _labels(wanted: int, block: Block) -> str:
    return f"It must have {wanted} label{'' if wanted == 1 else 's'}, but has {len(block.labels)}."
