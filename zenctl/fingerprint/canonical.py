"""Writes a syntax tree as one canonical text: equal for equal code on every Python from 3.9, whatever its layout.

Comments, blank lines, quotes and line breaks are not in the tree. Left out besides: positions, `ctx`, type comments,
the `u` of a string, `pass`, strings that stand alone as a statement (docstrings, kept apart as `docs`), and what stands
under `if TYPE_CHECKING:`. `ast.dump` is not used because its text differs between versions of Python.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields without meaning at run time."""

COLLECTED = frozenset(
    {
        ast.Import,
        ast.ImportFrom,
        ast.Call,
        ast.Attribute,
        ast.Name,
        ast.Try,
        ast.ClassDef,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.arg,
    }
)
"""Nodes that tell what a file reaches; collected in the one walk over the tree."""

_FIELDS: dict[type[ast.AST], tuple[tuple[str, str], ...]] = {}
_OPEN: dict[type[ast.AST], str] = {}


@dataclass(frozen=True)
class Canonical:
    """`text` is the canonical text, `docs` its docstrings with their places, `nodes` what COLLECTED names."""

    text: str
    docs: str
    nodes: tuple[ast.AST, ...]


def canonical(tree: ast.Module) -> Canonical:
    """Write a module. The walk keeps its own stack: a long chain of operators may be nested thousands deep."""
    out: list[str] = []
    docs: list[str] = []
    nodes: list[ast.AST] = []
    guards = type_checking_names(tree)
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        kind = item.__class__
        if kind is str:
            out.append(item)
            continue
        if kind is _Doc:
            docs.append(f"{len(out)}:{_leaf(item.text)}")
            continue
        if kind in COLLECTED:
            nodes.append(item)
        if kind is ast.Name:
            # Half of all nodes are names and constants: they are written as any other node would be, only faster.
            out.append(f"(Name id=s{len(item.id)}:{item.id})")
            continue
        if kind is ast.Constant:
            out.append(f"(Constant value={_leaf(item.value)})")
            continue
        fields = _FIELDS.get(kind)
        if fields is None:
            fields = _learn(kind)
        out.append(_OPEN[kind])
        parts: list[Any] = []
        for name, prefix in fields:
            value = getattr(item, name, None)
            if value is None:
                continue
            if value.__class__ is list:
                if value:
                    parts.append(prefix)
                    _list(value, item, guards, parts)
            elif isinstance(value, ast.AST):
                if not (name == "format_spec" and _is_empty(value)):
                    parts.append(prefix)
                    parts.append(value)
            else:
                parts.append(prefix + _leaf(value))
        parts.append(")")
        parts.reverse()
        stack += parts
    return Canonical("".join(out), "".join(docs), tuple(nodes))


def type_checking_names(tree: ast.Module) -> frozenset[str]:
    """How a module spells `TYPE_CHECKING`: `TYPE_CHECKING`, `t.TYPE_CHECKING`, or an alias; names set to False too."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "typing_extensions"):
            found |= {a.asname or a.name for a in node.names if a.name == "TYPE_CHECKING"}
        elif isinstance(node, ast.Import):
            modules = [a for a in node.names if a.name in ("typing", "typing_extensions")]
            found |= {f"{a.asname or a.name}.TYPE_CHECKING" for a in modules}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is False:
            found |= {t.id for t in node.targets if isinstance(t, ast.Name) and t.id == "TYPE_CHECKING"}
    return frozenset(found)


def _learn(kind: type[ast.AST]) -> tuple[tuple[str, str], ...]:
    fields = tuple((name, f" {name}=") for name in kind._fields if name not in IGNORED)
    _FIELDS[kind] = fields
    _OPEN[kind] = f"({kind.__name__}"
    return fields


@dataclass(frozen=True)
class _Doc:
    text: str


def _list(items: list[Any], parent: ast.AST, guards: frozenset[str], parts: list[Any]) -> None:
    if isinstance(items[0], ast.stmt):
        parts.append("[")
        parts.extend(_statements(items, guards))
    elif isinstance(parent, ast.JoinedStr):
        parts.append("[")
        parts.extend(_joined(items))
    else:
        parts.append("[")
        for item in items:
            # None stands in lists for a missing default, and for the key of `**other` in a dict.
            parts.append(item if isinstance(item, ast.AST) else _leaf(item))
    parts.append("]")


def _statements(body: Iterable[ast.stmt], guards: frozenset[str]) -> Iterable[Any]:
    for statement in body:
        if isinstance(statement, ast.Pass):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            if isinstance(statement.value.value, str):
                yield _Doc(statement.value.value)
                continue
        elif isinstance(statement, ast.If) and _spelled(statement.test) in guards:
            yield from _statements(statement.orelse, guards)
            continue
        yield statement


def _spelled(test: ast.expr) -> str | None:
    if isinstance(test, ast.Name):
        return test.id
    if isinstance(test, ast.Attribute) and isinstance(test.value, ast.Name):
        return f"{test.value.id}.{test.attr}"
    return None


def _joined(values: Iterable[ast.expr]) -> Iterable[Any]:
    """The parts of an f-string; the versions of Python cut its plain text into different pieces."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            text += value.value
            continue
        if text:
            yield _leaf(text)
            text = ""
        yield value
    if text:
        yield _leaf(text)


def _is_empty(spec: ast.AST) -> bool:
    return isinstance(spec, ast.JoinedStr) and not list(_joined(spec.values))


def _leaf(value: object) -> str:
    """A constant with its type and, where its text has no end of its own, its length."""
    if isinstance(value, str):
        return f"s{len(value)}:{value}"
    if isinstance(value, bool) or value is None or value is ...:
        return f"<{value!r}>"
    if isinstance(value, int):
        # Hexadecimal, because decimal text of a huge number is refused.
        return f"<i{value:x}>"
    if isinstance(value, bytes):
        return f"<b{value.hex()}>"
    return f"<{type(value).__name__}{value!r}>"
