"""Evaluates a body, nested and dynamic blocks included, into plain data, and notes what is secret in it and where."""

from __future__ import annotations

from typing import Any, Union

from zenctl.config.conforming import Place, fields
from zenctl.config.dynamic import MAX_BLOCKS, DynamicBlock, expand, is_dynamic, read_dynamic, unknown_scope
from zenctl.config.names import nested_model
from zenctl.config.places import find_range, nearest
from zenctl.config.plain import FAULTY, LOCATION, Faulty, Marked, plain_value
from zenctl.diagnostics import Diagnostic, SourceRange, Values, error, has_errors
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.explaining import involved
from zenctl.lang.model import EPHEMERAL, SENSITIVE
from zenctl.lang.quoting import path_text
from zenctl.lang.syntax import Block, Body, Expression
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import BlockModel, Unknown


@dataclass(frozen=True, slots=True)
class _Blocks:
    """A field that is written as blocks: `one`, a `list`, or a `map` by label."""

    name: str
    how: str
    model: type[BlockModel]
    place: Place


class Reading:
    """Reads bodies in a scope.

    `diagnostics` are what is wrong with expressions; `sensitive` and `located` the places of secrets and of storage
    locations; `places` says where things stand; `wrong` are the attributes with problems. With `stored`, ephemeral
    values are refused.
    """

    def __init__(self, scope: Scope, *, stored: bool) -> None:
        self.scope = scope
        self.stored = stored
        self.diagnostics: list[Diagnostic] = []
        self.sensitive: list[Place] = []
        self.located: list[Place] = []
        self.places: dict[Place, Union[Expression, Block]] = {}
        self.wrong: set[str] = set()
        self._scopes: dict[Place, Scope] = {}
        self._made = 0

    def body(self, model: type[BlockModel], body: Body, at: Place = ()) -> dict[str, Any]:
        """The data of a body that stands at a place; `Unknown` in place of what is wrong."""
        known = fields(model)
        data: dict[str, Any] = {}
        for attribute in body.attributes.values():
            data[attribute.name] = self._attribute(attribute.expression, (*at, attribute.name))
        undecided: dict[str, Unknown] = {}
        for block in body.blocks:
            dynamic = read_dynamic(block, "")[0] if is_dynamic(block, known) else None
            name = block.type if dynamic is None else dynamic.name
            nested = nested_model(known[name]) if name in known else None
            if nested is None or name in body.attributes:
                continue
            field = _Blocks(name, *nested, (*at, name))
            if dynamic is not None:
                undecided |= self._dynamic(dynamic, field, data)
            elif field.how != "map" or len(block.labels) == 1:
                self._block(field, "".join(block.labels), block, block.body, data)
        return {**data, **undecided}

    def values(self, place: Place, where: SourceRange | None) -> Values:
        """What the references in the expression at a place stand for; those of the part that `where` shows."""
        found = nearest(self.places, place)
        if found is None or isinstance(found[1], Block) or where is None:
            return ()
        return involved(found[1], where, self._scopes[found[0]].variables)

    def is_secret(self, place: Place) -> bool:
        """Whether what stands at a place, around it or in it must not be shown."""
        return any(place[: len(secret)] == secret[: len(place)] for secret in self.sensitive)

    def _attribute(self, expression: Expression, place: Place) -> Any:
        self.places[place] = expression
        self._scopes[place] = self.scope
        value, found = evaluate_expression(expression, self.scope)
        self.diagnostics += found
        data, marks = plain_value(value)
        refused = self._note(place, marks, expression.range)
        if refused or has_errors(found):
            self.wrong.add(str(place[0]))
            return Unknown()
        return data

    def _block(self, field: _Blocks, label: str, block: Block, body: Body, data: dict[str, Any]) -> None:
        """Add one block to what is there of its field."""
        if field.how == "list":
            items = data.setdefault(field.name, [])
            place: Place = (*field.place, len(items))
            self.places[place] = block
            items.append(self.body(field.model, body, place))
        elif field.how == "map":
            place = (*field.place, label)
            self.places[place] = block
            data.setdefault(field.name, {})[label] = self.body(field.model, body, place)
        else:
            self.places[field.place] = block
            data[field.name] = self.body(field.model, body, field.place)

    def _dynamic(self, dynamic: DynamicBlock, field: _Blocks, data: dict[str, Any]) -> dict[str, Unknown]:
        """Add the blocks that a dynamic one makes; gives the field as unknown where these are not decided."""
        outer = self.scope
        expansion = expand(dynamic, outer, labelled=field.how == "map", room=MAX_BLOCKS - self._made)
        self._made += len(expansion.made)
        self.diagnostics += expansion.diagnostics
        marks: Marked = [((), expansion.marks)] if expansion.marks else []
        refused = self._note(field.place, marks, dynamic.for_each.range)
        if refused or expansion.wrong:
            self.wrong.add(str(field.place[0]))
            return {field.name: Unknown()}
        if FAULTY in expansion.marks:
            return {field.name: Faulty()}
        if expansion.unknown:
            # Nothing of it is kept, but what is wrong with any element is told now.
            trial = Reading(unknown_scope(dynamic, outer), stored=self.stored)
            trial.body(field.model, dynamic.content, field.place)
            self.diagnostics += trial.diagnostics
            return {field.name: Unknown()}
        for scope, label in expansion.made:
            there = data.get(field.name)
            if (field.how == "one" and there is not None) or (field.how == "map" and label in (there or {})):
                self.diagnostics.append(_made_twice(dynamic, field, label))
                self.wrong.add(str(field.place[0]))
                break
            self.scope = scope
            self._block(field, label or "", dynamic.block, dynamic.content, data)
            self.scope = outer
        return {}

    def _note(self, place: Place, marks: Marked, where: SourceRange) -> bool:
        """Note what is secret or a location; whether something is refused because it is ephemeral."""
        refused = False
        for inner, names in marks:
            whole = (*place, *inner)
            if SENSITIVE in names:
                self.sensitive.append(whole)
            if LOCATION in names:
                self.located.append(whole)
            if EPHEMERAL in names and self.stored:
                refused = True
                self.diagnostics.append(_ephemeral(whole, find_range(self.places, whole) or where))
        return refused


def _made_twice(dynamic: DynamicBlock, field: _Blocks, label: str | None) -> Diagnostic:
    text = path_text(field.place if label is None else (*field.place, label))
    detail = f"The other one is written out, or made for another element of for_each at {dynamic.for_each.range}."
    place = dynamic.labels.range if dynamic.labels is not None else dynamic.for_each.range
    return error("duplicate", f'"{text}" is made twice', detail, range=place)


def _ephemeral(place: Place, where: SourceRange) -> Diagnostic:
    detail = (
        "It would be written into plans, jobs and records. Give a step a secret by reference instead: "
        'secrets = { TOKEN = "env:TOKEN" }; or, if it may be stored, take `ephemeral` from the variable.'
    )
    return error("ephemeral_value", f'An ephemeral value is given to "{path_text(place)}"', detail, range=where)
