"""Functions of strings."""

from __future__ import annotations

from decimal import Decimal

from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.functions.bounds import bounded_elements, bounded_text, whole
from zenctl.lang.functions.characters import reversed_characters, slice_characters
from zenctl.lang.functions.declaring import Group, number, text
from zenctl.lang.functions.formatting import format_values
from zenctl.lang.model import Value, list_value, string
from zenctl.lang.types import BOOL, STRING, ListType, SetType, TupleType

TEXTS = Group()


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
        letters.append(letter if inside else letter.title())
        inside = letter.isalnum() or letter == "_"
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
    return reversed_characters(value)


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
    bounded_text(len(value) + value.count("\n") * width, 0)
    return value.replace("\n", "\n" + " " * width)


@TEXTS.function(
    "split", "The parts of a text between separators.", text("separator"), text("string"), returns=ListType(STRING)
)
def _split(separator: str, value: str) -> Value:
    bounded_elements((value.count(separator) if separator else len(value)) + 1, 1)
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
    bounded_text(len(texts) * len(separator) + sum(map(len, texts)))
    return separator.join(texts)


@TEXTS.function(
    "substr", "Part of a text, from an offset on.", text("string"), number("offset"), number("length"), returns=STRING
)
def _substr(value: str, offset: Decimal, length: Decimal) -> str:
    return slice_characters(value, whole(offset, 1), whole(length, 2))


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
    listed = {at: value.raw for at, value in enumerate(values) if _is_list(value)}
    lengths = {len(items) for items in listed.values()}
    if len(lengths) > 1:
        raise FunctionProblem(f"The lists must have one length, not {' and '.join(map(str, sorted(lengths)))}.")
    texts: list[Value] = []
    total = 0
    for row in range(lengths.pop() if lengths else 1):
        texts.append(
            string(format_values(pattern, [listed[at][row] if at in listed else v for at, v in enumerate(values)]))
        )
        total += len(texts[-1].raw)
        bounded_text(total)
    return list_value(STRING, texts)


def _is_list(value: Value) -> bool:
    return isinstance(value.type, (ListType, SetType, TupleType)) and value.raw is not None
