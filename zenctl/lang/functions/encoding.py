"""Functions that write values as text, read them back, and digest texts."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import json
from decimal import Decimal
from urllib.parse import quote_plus

from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.functions.json_text import from_json, to_json
from zenctl.lang.functions.library import Library, text
from zenctl.lang.model import Value, list_value, object_value, string
from zenctl.lang.numbers import number_text
from zenctl.lang.types import ANY, STRING, CapsuleType, ObjectType

ENCODING = Library()
_ANYTHING = Parameter("value", null=True)


@ENCODING.function("jsonencode", "The value as JSON.", _ANYTHING, returns=STRING)
def _jsonencode(value: Value) -> str:
    return to_json(value)


@ENCODING.function("jsondecode", "The value that a JSON text gives.", text("string"), returns=ANY)
def _jsondecode(source: str) -> Value:
    return from_json(source)


@ENCODING.function("yamlencode", "The value as YAML.", _ANYTHING, returns=STRING)
def _yamlencode(value: Value) -> str:
    lines: list[str] = []
    _yaml_lines(value, 0, lines)
    return "\n".join(lines) + "\n"


def _yaml_lines(value: Value, depth: int, lines: list[str]) -> None:
    """A value in block style; texts are quoted, so that none of them is taken for something else."""
    indent = "  " * depth
    raw = value.raw
    if isinstance(raw, (tuple, dict)) and raw:
        for key in sorted(raw) if isinstance(raw, dict) else range(len(raw)):
            item = raw[key]
            start = f"{indent}{json.dumps(key, ensure_ascii=False)}:" if isinstance(raw, dict) else f"{indent}-"
            if isinstance(item.raw, (tuple, dict)) and item.raw:
                inner: list[str] = []
                _yaml_lines(item, depth + 1, inner)
                if isinstance(raw, dict):
                    lines.append(start)
                    lines.extend(inner)
                else:
                    lines.append(start + " " + inner[0].lstrip())
                    lines.extend(inner[1:])
            else:
                lines.append(f"{start} {_yaml_scalar(item)}")
    else:
        lines.append(indent + _yaml_scalar(value))


def _yaml_scalar(value: Value) -> str:
    raw = value.raw
    if isinstance(value.type, CapsuleType):
        raise FunctionProblem(f"A {value.type} cannot be written as text; take one of its attributes.", 0)
    if raw is None:
        return "null"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, Decimal):
        return number_text(raw)
    if isinstance(raw, str):
        return json.dumps(raw, ensure_ascii=False)
    return "[]" if isinstance(raw, tuple) else "{}"


@ENCODING.function("yamldecode", "The value that a YAML text gives.", text("string"), returns=ANY)
def _yamldecode(source: str) -> Value:
    from zenctl.lang.evaluate import Scope, evaluate_expression  # which calls functions itself
    from zenctl.lang.yaml import parse_yaml_value

    expression, problems = parse_yaml_value(source, "<yaml>", templates=False)
    if expression is None:
        place = problems[0].range
        where = f" (line {place.start.line}, column {place.start.column})" if place else ""
        raise FunctionProblem(f"The text is not YAML{where}: {problems[0].detail}", 0)
    return evaluate_expression(expression, Scope({}))[0]


@ENCODING.function(
    "csvdecode", "The rows of a CSV text as objects; its first line names the columns.", text("string"), returns=ANY
)
def _csvdecode(source: str) -> Value:
    try:
        rows = [row for row in csv.reader(io.StringIO(source, newline=""), strict=True) if row]
    except csv.Error as problem:
        raise FunctionProblem(f"The text is not CSV: {problem}.", 0) from None
    if not rows:
        raise FunctionProblem("The text has no line with the names of the columns.", 0)
    names = [string(name).raw for name in rows[0]]
    if len(set(names)) != len(names):
        raise FunctionProblem("Two columns have the same name.", 0)
    items: list[Value] = []
    for at, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise FunctionProblem(f"Row {at} has {len(row)} fields, but there are {len(names)} columns.", 0)
        items.append(object_value({name: string(field) for name, field in zip(names, row, strict=True)}))
    return list_value(ObjectType(dict.fromkeys(names, STRING)), items)


@ENCODING.function("base64encode", "The text's UTF-8 bytes in Base64.", text("string"), returns=STRING)
def _base64encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@ENCODING.function("base64decode", "The text whose UTF-8 bytes are given in Base64.", text("string"), returns=STRING)
def _base64decode(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise FunctionProblem("It is not the Base64 of a text in UTF-8.", 0) from None
    except ValueError:
        raise FunctionProblem("Base64 has no such characters.", 0) from None


@ENCODING.function("urlencode", "The text as part of a query in a URL.", text("string"), returns=STRING)
def _urlencode(value: str) -> str:
    return quote_plus(value)


def _digest(algorithm: str) -> None:
    def run(value: str) -> str:
        return hashlib.new(algorithm, value.encode(), usedforsecurity=False).hexdigest()

    def run_base64(value: str) -> str:
        digest = hashlib.new(algorithm, value.encode(), usedforsecurity=False).digest()
        return base64.b64encode(digest).decode()

    name = algorithm.upper().replace("SHA", "SHA-")
    ENCODING.function(algorithm, f"The {name} digest of a text, in hexadecimal.", text("string"), returns=STRING)(run)
    if algorithm in ("sha256", "sha512"):
        description = f"The {name} digest of a text, in Base64."
        ENCODING.function(f"base64{algorithm}", description, text("string"), returns=STRING)(run_base64)


for _algorithm in ("md5", "sha1", "sha256", "sha512"):
    _digest(_algorithm)
