"""Tells what the names of a module stand for: functions, classes, literals, variables, and what is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from zenctl.fingerprint.canonical import FUNCTIONS, statements
from zenctl.fingerprint.definitions.facts import Binding, Import
from zenctl.fingerprint.definitions.literals import is_literal
from zenctl.fingerprint.definitions.scopes import Scope

_BODIES = ("body", "orelse", "finalbody")


def bindings_of(
    tree: ast.Module, guards: frozenset[str], shared: frozenset[str]
) -> tuple[dict[str, tuple[Binding, ...]], tuple[Import, ...]]:
    """What each name of a module can stand for, and the imports of `*`; `shared` are names that functions assign."""
    found: dict[str, list[Binding]] = {}
    stars: list[Import] = []
    for statement in _run_on_import(tree.body, guards):
        if isinstance(statement, FUNCTIONS):
            found.setdefault(statement.name, []).append(Binding("function", statement.name))
        elif isinstance(statement, ast.ClassDef):
            found.setdefault(statement.name, []).append(Binding("class", statement.name))
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                name = alias.asname or alias.name.partition(".")[0]
                module = alias.name if alias.asname else name
                found.setdefault(name, []).append(Binding("import", "", module))
        elif isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            for alias in statement.names:
                if alias.name == "*":
                    stars.append(Import(module, ("*",), statement.level, statement.lineno))
                else:
                    binding = Binding("import", alias.name, module, statement.level)
                    found.setdefault(alias.asname or alias.name, []).append(binding)
        else:
            kind = "constant" if is_literal(getattr(statement, "value", None) or ast.Name("")) else "variable"
            for name in _bound(statement):
                found.setdefault(name, []).append(Binding(kind, name))
    for name in shared:
        found.setdefault(name, []).append(Binding("variable", name))
    return {name: tuple(dict.fromkeys(bindings)) for name, bindings in found.items()}, tuple(stars)


def shared_names(tree: ast.Module) -> frozenset[str]:
    """The names that some function declares `global`."""
    return frozenset(name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)


def exports_of(tree: ast.Module) -> tuple[str, ...] | None:
    """What `__all__` lists: () if there is none, None if it is not written out."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "__all__" and isinstance(node.ctx, ast.Load):
            return None
    for statement in _run_on_import(tree.body, frozenset()):
        if "__all__" not in _bound(statement) or isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        value = getattr(statement, "value", None)
        if not isinstance(value, (ast.List, ast.Tuple)):
            return None
        for item in value.elts:
            if not (isinstance(item, ast.Constant) and isinstance(item.value, str)):
                return None
            found.append(item.value)
    return tuple(found)


def renamed_of(tree: ast.Module, names: frozenset[str]) -> Mapping[str, str]:
    """Other names under which a file imports some, anywhere in it: {"load": "import_module"}."""
    return {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname and alias.name in names
    }


def _run_on_import(body: Iterable[ast.stmt], guards: frozenset[str]) -> Iterator[ast.stmt]:
    """Every statement that runs when the module is imported, those inside of others too, classes left out."""
    for statement in statements(body, guards):
        yield statement
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            continue
        for name in _BODIES:
            yield from _run_on_import(getattr(statement, name, []), guards)
        for name in ("handlers", "cases"):
            for part in getattr(statement, name, []):
                yield from _run_on_import(part.body, guards)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds itself, without those of statements inside of it."""
    scope = Scope(None)
    if not any(getattr(statement, name, None) for name in (*_BODIES, "handlers", "cases")):
        scope.bind([statement])
        return scope.bound
    for field, value in ast.iter_fields(statement):
        if field in _BODIES:
            continue
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, ast.ExceptHandler):
                scope.bind([ast.Name(part.name, ast.Store())] if part.name else [])
            elif hasattr(part, "pattern"):
                scope.bind([part.pattern])
            elif isinstance(part, ast.AST):
                scope.bind([part])
    return scope.bound
