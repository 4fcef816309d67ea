"""Tells what decorators do with what they decorate, by the file's own imports, without importing anything."""

from __future__ import annotations

import ast

from zenctl.fingerprint.canonical import Function
from zenctl.fingerprint.definitions.facts import Chain
from zenctl.fingerprint.definitions.scopes import Scope
from zenctl.fingerprint.definitions.watched import CLASS, PROPERTIES, QUIET, STATIC

_ACCESSORS = frozenset({"deleter", "getter", "setter"})


class Decorators:
    """The decorators of one file."""

    def __init__(self, tree: ast.Module) -> None:
        scope = Scope(None)
        scope.bind(tree.body)
        self._bound = scope.bound
        self._origins: dict[str, str] = {}
        for node in tree.body:
            if isinstance(node, ast.Import):
                self._origins.update({a.asname or a.name: a.name for a in node.names if a.asname or "." not in a.name})
            elif isinstance(node, ast.ImportFrom) and not node.level:
                module = "typing" if node.module == "typing_extensions" else node.module
                self._origins.update({a.asname or a.name: f"{module}.{a.name}" for a in node.names})

    def are_quiet(self, node: Function) -> bool:
        """Whether no decorator of a function has an effect besides making it a method of another kind."""
        return all(self._is_quiet(decorator) for decorator in node.decorator_list)

    def count(self, node: Function) -> bool:
        """Whether a decorator could read the annotations of a function."""
        return not self.are_quiet(node)

    def kind(self, node: Function, *, in_class: bool) -> str:
        """What a function is: see FunctionFacts."""
        names = {self._full_name(decorator) for decorator in node.decorator_list}
        if STATIC in names:
            return "static"
        if CLASS in names or (in_class and node.name in ("__new__", "__init_subclass__", "__class_getitem__")):
            return "class"
        if names & PROPERTIES or any(_is_accessor(decorator) for decorator in node.decorator_list):
            return "property"
        return "method" if in_class else "function"

    def holders(self, node: Function | ast.ClassDef) -> tuple[Chain, ...]:
        """The decorators that get hold of what they decorate; () for one that is computed."""
        return tuple(
            self.chain(decorator.func if isinstance(decorator, ast.Call) else decorator)
            for decorator in node.decorator_list
            if not self._is_quiet(decorator)
        )

    def chain(self, node: ast.AST) -> Chain:
        """The dotted name that a node is, () if it is none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()

    def _is_quiet(self, decorator: ast.expr) -> bool:
        return _is_accessor(decorator) or self._full_name(decorator) in QUIET

    def _full_name(self, decorator: ast.expr) -> str:
        chain = self.chain(decorator)
        if not chain:
            return ""
        root = self._origins.get(chain[0]) or (chain[0] if chain[0] in self._bound else f"builtins.{chain[0]}")
        return ".".join((root, *chain[1:]))


def _is_accessor(decorator: ast.expr) -> bool:
    """`@size.setter`"""
    return (
        isinstance(decorator, ast.Attribute) and decorator.attr in _ACCESSORS and isinstance(decorator.value, ast.Name)
    )
