"""Draws attributes before and after, as configuration: what changed with `+ ~ -`, what did not only as a count."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from zenctl.addrs import NAME
from zenctl.cli.views.style import Style, columns, pad, plural, printable, short_digest
from zenctl.lazy_dataclasses import dataclass

UNKNOWN = "(known after apply)"
SENSITIVE = "(sensitive value)"

_ABSENT = object()
_ONE_LINE = 72


@dataclass(frozen=True, slots=True)
class Side:
    """A value and the marks of the same shape (`true` or a map) for what in it is unknown or sensitive."""

    value: Any
    unknown: Any = None
    sensitive: Any = None

    def child(self, key: str | int) -> Side:
        """The part under a key or index; absent parts have the value `_ABSENT` unless they are unknown."""
        in_map = isinstance(self.value, Mapping) and key in self.value
        in_list = isinstance(self.value, list) and isinstance(key, int) and key < len(self.value)
        return Side(
            self.value[key] if in_map or in_list else _ABSENT, _mark(self.unknown, key), _mark(self.sensitive, key)
        )

    @property
    def is_there(self) -> bool:
        return self.value is not _ABSENT or self.unknown is True

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, Mapping) and self.unknown is not True and self.sensitive is not True

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list) and self.unknown is not True and self.sensitive is not True

    @property
    def is_hidden(self) -> bool:
        return bool(self.unknown) or bool(self.sensitive)

    def keys(self) -> list[str]:
        return list(self.value) if isinstance(self.value, Mapping) else []


def _mark(marks: Any, key: str | int) -> Any:
    if marks is True:
        return True
    if isinstance(marks, Mapping):
        return marks.get(key)
    if isinstance(marks, list) and isinstance(key, int) and key < len(marks):
        return marks[key]
    return None


def text(side: Side) -> str:
    """A value on one line: JSON, digests shortened, hidden parts by their placeholder."""
    if side.unknown is True:
        return UNKNOWN
    if side.sensitive is True:
        return SENSITIVE
    value = side.value
    if isinstance(value, str):
        return json.dumps(short_digest(printable(value)), ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {text(side.child(key))}" for key in value)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(text(side.child(index)) for index in range(len(value))) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


class AttributeLines:
    """Lines for the body of a block; `indent` counts spaces before the symbol."""

    def __init__(self, style: Style) -> None:
        self._style = style

    def body(self, before: Side | None, after: Side | None, indent: int) -> list[str]:
        """Every attribute that differs, sorted by name, and how many do not."""
        old = before or Side({})
        new = after or Side({})
        return list(self._map(old, new, indent))

    def _map(self, old: Side, new: Side, indent: int) -> Iterator[str]:
        keys = sorted({*old.keys(), *new.keys()})
        rows = [(key, old.child(key), new.child(key)) for key in keys]
        shown = [row for row in rows if not _same(row[1], row[2])]
        width = max((columns(_key(key)) for key, b, a in shown if not _nested(b, a)), default=0)
        for key, was, now in shown:
            yield from self._entry(_key(key), was, now, indent, width)
        # A sensitive value is not in the document, so nothing is claimed about it: the reasons tell if it changed.
        hidden = [row for row in rows if _same(row[1], row[2]) and row[2].sensitive is not True]
        yield from self._hidden(len(hidden), "attribute", indent)

    def _list(self, old: Side, new: Side, indent: int) -> Iterator[str]:
        length = max(len(old.value), len(new.value))
        rows = [(index, old.child(index), new.child(index)) for index in range(length)]
        shown = [row for row in rows if not _same(row[1], row[2])]
        for index, was, now in shown:
            yield from self._entry(f"[{index}]", was, now, indent, 0)
        yield from self._hidden(len(rows) - len(shown), "element", indent)

    def _entry(self, name: str, was: Side, now: Side, indent: int, width: int) -> Iterator[str]:
        symbol = self.symbol("+" if not was.is_there else "-" if not now.is_there else "~")
        head = f"{' ' * indent}{symbol} {pad(name, width)}"
        if _nested(was, now):
            opened, closed = ("[", "]") if (was.is_list or now.is_list) else ("{", "}")
            yield f"{head} = {opened}"
            inner = self._list if opened == "[" else self._map
            empty: Any = [] if opened == "[" else {}
            yield from inner(was if was.is_there else Side(empty), now if now.is_there else Side(empty), indent + 4)
            yield f"{' ' * (indent + 2)}{closed}"
        elif not was.is_there:
            yield f"{head} = {self._value(now)}"
        elif not now.is_there:
            yield f"{head} = {self._value(was)}"
        else:
            yield f"{head} = {self._value(was)} {self._style.yellow('->')} {self._value(now)}"

    def _value(self, side: Side) -> str:
        shown = text(side)
        return self._style.dim(shown) if shown in (UNKNOWN, SENSITIVE, "null") else shown

    def _hidden(self, count: int, noun: str, indent: int) -> Iterator[str]:
        if count:
            yield f"{' ' * indent}  {self._style.dim('# (' + plural(count, 'unchanged ' + noun) + ' hidden)')}"

    def symbol(self, symbol: str) -> str:
        """A symbol in its colour."""
        draw = {"+": self._style.green, "-": self._style.red, "~": self._style.yellow}
        return draw[symbol](symbol)


def _nested(was: Side, now: Side) -> bool:
    sides = [side for side in (was, now) if side.is_there]
    if not sides:
        return False
    if all(side.is_map for side in sides):
        return any(side.value for side in sides)
    return all(side.is_list for side in sides) and any(len(text(side)) > _ONE_LINE for side in sides)


def _same(was: Side, now: Side) -> bool:
    if was.is_there != now.is_there or now.unknown or was.unknown:
        return False
    if was.sensitive or now.sensitive:
        # The values are not in the document: equal marks are all there is to compare.
        return bool(was.sensitive) == bool(now.sensitive) and was.value == now.value
    return bool(was.value == now.value)


def _key(key: str) -> str:
    return key if NAME.fullmatch(key) else json.dumps(key, ensure_ascii=False)
