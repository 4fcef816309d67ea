"""Values as YAML text and back."""

from __future__ import annotations

import re
from decimal import Decimal

from zenctl.lang.calls import FunctionProblem, limited
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import Value
from zenctl.lang.numbers import number_text
from zenctl.lang.types import CapsuleType

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_BLOCK = re.compile(r"(?![ \t\n])(?:[^\n]*[^ \t\n]\n|\n)*(?:[^\n]*[^ \t\n])?")
"""A text that a literal block can hold: no line ends in blanks, and the first one begins with something else."""


def to_yaml(value: Value) -> str:
    """YAML in block style with sorted keys; texts are quoted, or literal blocks where they have several lines.

    Raises FunctionProblem.
    """
    lines: list[str] = []
    _write(value, 0, lines)
    return limited("\n".join(lines) + "\n")


def _write(value: Value, depth: int, lines: list[str]) -> None:
    """Add a value's lines, indented by the depth, the first one too."""
    indent = "  " * depth
    if isinstance(value.raw, dict) and value.raw:
        for key in sorted(value.raw):
            item = value.raw[key]
            # The elements of a list stand below its key, without more indentation.
            _write_item(f"{indent}{_quoted(key)}:", item, depth if isinstance(item.raw, tuple) else depth + 1, lines)
    elif isinstance(value.raw, tuple) and value.raw:
        for item in value.raw:
            inner: list[str] = []
            _write(item, depth + 1, inner)
            lines.append(f"{indent}- {inner[0][len(indent) + 2 :]}")
            lines += inner[1:]
    else:
        _write_item(indent, value, depth, lines)


def _write_item(start: str, value: Value, depth: int, lines: list[str]) -> None:
    """Add what follows a key, or stands alone: on the same line if it has only one."""
    if isinstance(value.raw, (tuple, dict)) and value.raw:
        lines.append(start)
        _write(value, depth, lines)
        return
    blank = "" if not start or start.endswith(" ") else " "
    text = value.raw
    if isinstance(text, str) and "\n" in text and _is_block(text):
        body = text.removesuffix("\n")
        chomping = "-" if body == text else "+" if body.endswith("\n") else ""
        indent = "  " * max(depth, 1)
        lines.append(f"{start}{blank}|{chomping}")
        lines += [indent + line if line else "" for line in body.split("\n")]
    else:
        lines.append(f"{start}{blank}{_scalar(value)}")


def _is_block(text: str) -> bool:
    return text.replace("\n", "").isprintable() and _BLOCK.fullmatch(text) is not None


def _scalar(value: Value) -> str:
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
        return _quoted(raw)
    return "[]" if isinstance(raw, tuple) else "{}"


def _quoted(text: str) -> str:
    """A text in double quotes, with escapes for what YAML does not show as it is."""
    if not text.isprintable() or '"' in text or "\\" in text:
        text = "".join(letter if letter.isprintable() and letter not in '"\\' else _escape(letter) for letter in text)
    return f'"{text}"'


def _escape(letter: str) -> str:
    code = ord(letter)
    return _ESCAPES.get(letter) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def from_yaml(source: str) -> Value:
    """The value of a YAML 1.2 text. Raises FunctionProblem."""
    from zenctl.lang.yaml import parse_yaml_value  # PyYAML costs time that most commands can spare

    expression, problems = parse_yaml_value(source, "<yaml>", templates=False)
    if expression is None:
        place = problems[0].range
        where = f" (line {place.start.line}, column {place.start.column})" if place else ""
        start = f"The text is not YAML{where}"
        raise FunctionProblem(f"{start}: {problems[0].detail}", 0, hidden=f"{start}.")
    return evaluate_expression(expression, Scope({}))[0]
