"""Reads statements: what a stretch of code imports, binds, assigns and returns, and so all that it uses."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from zenctl.fingerprint.canonical import Function, statements
from zenctl.fingerprint.definitions.atoms import (
    ENTERED,
    ITERATED,
    OTHER,
    OUTSIDE,
    RETURNED,
    Atoms,
    holding,
    inside,
    kind_of,
)
from zenctl.fingerprint.definitions.calls import Calls
from zenctl.fingerprint.definitions.facts import Binding, Import, Uses
from zenctl.fingerprint.definitions.scopes import Scope, parameters
from zenctl.fingerprint.definitions.watched import DOC_READERS, HINT_READERS, PLACE_READERS, SOURCE_READERS

_ABSTRACT = frozenset({"abstractclassmethod", "abstractmethod", "abstractproperty", "abstractstaticmethod"})
_CATCHING = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")


class Reader(Calls):
    """Reads one stretch of code: a function's body, or what importing a module runs.

    `keeps` names the functions whose annotations count; `guards` are the spellings of `TYPE_CHECKING`, `renamed` other
    names of what is looked into. `walrus` says that `:=` may occur.
    """

    STATEMENTS: ClassVar[Mapping[type[ast.AST], Callable[[Any, Any], None]]] = {}

    def __init__(
        self,
        keeps: Callable[[Function], bool],
        guards: frozenset[str],
        renamed: Mapping[str, str],
        *,
        walrus: bool = True,
    ) -> None:
        super().__init__(renamed)
        self.walrus = walrus
        self._keeps = keeps
        self._guards = guards
        self._guarded = 0
        self._imports: list[Import] = []

    def function(self, node: Function, *, method: bool) -> Uses:
        """What the body of a function uses. `method` says that its first parameter is the object or class."""
        scope = Scope(None)
        scope.bind_arguments(node.args)
        scope.bind(node.body, walrus=self.walrus)
        self.scope = self.root = scope
        self.returns = (RETURNED,)
        positional = [*node.args.posonlyargs, *node.args.args]
        self.own = positional[0].arg if method and positional else ""
        self.body(node.body)
        return self.result()

    def module(self, body: Iterable[ast.stmt]) -> Uses:
        """What running statements at the top level of a module uses."""
        self.body(body)
        return self.result()

    def main(self, body: Iterable[ast.stmt]) -> Uses:
        """What the block for `python file.py` uses. Its names are the module's; functions inside of it are read too."""
        self.scope = self.root = Scope(None)
        self.body(body)
        return self.result()

    def result(self) -> Uses:
        """All that was read."""
        tops = {item.module.partition(".")[0] for item in self._imports if not item.level}
        readers = (("docs", DOC_READERS), ("hints", HINT_READERS), ("source", SOURCE_READERS), ("place", PLACE_READERS))
        self.marks.update(mark for mark, modules in readers if tops & modules)
        return Uses(
            chains=self.chains,
            attributes=self.attributes,
            stores=self.stores,
            words=tuple(sorted(self.words)),
            imports=tuple(self._imports),
            bindings={name: tuple(found) for name, found in self.bindings.items()},
            calls=tuple(self.calls),
            marks=frozenset(self.marks),
            literals=tuple(self.literals),
            flows=tuple(self.flows),
        )

    def body(self, body: Iterable[ast.stmt]) -> None:
        """Read statements one after another."""
        pending = list(statements(body, self._guards))
        pending.reverse()
        while pending:
            statement = pending.pop()
            if isinstance(statement, ast.If):
                # A chain of `elif` is nested as deep as it is long.
                self.expression(statement.test)
                self.body(statement.body)
                pending += reversed(list(statements(statement.orelse, self._guards)))
                continue
            self.STATEMENTS.get(statement.__class__, Reader._other)(self, statement)

    def _other(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child)
            elif isinstance(child, ast.stmt):
                self.body([child])

    def _expr(self, node: ast.Expr) -> None:
        self.expression(node.value)

    def _assign(self, node: ast.Assign) -> None:
        atoms = self.expression(node.value)
        kind = kind_of(node.value)
        if self.scope is not None and self.scope.is_class:
            self._match_args(node)
        for target in node.targets:
            self.assign(target, atoms, kind)

    def _match_args(self, node: ast.Assign) -> None:
        """A pattern with positions reads the attributes that a class lists as a text."""
        if any(isinstance(target, ast.Name) and target.id == "__match_args__" for target in node.targets):
            texts = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            for text in texts:
                if isinstance(text, str):
                    self.attributes.setdefault(text, node.lineno)

    def _aug_assign(self, node: ast.AugAssign) -> None:
        self.assign(node.target, (*holding(inside(self.expression(node.value))), "d:"))

    def _ann_assign(self, node: ast.AnnAssign) -> None:
        if self.scope is None or self.scope.is_class:
            self.annotation(node.annotation)
        if node.value is not None:
            self.assign(node.target, self.expression(node.value), kind_of(node.value))
        elif not isinstance(node.target, ast.Name):
            self.expression(node.target)

    def _for(self, node: ast.For) -> None:
        atoms = self.expression(node.iter)
        self.assign(node.target, (*inside(atoms), *ITERATED))
        self.body(node.body)
        self.body(node.orelse)

    def _while(self, node: ast.While) -> None:
        self.expression(node.test)
        self.body(node.body)
        self.body(node.orelse)

    def _with(self, node: ast.With) -> None:
        for item in node.items:
            atoms = self.expression(item.context_expr)
            if item.optional_vars is not None:
                # A generator with `contextmanager` gives what it yields.
                self.assign(item.optional_vars, (*atoms, *inside(atoms), *ENTERED))
        self.body(node.body)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.give(self.expression(node.value))

    def _raise(self, node: ast.Raise) -> None:
        for part in (node.exc, node.cause):
            if part is not None:
                self.expression(part)

    def _try(self, node: ast.Try) -> None:
        catches = any(_catches(handler.type) for handler in node.handlers)
        self._guarded += catches
        self.body(node.body)
        self._guarded -= catches
        for handler in node.handlers:
            atoms: Atoms = self.expression(handler.type) if handler.type is not None else ()
            if handler.name:
                self.assign(ast.Name(handler.name, ast.Store()), atoms)
            self.body(handler.body)
        self.body(node.orelse)
        self.body(node.finalbody)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.assign(target, ())
            if isinstance(target, ast.Name):
                # It must be there.
                self.expression(target)

    def _match(self, node: ast.AST) -> None:
        atoms = self.expression(node.subject)  # type: ignore[attr-defined]
        for case in node.cases:  # type: ignore[attr-defined]
            self.pattern(case.pattern, atoms)
            if case.guard is not None:
                self.expression(case.guard)
            self.body(case.body)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imports.append(Import(alias.name, (), 0, node.lineno, self._guarded > 0))
            for part in alias.name.split("."):
                self.mark(part)
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            self._bind(alias.asname or module, Binding("import", "", module))

    def _import_from(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        module = node.module or ""
        self._imports.append(Import(module, names, node.level, node.lineno, self._guarded > 0))
        for alias in node.names:
            self.mark(alias.name)
            self._bind(alias.asname or alias.name, Binding("import", alias.name, module, node.level))

    def _bind(self, name: str, binding: Binding) -> None:
        """An import inside of a function, or of a class."""
        if self.scope is not None:
            self.bindings.setdefault(name, []).append(binding)
            if self.scope.is_class:
                # It is found as an attribute of the class.
                self.chains.setdefault((name,), 0)

    def _function_def(self, node: Function) -> None:
        """Its head is run here. Its body is read here only inside of another function."""
        self._decorate(node)
        if any(_last_name(decorator) in _ABSTRACT for decorator in node.decorator_list):
            # No object can be made without it.
            self.attributes.setdefault(node.name, node.lineno)
        defaults: Atoms = ()
        for default in (*node.args.defaults, *node.args.kw_defaults):
            defaults += self.expression(default) if default is not None else ()
        if self._keeps(node):
            self._annotations(node)
        if self.root is None:
            self.flow(defaults, f"p:{node.name}|*" if self.scope is None else OUTSIDE)
        else:
            names = parameters(node.args)
            if not node.decorator_list:
                self.nested.add(node.name)
            outer, returns = self.scope, self.returns
            self.scope = Scope(outer)
            self.scope.bind_arguments(node.args)
            self.scope.bind(node.body, walrus=self.walrus)
            for name in names:
                self.flow((*defaults, "w:", OTHER), f"n:{name.lstrip('*')}")
            self.returns = (RETURNED, f"n:{node.name}")
            self.body(node.body)
            self.scope, self.returns = outer, returns

    def _annotations(self, node: Function) -> None:
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        for argument in every:
            if argument is not None and argument.annotation is not None:
                self.annotation(argument.annotation)
        if node.returns is not None:
            self.annotation(node.returns)

    def _class_def(self, node: ast.ClassDef) -> None:
        self.marks.add("place")
        self._decorate(node)
        for base in node.bases:
            self._base(base)
        if any(_last_name(decorator) == "runtime_checkable" for decorator in node.decorator_list):
            # A protocol: this is what an object must have to be an instance.
            for statement in node.body:
                name = getattr(statement, "name", None) or getattr(getattr(statement, "target", None), "id", None)
                if name is not None:
                    self.attributes.setdefault(name, statement.lineno)
        for keyword in node.keywords:
            self.flow(self.expression(keyword.value), OUTSIDE)
        outer = self.scope
        self.scope = Scope(outer, is_class=True)
        self.scope.bind(node.body, walrus=self.walrus)
        self.body(node.body)
        self.scope = outer

    def _base(self, node: ast.expr) -> None:
        if self.root is not None:
            # What a class inside of a function inherits from is not followed: it may be used in any way.
            self.flow(self.expression(node), OUTSIDE)
            return
        # To inherit from a class is not yet to use it: its methods count where the class that inherits is used.
        if isinstance(node, ast.Subscript):
            self.expression(node.slice)
            node = node.value
        if self.chain(node) is None:
            self.expression(node)

    def _decorate(self, node: Function | ast.ClassDef) -> None:
        """A decorator is given what it decorates, and so is what a call of a decorator gives."""
        own: Atoms = (f"g:{node.name}",)
        if self.scope is not None:
            own = (f"a:{node.name}", f"m:{node.name}") if self.scope.is_class else (f"n:{node.name}",)
        for decorator in node.decorator_list:
            for atom in self.expression(decorator) or ("",):
                kind, name = atom[:2], atom[2:]
                self.flow(own, f"p:{name}|0" if kind == "g:" else f"w:{name}" if kind == "c:" else OUTSIDE)
                if kind in ("g:", "c:") and self.root is not None:
                    self.flow((f"c:{name}",), self.variable(node.name))


Reader.STATEMENTS = {
    ast.AnnAssign: Reader._ann_assign,
    ast.Assign: Reader._assign,
    ast.AsyncFor: Reader._for,
    ast.AsyncFunctionDef: Reader._function_def,
    ast.AsyncWith: Reader._with,
    ast.AugAssign: Reader._aug_assign,
    ast.ClassDef: Reader._class_def,
    ast.Delete: Reader._delete,
    ast.Expr: Reader._expr,
    ast.For: Reader._for,
    ast.FunctionDef: Reader._function_def,
    ast.Import: Reader._import,
    ast.ImportFrom: Reader._import_from,
    ast.Raise: Reader._raise,
    ast.Return: Reader._return,
    ast.Try: Reader._try,
    ast.While: Reader._while,
    ast.With: Reader._with,
    **{
        getattr(ast, name): read
        for name, read in (("Match", Reader._match), ("TryStar", Reader._try))
        if hasattr(ast, name)
    },
}


def _last_name(node: ast.expr) -> str:
    """`runtime_checkable` of `@typing.runtime_checkable`."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _catches(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds: Iterable[ast.expr] = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(k, ast.Name) and k.id in _CATCHING for k in kinds)
