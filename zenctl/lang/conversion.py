"""Turns values into other types as HCL does, and finds the type that several values have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from zenctl.lang.model import (
    NO_MARKS,
    UNKNOWN,
    Value,
    boolean,
    content,
    list_value,
    map_value,
    object_value,
    set_value,
    tuple_value,
    unknown,
)
from zenctl.lang.numbers import negated, number_text, parse_number
from zenctl.lang.types import (
    ANY,
    BOOL,
    NUMBER,
    STRING,
    AnyType,
    CapsuleType,
    ListType,
    MapType,
    ObjectType,
    Primitive,
    SetType,
    TupleType,
    Type,
    contains_any,
    describe,
    without_optional,
)


class ConversionError(Exception):
    """A value does not fit a type; the message says where in it, and what is required.

    `reason` is what is required without the place, `path` the place: indexes, and names of elements and attributes.
    """

    def __init__(self, reason: str, path: tuple[str | int, ...] = (), text: str = "") -> None:
        super().__init__(text or reason)
        self.reason = reason
        self.path = path


def convert_value(value: Value, target: Type) -> Value:
    """The value as the target type; its marks are kept. Raises ConversionError."""
    if not isinstance(target, CapsuleType):
        value = content(value)
    if isinstance(target, AnyType) or value.type == target:
        return value
    if value.raw is None:
        if not convertible(value.type, target):
            raise _required(value, target)
        return Value(without_optional(target), None, value.marks)
    if value.raw is UNKNOWN:
        return unknown(_unknown_type(value.type, target), value.marks)
    convert = _CONVERTERS[type(target)]
    result = convert(value, target)
    return result.with_marks(value.marks)


def _unknown_type(source: Type, target: Type) -> Type:
    if isinstance(source, AnyType):
        return without_optional(target)
    if not convertible(source, target):
        raise ConversionError(f"{describe(target)} is required, not {describe(source)}")
    return _filled(source, without_optional(target))


def _filled(source: Type, target: Type) -> Type:
    """The target with what is known of the source in place of `any`; `any` where the two are of different kinds."""
    if isinstance(target, AnyType):
        return source
    if not contains_any(target):
        return target
    if isinstance(target, (ListType, SetType, MapType)):
        return target.__class__(_filled(unify(_element_types([source])) or ANY, target.element))
    return ANY


def convertible(source: Type, target: Type) -> bool:
    """Whether some value of the source type may convert."""
    if isinstance(source, AnyType) or isinstance(target, AnyType) or source == target:
        return True
    if isinstance(target, Primitive):
        return isinstance(source, Primitive) and {source.name, target.name} != {"number", "bool"}
    if isinstance(target, (ListType, SetType)):
        if isinstance(source, TupleType):
            return all(convertible(item, target.element) for item in source.items)
        return isinstance(source, (ListType, SetType)) and convertible(source.element, target.element)
    if isinstance(target, MapType):
        if isinstance(source, ObjectType):
            return all(convertible(item, target.element) for item in source.attributes.values())
        return isinstance(source, MapType) and convertible(source.element, target.element)
    if isinstance(target, TupleType):
        return (
            isinstance(source, TupleType)
            and len(source.items) == len(target.items)
            and all(convertible(a, b) for a, b in zip(source.items, target.items, strict=True))
        )
    if isinstance(target, ObjectType):
        return _object_convertible(source, target)
    return False


def _object_convertible(source: Type, target: ObjectType) -> bool:
    if isinstance(source, MapType):
        return all(convertible(source.element, item) for item in target.attributes.values())
    if not isinstance(source, ObjectType):
        return False
    for name, item in target.attributes.items():
        if name not in source.attributes:
            if name not in target.optional:
                return False
        elif not convertible(source.attributes[name], item):
            return False
    return True


def _required(value: Value, target: Type) -> ConversionError:
    return ConversionError(f"{describe(target)} is required, not {describe(value.type)}")


def _to_primitive(value: Value, target: Type) -> Value:
    raw = value.raw
    if target == STRING:
        if isinstance(raw, Decimal):
            return Value(STRING, number_text(raw))
        if isinstance(raw, bool):
            return Value(STRING, "true" if raw else "false")
    elif target == NUMBER and isinstance(raw, str):
        parsed = parse_number(raw[1:] if raw[:1] in ("-", "+") else raw)
        if parsed is not None:
            return Value(NUMBER, negated(parsed) if raw.startswith("-") else parsed)
        raise ConversionError("a number is required")
    elif target == BOOL and isinstance(raw, str):
        if raw in ("true", "1"):
            return boolean(True)
        if raw in ("false", "0"):
            return boolean(False)
        raise ConversionError("a bool is required: true or false")
    raise _required(value, target)


def _within(what: str, part: str | int, value: Value, target: Type) -> Value:
    try:
        return convert_value(value, target)
    except ConversionError as problem:
        # A path reads from the outside in: `attribute "a": element 0: a number is required`.
        place = f"{what} {part}" if isinstance(part, int) else f'{what} "{part}"'
        raise ConversionError(problem.reason, (part, *problem.path), f"{place}: {problem}") from None


def _elements(value: Value, target: ListType | SetType) -> tuple[Type, list[Value]]:
    if not isinstance(value.type, (ListType, SetType, TupleType)):
        raise _required(value, target)
    element = target.element
    if contains_any(element) and value.raw:
        items = [_within("element", i, item, element) for i, item in enumerate(value.raw)]
        common = common_type(items)
        if common is None:
            raise ConversionError("all elements must have the same type")
        return common, [convert_value(item, common) for item in items]
    if isinstance(element, AnyType) and not isinstance(value.type, TupleType):
        return value.type.element, list(value.raw)
    items = [_within("element", i, item, element) for i, item in enumerate(value.raw)]
    return without_optional(element), items


def _to_list(value: Value, target: Type) -> Value:
    assert isinstance(target, ListType)
    element, items = _elements(value, target)
    return list_value(element, items)


def _to_set(value: Value, target: Type) -> Value:
    assert isinstance(target, SetType)
    element, items = _elements(value, target)
    return set_value(element, items)


def _to_map(value: Value, target: Type) -> Value:
    assert isinstance(target, MapType)
    if not isinstance(value.type, (MapType, ObjectType)):
        raise _required(value, target)
    element = target.element
    items = {name: _within("element", name, item, element) for name, item in value.raw.items()}
    if contains_any(element):
        if not items:
            return map_value(value.type.element if isinstance(value.type, MapType) else ANY, items)
        common = common_type(list(items.values()))
        if common is None:
            raise ConversionError("all elements must have the same type")
        return map_value(common, {name: convert_value(item, common) for name, item in items.items()})
    return map_value(without_optional(element), items)


def _to_tuple(value: Value, target: Type) -> Value:
    assert isinstance(target, TupleType)
    if not isinstance(value.type, TupleType):
        raise _required(value, target)
    if len(value.raw) != len(target.items):
        raise ConversionError(f"{len(target.items)} elements are required, not {len(value.raw)}")
    pairs = zip(value.raw, target.items, strict=True)
    return tuple_value(_within("element", i, item, wanted) for i, (item, wanted) in enumerate(pairs))


def _to_object(value: Value, target: Type) -> Value:
    assert isinstance(target, ObjectType)
    if not isinstance(value.type, (MapType, ObjectType)):
        raise _required(value, target)
    result: dict[str, Value] = {}
    for name, wanted in target.attributes.items():
        given = value.raw.get(name)
        if name in target.optional and (given is None or given.raw is None):
            default = target.optional[name]
            marks = NO_MARKS if given is None else given.marks
            given = Value(without_optional(wanted), None) if default is None else default
            given = given.with_marks(marks)
        if given is None:
            raise ConversionError(f'attribute "{name}" is required')
        result[name] = _within("attribute", name, given, wanted)
    return object_value(result)


def _to_capsule(value: Value, target: Type) -> Value:
    raise _required(value, target)


_CONVERTERS: dict[type, Callable[[Value, Type], Value]] = {
    Primitive: _to_primitive,
    ListType: _to_list,
    SetType: _to_set,
    MapType: _to_map,
    TupleType: _to_tuple,
    ObjectType: _to_object,
    CapsuleType: _to_capsule,
}


def common_type(values: Sequence[Value]) -> Type | None:
    """The type that all the values can convert to, None if there is none. A null without a type fits any."""
    return unify([value.type for value in values])


def unify(types: Sequence[Type]) -> Type | None:
    """The type that values of all these types can convert to, the most special one; None if there is none.

    `any` is the type of a null or of what is not known yet, and so fits every other. Beside a tuple or an object the
    result is `any` too, as what is not known yet may turn out to have another length or other attributes.
    """
    distinct = list(dict.fromkeys(types))
    if ANY in distinct:
        distinct.remove(ANY)
        common = unify(distinct)
        return ANY if isinstance(common, (TupleType, ObjectType)) else common
    if not distinct:
        return ANY
    if len(distinct) == 1:
        return distinct[0]
    if all(isinstance(type, Primitive) for type in distinct):
        return STRING if STRING in distinct else None
    if all(isinstance(type, ObjectType) for type in distinct):
        return _unify_objects([type for type in distinct if isinstance(type, ObjectType)])
    if all(isinstance(type, TupleType) for type in distinct):
        return _unify_tuples([type for type in distinct if isinstance(type, TupleType)])
    if all(isinstance(type, (MapType, ObjectType)) for type in distinct):
        element = unify(_element_types(distinct))
        return None if element is None else MapType(element)
    if all(isinstance(type, (ListType, SetType, TupleType)) for type in distinct):
        element = unify(_element_types(distinct))
        if element is None:
            return None
        return ListType(element) if any(isinstance(type, ListType) for type in distinct) else SetType(element)
    return None


def _element_types(types: Sequence[Type]) -> list[Type]:
    found: list[Type] = []
    for type in types:
        if isinstance(type, (ListType, SetType, MapType)):
            found.append(type.element)
        elif isinstance(type, TupleType):
            found.extend(type.items)
        elif isinstance(type, ObjectType):
            found.extend(type.attributes.values())
    return found


def _unify_objects(types: list[ObjectType]) -> Type | None:
    names = types[0].attributes.keys()
    if any(type.attributes.keys() != names for type in types):
        element = unify(_element_types(types))
        return None if element is None else MapType(element)
    result: dict[str, Type] = {}
    for name in names:
        common = unify([type.attributes[name] for type in types])
        if common is None:
            return None
        result[name] = common
    return ObjectType(result)


def _unify_tuples(types: list[TupleType]) -> Type | None:
    if any(len(type.items) != len(types[0].items) for type in types):
        element = unify(_element_types(types))
        return None if element is None else ListType(element)
    items = [unify(column) for column in zip(*(type.items for type in types), strict=True)]
    known = [item for item in items if item is not None]
    return TupleType(tuple(known)) if len(known) == len(items) else None


def equal(left: Value, right: Value) -> bool | None:
    """Whether two values are equal, None if that is not known yet. Values of different types never are."""
    if left.raw is None and right.raw is None:
        return True
    if left.raw is UNKNOWN or right.raw is UNKNOWN:
        both_known = not isinstance(left.type, AnyType) and not isinstance(right.type, AnyType)
        null = left.raw is None or right.raw is None
        if both_known and not null and not contains_any(left.type) and not contains_any(right.type):
            return None if left.type == right.type else False
        return None
    if left.raw is None or right.raw is None:
        return False
    if left.type != right.type and not (contains_any(left.type) or contains_any(right.type)):
        return False
    return _equal_inside(left, right)


def _equal_inside(left: Value, right: Value) -> bool | None:
    if isinstance(left.raw, tuple) and isinstance(right.raw, tuple):
        if len(left.raw) != len(right.raw):
            return False
        pairs = list(zip(left.raw, right.raw, strict=True))
    elif isinstance(left.raw, dict) and isinstance(right.raw, dict):
        if left.raw.keys() != right.raw.keys():
            return False
        pairs = [(item, right.raw[name]) for name, item in left.raw.items()]
    else:
        return bool(type(left.raw) is type(right.raw) and left.raw == right.raw)
    result: bool | None = True
    for a, b in pairs:
        same = equal(a, b)
        if same is False:
            return False
        if same is None:
            result = None
    return result
