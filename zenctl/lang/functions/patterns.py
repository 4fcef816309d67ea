"""Functions that search texts by regular expressions, in RE2's syntax: no pattern takes exponential time."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from zenctl.lang.calls import FunctionProblem
from zenctl.lang.functions.bounds import bounded_elements, bounded_text
from zenctl.lang.functions.declaring import Group, text
from zenctl.lang.model import UNKNOWN, Value, list_value, object_value, string, tuple_value
from zenctl.lang.types import ANY, STRING, ListType, ObjectType, TupleType, Type

PATTERNS = Group()

MAX_PATTERN = 10_000
"""How many characters a pattern may have."""

MAX_PROGRAM = 2_000_000
"""How large a compiled pattern may be, times its groups: RE2 takes some bytes for each."""

MAX_STEPS = 400_000_000
"""How large a compiled pattern may be, times the length of the text: RE2 searches about 100 million a second."""

MAX_SECONDS = 2.0
"""How much CPU time all matches of one call may take together: there may be as many as there are characters."""

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    re2: Any = importlib.import_module("re2")  # few configurations need it
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _compile(pattern: str, argument: int) -> Any:
    if len(pattern) > MAX_PATTERN:
        raise FunctionProblem(f"The pattern is longer than {MAX_PATTERN} characters.", argument)
    re2: Any = importlib.import_module("re2")
    try:
        compiled = _compiled(pattern)
    except re2.error as problem:
        hidden = "The pattern is no regular expression."
        raise FunctionProblem(f"{hidden[:-1]}: {_reason(problem)}.", argument, hidden=hidden) from None
    if re.search(r"(?<!\\)(?:\\\\)*\\C", pattern):
        raise FunctionProblem(r"The pattern has \C in it, a single byte: texts are made of characters.", argument)
    if compiled.programsize * (compiled.groups + 1) > MAX_PROGRAM:
        raise FunctionProblem("The pattern is too large, or has too many groups.", argument)
    return compiled


def _reason(problem: Exception) -> str:
    """RE2's message; what people know from other kinds of regular expressions is explained."""
    told = problem.args[0] if problem.args else b""
    message: str = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    if "invalid perl operator" in message or re.search(r"invalid escape sequence: \\[1-9]", message):
        message += " (look-around and references back to a group do not exist here)"
    elif "invalid repetition size" in message:
        message += " (at most 1000, nested repetitions multiplied)"
    elif message.endswith("\\Z"):
        message += r" (the end of the text is \z)"
    return message


def _searchable(compiled: Any, value: str, argument: int) -> str:
    if compiled.programsize * len(value) > MAX_STEPS:
        raise FunctionProblem("The text is too long for a pattern of this size.", argument)
    return value


def _matches(compiled: Any, value: str, argument: int) -> Iterator[Any]:
    """All matches from left to right; an empty one right behind another does not count."""
    start = time.process_time()
    end = -1
    for found in compiled.finditer(_searchable(compiled, value, argument)):
        if time.process_time() - start > MAX_SECONDS:
            raise FunctionProblem("The pattern has so many matches that they take too long.", argument)
        if found.start() == found.end() == end:
            continue
        end = found.end()
        yield found


def _groups(compiled: Any, found: Any) -> Value:
    """What a match gives: the whole text, or the groups as a list, or as an object if they have names."""
    if compiled.groupindex:
        return object_value({name: _group(found[name]) for name in compiled.groupindex})
    if compiled.groups:
        return tuple_value(_group(group) for group in found.groups())
    return string(found[0])


def _group(matched: str | None) -> Value:
    return Value(STRING, None) if matched is None else string(matched)


def _match_type(pattern: Value) -> Type:
    """The type of a match, which the pattern alone decides."""
    if pattern.raw is UNKNOWN:
        return ANY
    compiled = _compile(pattern.raw, 0)
    if compiled.groupindex:
        if len(compiled.groupindex) != compiled.groups:
            raise FunctionProblem("Either all groups have names, or none; (?:...) groups without taking.", 0)
        return ObjectType(dict.fromkeys(compiled.groupindex, STRING))
    return TupleType((STRING,) * compiled.groups) if compiled.groups else STRING


@PATTERNS.function(
    "regex",
    "What a regular expression matches first: a text, or its groups.",
    text("pattern"),
    text("string"),
    returns=lambda arguments: _match_type(arguments[0]),
)
def _regex(pattern: str, value: str) -> Value:
    compiled = _compile(pattern, 0)
    _match_type(string(pattern))
    found = compiled.search(_searchable(compiled, value, 1))
    if found is None:
        raise FunctionProblem("The pattern does not match the text.", 1)
    return _groups(compiled, found)


def _all_type(arguments: Sequence[Value]) -> Type:
    return ListType(_match_type(arguments[0]))


@PATTERNS.function(
    "regexall",
    "Everything that a regular expression matches, as a list.",
    text("pattern"),
    text("string"),
    returns=_all_type,
)
def _regexall(pattern: str, value: str) -> Value:
    compiled = _compile(pattern, 0)
    element = _match_type(string(pattern))
    items: list[Value] = []
    for found in _matches(compiled, value, 1):
        bounded_elements(len(items) + 1, 1)
        items.append(_groups(compiled, found))
    return list_value(element, items)


@PATTERNS.function(
    "replace",
    "The text with a part put in place of another; /.../ is a regular expression.",
    text("string"),
    text("substring"),
    text("replacement"),
    returns=STRING,
)
def _replace(value: str, part: str, replacement: str) -> str:
    if len(part) > 1 and part.startswith("/") and part.endswith("/"):
        return _replace_pattern(value, _compile(part[1:-1], 1), replacement)
    bounded_text(len(value) + value.count(part) * (len(replacement) - len(part)))
    return value.replace(part, replacement)


def _replace_pattern(value: str, compiled: Any, replacement: str) -> str:
    pieces: list[str] = []
    end = total = 0
    for found in _matches(compiled, value, 0):
        bounded_text(len(replacement) + replacement.count("$") * len(found[0]))
        new = _REFERENCE.sub(lambda reference: _referred(reference, found), replacement)  # noqa: B023
        pieces += [value[end : found.start()], new]
        total += len(pieces[-2]) + len(new)
        bounded_text(total)
        end = found.end()
    return "".join([*pieces, value[end:]])


def _referred(reference: re.Match[str], found: Any) -> str:
    """`$1`, `$name` and `${name}` stand for groups, `$$` for a dollar sign."""
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    try:
        return found[int(name) if name.isdigit() else name] or ""
    except (IndexError, ValueError):
        return ""
