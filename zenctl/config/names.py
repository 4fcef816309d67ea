"""Checks a body against its model without evaluating it: unknown names, missing attributes, doubles."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import get_args, get_origin

from pydantic.fields import FieldInfo

from zenctl.config.conforming import Place, fields, plain_annotation
from zenctl.config.dynamic import is_dynamic, read_dynamic
from zenctl.config.reading import check_labels, unknown_attribute, unknown_block
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.quoting import path_text
from zenctl.lang.syntax import Block, Body
from zenctl.schema import BlockModel


def check_names(
    model: type[BlockModel], body: Body, what: str, others: Collection[str] = (), at: Place = ()
) -> list[Diagnostic]:
    """What is wrong with the names in a body. `what` names the block in messages.

    What stands inside nested blocks, and in the content of `dynamic` ones, is checked too; `at` is the place of a
    nested body. A missing attribute of the body itself comes without a range. `others` are attributes that somebody
    else reads; they are offered as corrections.
    """
    return _Names(model, body, what, others, at).check()


def nested_model(info: FieldInfo) -> tuple[str, type[BlockModel]] | None:
    """How a field may be written as blocks (`one`, `list`, or `map` by label), and their model; None if it may not."""
    annotation = plain_annotation(info.annotation)
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, BlockModel):
        return "one", origin
    inner = plain_annotation(arguments[-1] if arguments and arguments[-1] is not Ellipsis else (arguments or [None])[0])
    if isinstance(inner, type) and issubclass(inner, BlockModel) and isinstance(origin, type):
        return ("map" if issubclass(origin, Mapping) else "list"), inner
    return None


class _Names:
    """Checks one body. `given` are the fields that it writes as blocks, `once` the blocks that may not come again,
    `meant` the fields whose names may be misspelt.
    """

    def __init__(self, model: type[BlockModel], body: Body, what: str, others: Collection[str], at: Place) -> None:
        self.known = fields(model)
        self.body = body
        self.what = what
        self.others = others
        self.at = at
        self.given: set[str] = set()
        self.meant: set[str] = set()
        self.once: dict[Place, SourceRange] = {}
        self.diagnostics: list[Diagnostic] = []

    def check(self) -> list[Diagnostic]:
        for attribute in self.body.attributes.values():
            if attribute.name in self.known:
                self.once[attribute.name,] = attribute.range
            else:
                problem = unknown_attribute(attribute.name, self.what, [*self.known, *self.others])
                self.diagnostics.append(problem.at(attribute.name_range))
                self.meant |= {name for name in self.known if did_you_mean(attribute.name, [name])}
        for block in self.body.blocks:
            if is_dynamic(block, self.known):
                self._dynamic(block)
            else:
                self._block(block)
        # Where a part of the body could not be read, what seems to be missing may stand there.
        for name, info in () if self.body.broken else self.known.items():
            if info.is_required() and name not in self.body.attributes and name not in self.given | self.meant:
                detail = f"{name}: {info.description}" if info.description else ""
                summary = f'{self.what[:1].upper()}{self.what[1:]} has no "{name}"'
                self.diagnostics.append(error("missing_attribute", summary, detail))
        return self.diagnostics

    def _block(self, block: Block) -> None:
        nested = self._nested(block.type, block.type_range)
        if nested is None:
            return
        how, model = nested
        place: Place = (block.type,)
        if how == "map":
            check_labels(block, ("name",), self.diagnostics)
            place += block.labels[:1]
        first = self.once.get((block.type,)) or self.once.get(place)
        if first is not None:
            self._twice(place, first, block)
        elif how != "list":
            # An attribute excludes every block of its name, a single block only its like.
            self.once.setdefault(place, block.header_range)
        self._inside(model, block.body, place, block)

    def _dynamic(self, block: Block) -> None:
        dynamic, found = read_dynamic(block, self.what)
        self.diagnostics += found
        self.given.update(block.labels[:1])
        nested = self._nested(dynamic.name, block.label_ranges[0]) if dynamic is not None else None
        if dynamic is None or nested is None:
            return
        if dynamic.name in self.body.attributes:
            self._twice((dynamic.name,), self.once[dynamic.name,], block)
        if nested[0] != "map" and dynamic.labels is not None:
            summary = f"A {dynamic.name} block has no label"
            detail = 'Remove "labels".'
            self.diagnostics.append(error("wrong_labels", summary, detail, range=dynamic.labels.range))
        self._inside(nested[1], dynamic.content, (dynamic.name,), block)

    def _nested(self, name: str, place: SourceRange) -> tuple[str, type[BlockModel]] | None:
        """How a field is written as blocks; None, and reported, if there is none such."""
        self.given.add(name)
        nested = nested_model(self.known[name]) if name in self.known else None
        if nested is None:
            names = [known for known, info in self.known.items() if nested_model(info) is not None]
            attributes = [*(known for known in self.known if known not in names), *self.others]
            self.diagnostics.append(unknown_block(name, self.what, names, attributes).at(place))
        return nested

    def _inside(self, model: type[BlockModel], body: Body, place: Place, block: Block) -> None:
        whole = (*self.at, *place)
        found = check_names(model, body, f'"{path_text(whole)}"', at=whole)
        self.diagnostics += [d.at(block.header_range) for d in found]

    def _twice(self, place: Place, first: SourceRange, block: Block) -> None:
        summary = f'"{path_text(place)}" of {self.what} is given twice'
        self.diagnostics.append(error("duplicate", summary, f"It is given first at {first}.", range=block.header_range))
