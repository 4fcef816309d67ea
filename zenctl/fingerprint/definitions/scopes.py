"""Tells which names a function, class, lambda or comprehension binds itself, by Python's rules of scope."""

from __future__ import annotations

import ast
from collections.abc import Iterable

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMES = ("ExceptHandler", "MatchAs", "MatchMapping", "MatchStar")
_NAMING = tuple(getattr(ast, name) for name in _NAMES if hasattr(ast, name))
_LOAD = ast.Load()


class Scope:
    """One scope. `bound` are its own names, `imported` those of them that an import binds, `assigned` those that
    anything else binds, `shared` its `global` ones, `outer` its `nonlocal` ones.

    `parent` is the scope around it, None directly inside of the module.
    """

    __slots__ = ("assigned", "bound", "imported", "is_class", "outer", "parent", "shared")

    def __init__(self, parent: Scope | None, *, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.bound: set[str] = set()
        self.assigned: set[str] = set()
        self.imported: set[str] = set()
        self.shared: set[str] = set()
        self.outer: set[str] = set()

    def bind_arguments(self, arguments: ast.arguments) -> None:
        """Add a function's parameters."""
        self.assigned.update(name.lstrip("*") for name in parameters(arguments))
        self.bound = self.assigned | self.imported

    def bind(self, nodes: Iterable[ast.AST], *, walrus: bool = True) -> None:
        """Add all names that the nodes bind in this scope, those of inner scopes left out.

        Without `walrus` expressions are not looked into, as only `:=` binds there.
        """
        bound = self.assigned
        stack = list(nodes)
        while stack:
            node = stack.pop()
            kind = node.__class__
            if kind is ast.Name:
                if not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
                    bound.add(node.id)  # type: ignore[attr-defined]
            elif kind is ast.Constant:
                continue
            elif kind in _FUNCTIONS:
                bound.add(node.name)  # type: ignore[attr-defined]
                if walrus:
                    stack += [*node.decorator_list, *_defaults(node.args)]  # type: ignore[attr-defined]
            elif kind is ast.ClassDef:
                bound.add(node.name)  # type: ignore[attr-defined]
                if walrus:
                    stack += [*node.decorator_list, *node.bases, *node.keywords]  # type: ignore[attr-defined]
            elif kind is ast.Lambda:
                stack += _defaults(node.args)  # type: ignore[attr-defined]
            elif kind in COMPREHENSIONS:
                # Its own variables stay inside, but `:=` binds in the scope around it.
                stack += [n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr)]
            elif kind in (ast.Import, ast.ImportFrom):
                names = {a.asname or a.name.partition(".")[0] for a in node.names}  # type: ignore[attr-defined]
                self.imported |= names
            elif kind is ast.Global:
                self.shared.update(node.names)  # type: ignore[attr-defined]
            elif kind is ast.Nonlocal:
                self.outer.update(node.names)  # type: ignore[attr-defined]
            else:
                if isinstance(node, _NAMING):
                    # An exception handler, or a part of a pattern of `match`.
                    bound.update(filter(None, (getattr(node, "name", None), getattr(node, "rest", None))))
                for field in node._fields:
                    value = getattr(node, field, None)
                    for child in value if value.__class__ is list else (value,):
                        if isinstance(child, ast.AST) and (walrus or not _is_read(child)):
                            stack.append(child)
        self.bound = self.assigned | self.imported

    def find(self, name: str) -> Scope | None:
        """The scope whose name this is, seen from here; None for one of the module or a builtin."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.shared:
                return None
            if name in scope.bound and name not in scope.outer and (scope is self or not scope.is_class):
                return scope
            scope = scope.parent
        return None


def _is_read(node: ast.AST) -> bool:
    """Whether a node is an expression that is not assigned to."""
    return isinstance(node, ast.expr) and getattr(node, "ctx", _LOAD).__class__ is ast.Load


def parameters(arguments: ast.arguments) -> tuple[str, ...]:
    """A function's parameters as they are written: `a`, `*args` (or a mere `*`), `key`, `**kwargs`."""
    named = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
    named += [f"*{arguments.vararg.arg}" if arguments.vararg is not None else "*"]
    named += [arg.arg for arg in arguments.kwonlyargs]
    named += [f"**{arguments.kwarg.arg}"] if arguments.kwarg is not None else []
    return tuple(name for name in named if name != "*" or arguments.kwonlyargs)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]
