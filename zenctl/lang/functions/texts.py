"""Functions of strings."""

from __future__ import annotations

import importlib
from decimal import Decimal
from typing import Any

from zenctl.lang.calls import MAX_ELEMENTS, FunctionProblem, Parameter, limited
from zenctl.lang.functions.formatting import format_values
from zenctl.lang.functions.library import Library, number, text
from zenctl.lang.model import Value, list_value, object_value, string, tuple_value
from zenctl.lang.numbers import is_whole
from zenctl.lang.types import ANY, BOOL, STRING, ListType, SetType, TupleType

TEXTS = Library()
MATCH_SECONDS = 0.5
"""How long a regular expression may search: some take time exponential in the length of the text."""


@TEXTS.function("upper", "The text in upper case.", text("string"), returns=STRING)
def _upper(value: str) -> str:
    return value.upper()


@TEXTS.function("lower", "The text in lower case.", text("string"), returns=STRING)
def _lower(value: str) -> str:
    return value.lower()


@TEXTS.function("title", "The text with the first letter of each word in upper case.", text("string"), returns=STRING)
def _title(value: str) -> str:
    letters: list[str] = []
    inside = False
    for letter in value:
        letters.append(letter if inside else letter.upper())
        inside = letter.isalnum() or letter in "_'"
    return "".join(letters)


@TEXTS.function(
    "trim", "The text without certain characters at its ends.", text("string"), text("characters"), returns=STRING
)
def _trim(value: str, characters: str) -> str:
    return value.strip(characters) if characters else value


@TEXTS.function("trimspace", "The text without spaces and line breaks at its ends.", text("string"), returns=STRING)
def _trimspace(value: str) -> str:
    return value.strip()


@TEXTS.function(
    "trimprefix", "The text without a beginning, if it has it.", text("string"), text("prefix"), returns=STRING
)
def _trimprefix(value: str, prefix: str) -> str:
    return value.removeprefix(prefix)


@TEXTS.function(
    "trimsuffix", "The text without an ending, if it has it.", text("string"), text("suffix"), returns=STRING
)
def _trimsuffix(value: str, suffix: str) -> str:
    return value.removesuffix(suffix)


@TEXTS.function("chomp", "The text without line breaks at its end.", text("string"), returns=STRING)
def _chomp(value: str) -> str:
    return value.rstrip("\r\n")


@TEXTS.function("strrev", "The text backwards.", text("string"), returns=STRING)
def _strrev(value: str) -> str:
    return value[::-1]


@TEXTS.function("startswith", "Whether a text begins with another.", text("string"), text("prefix"), returns=BOOL)
def _startswith(value: str, prefix: str) -> bool:
    return value.startswith(prefix)


@TEXTS.function("endswith", "Whether a text ends with another.", text("string"), text("suffix"), returns=BOOL)
def _endswith(value: str, suffix: str) -> bool:
    return value.endswith(suffix)


@TEXTS.function("strcontains", "Whether a text contains another.", text("string"), text("part"), returns=BOOL)
def _strcontains(value: str, part: str) -> bool:
    return part in value


@TEXTS.function(
    "indent", "The text with spaces before each line but the first.", number("spaces"), text("string"), returns=STRING
)
def _indent(spaces: Decimal, value: str) -> str:
    width = whole(spaces, 0, least=0)
    if value.count("\n") * width > MAX_ELEMENTS:
        raise FunctionProblem("The text would be too long.", 0)
    return value.replace("\n", "\n" + " " * width)


@TEXTS.function(
    "split", "The parts of a text between separators.", text("separator"), text("string"), returns=ListType(STRING)
)
def _split(separator: str, value: str) -> Value:
    parts = value.split(separator) if separator else list(value)
    return list_value(STRING, map(string, parts))


@TEXTS.function(
    "join",
    "The texts of lists, with a separator between them.",
    text("separator"),
    Parameter("list", ListType(STRING)),
    rest=Parameter("lists", ListType(STRING)),
    returns=STRING,
)
def _join(separator: str, *lists: Value) -> str:
    texts: list[str] = []
    for at, items in enumerate(lists):
        for item in items.raw:
            if item.raw is None:
                raise FunctionProblem("An element is null.", at + 1)
            texts.append(item.raw)
    if len(texts) * len(separator) + sum(map(len, texts)) > MAX_ELEMENTS * 16:
        raise FunctionProblem("The text would be too long.")
    return separator.join(texts)


@TEXTS.function(
    "substr", "Part of a text, from an offset on.", text("string"), number("offset"), number("length"), returns=STRING
)
def _substr(value: str, offset: Decimal, length: Decimal) -> str:
    start = whole(offset, 1)
    count = whole(length, 2, least=-1)
    if start < 0:
        start = max(0, len(value) + start)
    return value[start:] if count < 0 else value[start : start + count]


def whole(value: Decimal, argument: int, *, least: int | None = None) -> int:
    """A whole number of a size that can index something. Raises FunctionProblem."""
    if not is_whole(value) or abs(value) > 2**53:
        raise FunctionProblem("A whole number is required.", argument)
    if least is not None and value < least:
        raise FunctionProblem(f"The number must be at least {least}.", argument)
    return int(value)


@TEXTS.function(
    "format",
    "A text with values put in for %s, %d and the like.",
    text("format"),
    rest=Parameter("values", null=True),
    returns=STRING,
)
def _format(pattern: str, *values: Value) -> str:
    return format_values(pattern, values)


@TEXTS.function(
    "formatlist",
    "The texts that format makes of the elements of lists, side by side.",
    text("format"),
    rest=Parameter("values", null=True),
    returns=ListType(STRING),
)
def _formatlist(pattern: str, *values: Value) -> Value:
    lists = [
        value for value in values if isinstance(value.type, (ListType, SetType, TupleType)) and value.raw is not None
    ]
    lengths = {len(value.raw) for value in lists}
    if len(lengths) > 1:
        raise FunctionProblem(f"The lists must have one length, not {' and '.join(map(str, sorted(lengths)))}.")
    texts: list[Value] = []
    total = 0
    for at in range(lengths.pop() if lengths else 1):
        texts.append(string(format_values(pattern, [v.raw[at] if any(v is x for x in lists) else v for v in values])))
        total += len(texts[-1].raw)
        limited_total(total)
    return list_value(STRING, texts)


def limited_total(total: int) -> None:
    """Refuse to make more text than an expression may. Raises FunctionProblem."""
    if total > MAX_ELEMENTS * 16:
        raise FunctionProblem("The texts would be too long.")


def compile_pattern(pattern: str, argument: int) -> Any:
    """A compiled regular expression. Raises FunctionProblem."""
    # Unlike `re`, it can stop a search that takes too long. Few configurations need it, so it is loaded by them only.
    regex: Any = importlib.import_module("regex")
    if len(pattern) > 10_000 or regex.search(r"\{\s*\d{4,}|,\s*\d{4,}\s*\}", pattern):
        raise FunctionProblem("The pattern is too long, or repeats something more than 999 times.", argument)
    try:
        return regex.compile(pattern)
    except regex.error as problem:
        raise FunctionProblem(f"The pattern is no regular expression: {problem}.", argument) from None


def _matched(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments, timeout=MATCH_SECONDS)
    except TimeoutError:
        raise FunctionProblem(
            "The search takes too long. Nested repetitions such as (a+)+ are the usual cause.", 0
        ) from None


def _groups(found: Any) -> Value:
    """What a match gives: the whole text, or the groups as a list, or as an object if they have names."""
    if found.re.groupindex:
        return object_value({name: _group(found[name]) for name in found.re.groupindex})
    if found.re.groups:
        return tuple_value(_group(group) for group in found.groups())
    return string(found[0])


def _group(matched: str | None) -> Value:
    return Value(STRING, None) if matched is None else string(matched)


@TEXTS.function(
    "regex",
    "What a regular expression matches first: a text, or its groups.",
    text("pattern"),
    text("string"),
    returns=ANY,
)
def _regex(pattern: str, value: str) -> Value:
    compiled = compile_pattern(pattern, 0)
    found = _matched(compiled.search, value)
    if found is None:
        raise FunctionProblem("The pattern does not match the text.", 1)
    return _groups(found)


@TEXTS.function(
    "regexall", "Everything that a regular expression matches.", text("pattern"), text("string"), returns=ANY
)
def _regexall(pattern: str, value: str) -> Value:
    compiled = compile_pattern(pattern, 0)
    found = _matched(lambda text, timeout: list(compiled.finditer(text, timeout=timeout)), value)
    items = [_groups(match) for match in found]
    element = items[0].type if items else STRING
    return list_value(element, items) if all(item.type == element for item in items) else tuple_value(items)


@TEXTS.function(
    "replace",
    "The text with a part put in place of another; /.../ is a regular expression.",
    text("string"),
    text("substring"),
    text("replacement"),
    returns=STRING,
)
def _replace(value: str, part: str, replacement: str) -> str:
    if len(part) > 1 and part.startswith("/") and part.endswith("/"):
        compiled = compile_pattern(part[1:-1], 1)
        expand = _expander(replacement)
        return limited(str(_matched(compiled.sub, expand, value)))
    count = value.count(part)
    limited_total(len(value) + count * len(replacement))
    return value.replace(part, replacement)


def _expander(replacement: str) -> Any:
    """`$1`, `$name` and `${name}` stand for groups, `$$` for a dollar sign."""
    regex: Any = importlib.import_module("regex")
    piece = regex.compile(r"\$(?:\$|(?P<name>\w+)|\{(?P<braced>\w+)\})")

    def expand(match: Any) -> str:
        def one(found: Any) -> str:
            name = found["name"] or found["braced"]
            if name is None:
                return "$"
            key: Any = int(name) if name.isdigit() else name
            try:
                return match[key] or ""
            except IndexError:
                return ""

        return str(piece.sub(one, replacement))

    return expand
