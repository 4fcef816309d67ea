"""Writes code as one canonical text: equal for equal code on every Python from 3.9, whatever its layout.

Comments, blank lines, quotes and line breaks are not in the tree. Left out besides: positions, `ctx`, type comments,
the `u` of a string, `pass`, strings that stand alone as a statement (docstrings, kept apart as `docs`), and what stands
under `if TYPE_CHECKING:`. Annotations that only a reader of annotations can see are kept apart as `hints`: those of
parameters and returns of functions that `keeps` does not name; of locals of such functions they are dropped.
`ast.dump` is not used because its text differs between versions of Python.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

from zenctl.lazy_dataclasses import dataclass

IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields without meaning at run time."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]

_FIELDS: dict[type[ast.AST], tuple[tuple[str, str], ...]] = {}
_OPEN: dict[type[ast.AST], str] = {}


@dataclass(frozen=True)
class Written:
    """`text` is the canonical text; `docs` are its docstrings and `hints` its unread annotations, with their places."""

    text: str
    docs: str
    hints: str


def canonical(tree: ast.Module) -> Written:
    """A whole module with all its annotations."""
    return Writer(type_checking_names(tree), lambda _: True).write([tree])


class Writer:
    """Writes the code of one module. The walk keeps its own stack: a chain of operators may be thousands deep."""

    def __init__(self, guards: frozenset[str], keeps: Callable[[Function], bool]) -> None:
        """`guards` are the spellings of `TYPE_CHECKING`; `keeps` names functions whose annotations count."""
        self._guards = guards
        self._keeps = keeps

    def write(self, nodes: Iterable[ast.AST], holes: Mapping[int, str] | None = None) -> Written:
        """Write the nodes one after another. `holes` maps `id(node)` to what is written in a node's place.

        A hole of "" leaves out the body of a function or class and writes the rest of it.
        """
        out: list[str] = []
        docs: list[str] = []
        hints: list[str] = []
        cut = holes or {}
        keep = True
        target = out
        stack: list[Any] = list(nodes)
        stack.reverse()
        while stack:
            item = stack.pop()
            kind = item.__class__
            if kind is str:
                target.append(item)
                continue
            if kind is ast.Name:
                # Half of all nodes are names and constants: they are written as any other node would be, only faster.
                target.append(f"(Name id=s{len(item.id)}:{item.id})")
                continue
            if kind is ast.Constant:
                target.append(f"(Constant value={_leaf(item.value)})")
                continue
            if item is _BACK:
                target = out
                continue
            if kind is bool:
                keep = item
                continue
            if kind is _Doc:
                docs.append(f"{len(out)}:{_leaf(item.text)}")
                continue
            skipped: tuple[str, ...] = ()
            if kind in _SPECIAL:
                hole = cut.get(id(item))
                if hole:
                    out.append(hole)
                    continue
                if kind is ast.AnnAssign:
                    if not keep:
                        item = _plain(item)
                        kind = item.__class__
                elif kind is ast.arg:
                    if not keep and item.annotation is not None:
                        hints.append(f"{len(out)}:")
                        out.append(f"(arg arg={_leaf(item.arg)})")
                        target = hints
                        stack += (_BACK, item.annotation)
                        continue
                else:
                    stack.append(keep)
                    keep = kind is ast.ClassDef or self._keeps(item)
                    skipped = ("body",) if hole == "" else ()
                    if not keep and item.returns is not None:
                        skipped += ("returns",)
                        stack += self._parts(item, kind, skipped)
                        hints.append(f"{len(out)}:")
                        target = hints
                        stack += (_BACK, item.returns)
                        continue
            stack += self._parts(item, kind, skipped)
        return Written("".join(out), "".join(docs), "".join(hints))

    def _parts(self, item: ast.AST, kind: type[ast.AST], skipped: tuple[str, ...]) -> list[Any]:
        """What a node is written as, last part first."""
        fields = _FIELDS.get(kind)
        if fields is None:
            fields = _learn(kind)
        parts: list[Any] = [_OPEN[kind]]
        for name, prefix in fields:
            value = getattr(item, name, None)
            if value is None or name in skipped:
                continue
            if value.__class__ is list:
                if value:
                    parts.append(prefix)
                    _list(value, item, self._guards, parts)
            elif isinstance(value, ast.AST):
                if not (name == "format_spec" and _is_empty(value)):
                    parts.append(prefix)
                    parts.append(value)
            else:
                parts.append(prefix + _leaf(value))
        parts.append(")")
        parts.reverse()
        return parts


_SPECIAL = frozenset({*FUNCTIONS, ast.ClassDef, ast.AnnAssign, ast.arg})


def _plain(node: ast.AnnAssign) -> ast.AST:
    """An annotated local without its annotation. One without a value still makes the name a local one."""
    if node.value is not None:
        return ast.Assign([node.target], node.value)
    if isinstance(node.target, ast.Name):
        return ast.Nonlocal([f"local {node.target.id}"])
    return ast.Expr(node.target)


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


_BACK = object()
"""Ends a stretch that is written among the hints."""


def _list(items: list[Any], parent: ast.AST, guards: frozenset[str], parts: list[Any]) -> None:
    if isinstance(items[0], ast.stmt):
        parts.append("[")
        parts.extend(_Doc(s.value.value) if is_doc(s) else s for s in statements(items, guards))  # type: ignore[attr-defined]
    elif isinstance(parent, ast.JoinedStr):
        parts.append("[")
        parts.extend(_joined(items))
    else:
        parts.append("[")
        for item in items:
            # None stands in lists for a missing default, and for the key of `**other` in a dict.
            parts.append(item if isinstance(item, ast.AST) else _leaf(item))
    parts.append("]")


def statements(body: Iterable[ast.stmt], guards: frozenset[str]) -> Iterable[ast.stmt]:
    """The statements that run, docstrings among them: `pass` and what only type checkers see are left out."""
    for statement in body:
        if isinstance(statement, ast.Pass):
            continue
        if isinstance(statement, ast.If) and _spelled(statement.test) in guards:
            yield from statements(statement.orelse, guards)
            continue
        yield statement


def is_doc(statement: ast.stmt) -> bool:
    """Whether a statement is a string that stands alone."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


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
