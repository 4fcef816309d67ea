"""Reads JSON lines one by one, slowly, and says where one is wrong: line and column. Standard library only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.header import shortened
from zenctl.steps.data.bad_rows import CUT, MAX_ROW
from zenctl.steps.data.problems import FileProblem

_INT = re.compile(r"-?\d{1,19}", re.ASCII)
_FLOAT = re.compile(r"\s*[-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|inf|infinity|nan)\s*", re.ASCII | re.IGNORECASE)
_INT64 = range(-(1 << 63), 1 << 63)


_BLANK = " \t\r\n"


class Digits(str):
    """A number as it is written."""

    __slots__ = ()

    @property
    def kind(self) -> str:
        """int where it is a whole number of 64 bits, else float."""
        return "int" if _INT.fullmatch(self) and int(self) in _INT64 else "float"


class _Twice(Exception):
    """An object names a key twice."""


def rows_of(data: bytes, first: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object in text that begins with a line, and the number of its line; `first` is that of the first line.

    Numbers are `Digits`. Raises FileProblem for a line that is no object, names a key twice, or is no UTF-8.
    """
    for number, line in enumerate(data.removeprefix(BYTE_ORDER_MARK).split(b"\n"), first):
        if line.strip():
            yield number, _object(line, number)


def elements_of(data: bytes) -> Iterator[bytes]:
    """The elements of an array, or values one after the other, each on one line. Raises FileProblem for no JSON."""
    hint = "Write one array of objects: [{...}, {...}]."
    try:
        text = data.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
        body = text.strip(_BLANK)
        array = body.startswith("[") and body.endswith("]")
        at, end = (1, len(body) - 1) if array else (0, len(body))
        first = True
        while (at := _next(body, at, end, comma=array and not first)) < end:
            _, after = _DECODER.raw_decode(body, at)
            yield body[at:after].replace("\n", "\r").encode("utf-8")
            at, first = after, False
    except (ValueError, RecursionError, _Twice) as problem:
        raise FileProblem(f"no JSON: {problem}", hint) from problem


def _next(text: str, at: int, end: int, *, comma: bool) -> int:
    """Where the next value begins, which a comma must stand before; `end` if there is none. Raises ValueError."""
    while at < end and text[at] in _BLANK:
        at += 1
    if at < end and comma:
        if text[at] != ",":
            raise ValueError("a comma is missing")
        at = _next(text, at + 1, end, comma=False)
        if at == end:
            raise ValueError("a comma too much")
    return at


def rows_or_problems(
    data: bytes, declared: Mapping[str, str], *, nested: bool
) -> Iterator[tuple[int, bytes, dict[str, Any] | str]]:
    """Each line that is not blank: its number from 0, its text, and its object or what is wrong with it.

    Wrong is also a value that does not have its column's declared type. `nested`: lists and objects are texts.
    """
    for number, line in enumerate(data.removeprefix(BYTE_ORDER_MARK).split(b"\n")):
        if not line.strip():
            continue
        try:
            row = _object(line, 1)
        except FileProblem as problem:
            shown = shortened(line)
            yield number, line, problem.message.removesuffix(f" in {shown}").removesuffix(f": {shown}")
            continue
        wrong = next((name for name, type in declared.items() if not _has(row.get(name), type, nested)), None)
        if wrong is None:
            yield number, line, row
        else:
            shown = shortened(text_of(row[wrong]).encode("utf-8"))
            yield number, line, f'column "{wrong}" is declared as {declared[wrong]}, but holds {shown}'


def _has(value: Any, type: str, nested: bool) -> bool:
    """Whether a value can be brought into a declared type."""
    if value is None:
        return True
    if type == "string":
        return nested or not isinstance(value, (dict, list))
    if isinstance(value, bool):
        return True
    if not isinstance(value, str):
        return False
    if type == "float":
        return isinstance(value, Digits) or _FLOAT.fullmatch(value) is not None
    if isinstance(value, Digits) and value.kind == "float":
        number = float(value)
        return number.is_integer() and int(number) in _INT64
    return _INT.fullmatch(value.strip()) is not None and int(value) in _INT64


def kind_of(value: Any) -> str:
    """The kind of a value from `rows_of`; see `kinds.KINDS`."""
    if value is None:
        return ""
    if isinstance(value, Digits):
        return value.kind
    return {bool: "bool", str: "string"}.get(type(value), "nested")


def text_of(value: Any) -> str:
    """A value from `rows_of` as text: strings as they are, numbers as written, everything else as compact JSON."""
    return value if isinstance(value, str) else _compact(value)


def _compact(value: Any) -> str:
    """JSON without spaces; numbers with the digits that were written."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_compact(name)}:{_compact(item)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(_compact(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _object(line: bytes, number: int) -> dict[str, Any]:
    if line.endswith(CUT):
        raise FileProblem(f"larger than {MAX_ROW:,} bytes: {shortened(line)}", "Write smaller values.", number)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as problem:
        hint = "Convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8."
        column = len(line[: problem.start].decode("utf-8")) + 1
        raise FileProblem(
            f"not UTF-8: byte 0x{line[problem.start]:02x} in {shortened(line)}", hint, number, column
        ) from None
    hint = "Write one JSON object a line."
    try:
        value = _DECODER.decode(text.strip())
        _compact(value).encode("utf-8")
    except json.JSONDecodeError as problem:
        column = problem.pos + 1 + len(text) - len(text.lstrip())
        raise FileProblem(f"{problem.msg}: {shortened(line)}", hint, number, column) from None
    except _Twice as problem:
        raise FileProblem(f'the key "{problem}" is there twice: {shortened(line)}', hint, number) from None
    except UnicodeEncodeError:
        raise FileProblem(f"half of a surrogate pair stands alone: {shortened(line)}", hint, number) from None
    except RecursionError:
        raise FileProblem(f"nested too deeply: {shortened(line)}", hint, number) from None
    if not isinstance(value, dict):
        hint = 'Write one JSON object a line; an array of them is read by datasource "json".'
        raise FileProblem(f"not an object: {shortened(line)}", hint, number, 1)
    for name, item in value.items():
        if isinstance(item, Digits) and item.lstrip("-")[0].isdigit() and math.isinf(float(item)):
            message = f'"{name}" is a number beyond the range of floats: {shortened(line)}'
            raise FileProblem(message, "Write it as a string.", number)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for at, name in enumerate(names) if name in names[:at]))
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Digits, parse_float=Digits, parse_constant=Digits, strict=True
)
