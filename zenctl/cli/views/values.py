"""Writes values of the language as configuration would: parsing the text gives the value back where all of it shows."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from zenctl.cli.views.attributes import SENSITIVE, UNKNOWN
from zenctl.cli.views.style import PLAIN, Style, columns, pad
from zenctl.lang.numbers import number_text
from zenctl.lang.quoting import is_name, literal_template, quote
from zenctl.lang.types import ListType, MapType, SetType
from zenctl.lang.values import Sensitive, Value, is_sensitive, is_unknown, to_python
from zenctl.schema import Unknown

ONE_LINE = 72
"""A list or an object of at most so many columns stays on one line."""

_UNPRINTABLE = re.compile(r"[\x80-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""What would act on a terminal instead of being shown, besides what quoting escapes anyway."""

_HEREDOC = re.compile(r"(?:[^\x00-\x08\x0b-\x1f\x7f]*\n)+")
_MARKER = "EOT"
_WORDS = frozenset({"for", "null", "true", "false"})
"""Names that mean something else where an object's first key stands."""


def value_text(value: Value, style: Style = PLAIN) -> str:
    """The value, over several lines if it is large. Artifacts must have been laid open as objects."""
    if isinstance(value.raw, str) and not is_sensitive(value):
        heredoc = _heredoc(value.raw)
        if heredoc:
            return heredoc
    return _text(value, style, "")


def value_json(value: Value) -> str:
    """The value as JSON on one line; what is sensitive or not known is null."""
    return json.dumps(to_python(value), ensure_ascii=False, default=_null)


def _null(part: Any) -> None:
    if not isinstance(part, (Sensitive, Unknown)):
        raise TypeError(f"{type(part).__name__} is no plain data")


def _text(value: Value, style: Style, indent: str) -> str:
    if is_sensitive(value):
        return style.dim(SENSITIVE)
    if is_unknown(value):
        return style.dim(UNKNOWN)
    raw = value.raw
    if raw is None:
        return style.dim("null")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, Decimal):
        return number_text(raw)
    if isinstance(raw, str):
        return _quoted(raw)
    before, after = ("(", ")") if isinstance(value.type, (ListType, MapType, SetType)) else ("", "")
    name = {ListType: "tolist", MapType: "tomap", SetType: "toset"}.get(type(value.type), "")
    body = _items(raw, style, indent) if isinstance(raw, tuple) else _attributes(raw, style, indent)
    return f"{name}{before}{body}{after}"


def _items(raw: tuple[Value, ...], style: Style, indent: str) -> str:
    inner = [_text(item, style, indent + "  ") for item in raw]
    short = f"[{', '.join(inner)}]"
    if _fits(short, indent):
        return short
    return "\n".join(["[", *(f"{indent}  {item}," for item in inner), f"{indent}]"])


def _attributes(raw: dict[str, Value], style: Style, indent: str) -> str:
    if not raw:
        return "{}"
    names = {name: name if is_name(name) and name not in _WORDS else _quoted(name) for name in raw}
    inner = [(names[name], _text(raw[name], style, indent + "  ")) for name in sorted(raw)]
    short = f"{{ {', '.join(f'{name} = {item}' for name, item in inner)} }}"
    if _fits(short, indent):
        return short
    width = max(columns(name) for name, item in inner)
    return "\n".join(["{", *(f"{indent}  {pad(name, width)} = {item}" for name, item in inner), f"{indent}}}"])


def _fits(text: str, indent: str) -> bool:
    return "\n" not in text and len(indent) + columns(text) <= ONE_LINE


def _quoted(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", quote(text))


def _heredoc(text: str) -> str:
    """A text of whole lines as a heredoc, which is easier to read; empty for any other."""
    if text.count("\n") < 2 or not _HEREDOC.fullmatch(text) or _UNPRINTABLE.search(text):
        return ""
    if any(line.strip() == _MARKER for line in text.split("\n")):
        return ""
    return f"<<{_MARKER}\n{literal_template(text)}{_MARKER}"
