"""Values as JSON text and back, with decimal numbers and a limit to the depth."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from zenctl.lang.calls import FunctionProblem, limited
from zenctl.lang.functions.bounds import bounded_elements
from zenctl.lang.model import NULL, Value, boolean, object_value, string, tuple_value
from zenctl.lang.numbers import number_text, parse_number
from zenctl.lang.types import NUMBER, CapsuleType

MAX_JSON_DEPTH = 100
_STRUCTURE = re.compile(r'\\.|["\[\]{},]', re.DOTALL)


def to_json(value: Value) -> str:
    """Compact JSON with sorted keys; <, > and & are escaped, as Terraform does. Raises FunctionProblem."""
    pieces: list[str] = []
    _write(value, pieces)
    text = "".join(pieces)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return limited(text)


def _write(value: Value, pieces: list[str]) -> None:
    raw = value.raw
    if isinstance(value.type, CapsuleType):
        raise FunctionProblem(f"A {value.type} cannot be written as text; take one of its attributes.")
    if raw is None:
        pieces.append("null")
    elif isinstance(raw, bool):
        pieces.append("true" if raw else "false")
    elif isinstance(raw, Decimal):
        pieces.append(number_text(raw))
    elif isinstance(raw, str):
        pieces.append(json.dumps(raw, ensure_ascii=False))
    elif isinstance(raw, tuple):
        pieces.append("[")
        for at, item in enumerate(raw):
            if at:
                pieces.append(",")
            _write(item, pieces)
        pieces.append("]")
    else:
        pieces.append("{")
        for at, name in enumerate(sorted(raw)):
            pieces.append(f"{',' if at else ''}{json.dumps(name, ensure_ascii=False)}:")
            _write(raw[name], pieces)
        pieces.append("}")


def from_json(text: str) -> Value:
    """The value of a JSON text. Raises FunctionProblem."""
    depth = deepest = commas = 0
    inside = False
    for found in _STRUCTURE.finditer(text):
        sign = found.group()
        if sign == '"':
            inside = not inside
        elif inside:
            continue
        elif sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
        else:
            commas += 1
    if deepest > MAX_JSON_DEPTH:
        raise FunctionProblem(f"The text nests deeper than {MAX_JSON_DEPTH} levels.", 0)
    bounded_elements(commas, 0)
    try:
        data = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_constant)
    except json.JSONDecodeError as problem:
        detail = f"The text is not JSON: {problem.msg} (line {problem.lineno}, column {problem.colno})."
        raise FunctionProblem(detail, 0) from None
    return from_data(data)


def _number(text: str) -> Decimal:
    value = parse_number(text.removeprefix("-"))
    if value is None:
        raise FunctionProblem("A number in the text is too large.", 0)
    return value.copy_negate() if text.startswith("-") else value


def _constant(name: str) -> Any:
    raise FunctionProblem(f"The text is not JSON: {name} is no number.", 0)


def from_data(data: Any) -> Value:
    """Decoded JSON, with Decimals for numbers, as a value."""
    if data is None:
        return NULL
    if isinstance(data, bool):
        return boolean(data)
    if isinstance(data, Decimal):
        return Value(NUMBER, data)
    if isinstance(data, str):
        return string(data)
    if isinstance(data, list):
        return tuple_value(from_data(item) for item in data)
    return object_value({string(name).raw: from_data(item) for name, item in data.items()})
