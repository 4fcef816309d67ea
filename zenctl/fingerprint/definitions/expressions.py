"""Reads expressions: the names and attributes they use, and where their values may come from."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from zenctl.fingerprint.definitions.atoms import (
    ITERATED,
    OTHER,
    OUTSIDE,
    Atoms,
    holding,
    inside,
    kind_of,
)
from zenctl.fingerprint.definitions.facts import Binding, Call, Chain
from zenctl.fingerprint.definitions.scopes import COMPREHENSIONS, Scope
from zenctl.fingerprint.definitions.watched import DOC_NAMES, HINT_NAMES, PLACE_NAMES, RESOURCE_NAMES, SOURCE_NAMES

WORD = re.compile(r"[^\W\d]\w*")
_FORMULA = re.compile(r"[\w.() +:*-]+~")
_AT = re.compile(r"@([^\W\d]\w*)")
_FIELD = re.compile(r"\{[^{}]*?\.([^\W\d]\w*)")
_NAME_TO_MARK = {
    **dict.fromkeys(PLACE_NAMES, "place"),
    **dict.fromkeys(SOURCE_NAMES, "source"),
    **dict.fromkeys(HINT_NAMES, "hints"),
    **dict.fromkeys(DOC_NAMES, "docs"),
    **dict.fromkeys(RESOURCE_NAMES, "resources"),
}
_LOADED = ("sys", "modules")
_JOINING = frozenset({"Path", "PosixPath", "PurePath", "PurePosixPath", "join"})


class Expressions:
    """What was used so far, and the scope that names are looked up in (None: the module's own)."""

    EXPRESSIONS: ClassVar[Mapping[type[ast.AST], Callable[[Any, Any], Atoms]]] = {}

    def __init__(self) -> None:
        self.walrus = True
        self.scope: Scope | None = None
        self.returns: tuple[str, ...] = (OUTSIDE,)
        self.root: Scope | None = None
        self.own = ""
        self.nested: set[str] = set()
        self.chains: dict[Chain, int] = {}
        self.attributes: dict[str, int] = {}
        self.stores: dict[Chain, int] = {}
        self.words: set[str] = set()
        self.bindings: dict[str, list[Binding]] = {}
        self.calls: list[Call] = []
        self.marks: set[str] = set()
        self.literals: list[tuple[str, int]] = []
        self.flows: dict[tuple[str, str], None] = {}

    def expression(self, node: ast.AST) -> Atoms:
        """Read an expression; gives where its value may come from."""
        read = self.EXPRESSIONS.get(node.__class__)
        return self._children(node) if read is None else read(self, node)

    def flow(self, atoms: Atoms, target: str) -> None:
        """The values go to the target."""
        for atom in atoms:
            self.flows[atom, target] = None

    def give(self, atoms: Atoms) -> None:
        """The values are returned from the function that is read."""
        for target in self.returns:
            self.flow(atoms, target)

    def mark(self, name: str) -> None:
        """Take note of a name that reads docstrings, annotations, source or places."""
        mark = _NAME_TO_MARK.get(name)
        if mark is not None:
            self.marks.add(mark)

    def assign(self, target: ast.AST, atoms: Atoms, kind: str = OTHER) -> None:
        """The values are assigned to a target."""
        if isinstance(target, ast.Name):
            self.flow((*atoms, kind), self.variable(target.id))
        elif isinstance(target, ast.Attribute):
            self.attribute(target.attr, target.lineno)
            chain = self.chain(target)
            if chain is not None:
                self.stores.setdefault(chain, target.lineno)
            else:
                self.expression(target.value)
            self.flow((*atoms, kind), f".{target.attr}|{self.receiver(target.value)}")
        elif isinstance(target, ast.Subscript):
            self.expression(target.value)
            keys = self.expression(target.slice)
            self.flow((*atoms, *keys), f"+__setitem__|{self.receiver(target.value)}")
        elif isinstance(target, (ast.Tuple, ast.List)):
            for item in target.elts:
                self.assign(item, inside(atoms))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, holding(atoms))

    def annotation(self, node: ast.expr) -> None:
        """The names in an annotation that counts, quoted ones too."""
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                self.words.update(WORD.findall(part.value))
            elif isinstance(part, ast.Name):
                self.chains.setdefault((part.id,), part.lineno)
            elif isinstance(part, ast.Attribute):
                chain = self.chain(part)
                if chain is not None:
                    self.chains.setdefault(chain, part.lineno)

    def pattern(self, node: ast.AST, atoms: Atoms) -> None:
        """A pattern of `match`: what it compares with, what it looks at, what it binds."""
        for part in ast.walk(node):
            name = getattr(part, "name", None) or getattr(part, "rest", None)
            attributes = getattr(part, "kwd_attrs", ())
            for attribute in attributes:
                self.attribute(attribute, part.lineno)  # type: ignore[attr-defined]
            inner = atoms + inside(atoms) + tuple(f"a:{attribute}" for attribute in attributes)
            if name is not None:
                self.flow((*inner, OTHER), self.variable(name))
            if not isinstance(part, ast.expr):
                compared = [getattr(part, "cls", None), getattr(part, "value", None), *getattr(part, "keys", ())]
                for value in compared:
                    if isinstance(value, ast.expr):
                        self.expression(value)

    def chain(self, node: ast.AST) -> Chain | None:
        """The dotted name that a node is, if its first part is not a variable of the code that is read."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or self.is_local(node.id):
            return None
        parts.append(node.id)
        parts.reverse()
        return tuple(parts)

    def is_local(self, name: str) -> bool:
        """Whether a name is a variable of the code that is read."""
        found = self.scope.find(name) if self.scope is not None else None
        # What only an import binds is looked up like a name of the module. In a class, either may be meant.
        return found is not None and name not in found.imported and not (found.is_class and self.root is None)

    def is_own(self, node: ast.AST) -> bool:
        """Whether a node is the object that a method is called of."""
        return (
            isinstance(node, ast.Name)
            and node.id == self.own
            and self.scope is not None
            and self.scope.find(node.id) is self.root
        )

    def receiver(self, node: ast.AST) -> str:
        """How the object is known that is worked on: `self`, `s:x` its attribute, `n:x`, `g:a.b`, or ""."""
        if self.is_own(node):
            return "self"
        if isinstance(node, ast.Name) and self.is_local(node.id):
            return f"n:{node.id}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
            return "self"
        if isinstance(node, ast.Attribute) and self.is_own(node.value):
            return f"s:{node.attr}"
        chain = self.chain(node)
        return f"g:{'.'.join(chain)}" if chain is not None else ""

    def literal(self, node: ast.AST) -> None:
        """Take note of a text that may be a path: `"a/b.json"`, `Path("a") / "b.json"`, `join("a", "b.json")`."""
        text = _folded(node)
        if text is None and isinstance(node, ast.BinOp):
            text = _folded(node.right)
        if text is not None and 2 < len(text) < 256 and "." in text:
            self.literals.append((text, node.lineno))  # type: ignore[attr-defined]

    def variable(self, name: str) -> str:
        """Where what is assigned to a name goes."""
        found = self.scope.find(name) if self.scope is not None else None
        if found is None:
            return f"G:{name}"
        return f"a:{name}" if found.is_class else f"n:{name}"

    def attribute(self, name: str, line: int) -> None:
        """Take note that an attribute of this name is used of something."""
        self.attributes.setdefault(name, line)
        self.mark(name)
        if name.startswith("_") and "__" in name[2:]:
            # Seen from outside of its class a private name is `_Class__name`.
            self.attributes.setdefault(name[name.index("__", 1) :], line)

    def _children(self, node: ast.AST) -> Atoms:
        atoms: Atoms = ()
        for child in ast.iter_child_nodes(node):
            atoms += self.expression(child)
        return tuple(dict.fromkeys(atoms)) if len(atoms) > 1 else atoms

    def _nothing(self, node: ast.AST) -> Atoms:
        for child in ast.iter_child_nodes(node):
            self.expression(child)
        return ()

    def _compare(self, node: ast.Compare) -> Atoms:
        for value in (node.left, *node.comparators):
            if self.chain(value) != _LOADED:
                # Whether a module is loaded says nothing of what is in it.
                self.expression(value)
        # What `<` and the like give need not be true or false.
        return ("d:",)

    def _name(self, node: ast.Name) -> Atoms:
        name = node.id
        if self.is_local(name):
            return (f"n:{name}",)
        self.chains.setdefault((name,), node.lineno)
        self.mark(name)
        found = self.scope.find(name) if self.scope is not None else None
        if found is not None and found.is_class:
            self.attributes.setdefault(name, node.lineno)
            return (f"g:{name}", f"a:{name}")
        return (f"g:{name}",)

    def _attribute(self, node: ast.Attribute) -> Atoms:
        if node.attr == "__class__":
            # What is done with an object's class may be done with the object: it can be made anew.
            self.attribute(node.attr, node.lineno)
            return (*self.expression(node.value), "a:__class__")
        chain = self.chain(node)
        if chain is not None:
            self.chains.setdefault(chain, node.lineno)
            for name in chain:
                self.mark(name)
            found = self.scope.find(chain[0]) if self.scope is not None else None
            if found is not None and chain[0] in found.assigned:
                # What else it may be is an object.
                for name in chain[1:]:
                    self.attributes.setdefault(name, node.lineno)
            return (f"g:{'.'.join(chain)}",)
        if node.attr == "__dict__" and self.is_own(node.value):
            # An object's own attributes, which are no methods.
            self.marks.add("dict")
            return ("a:*",)
        self.expression(node.value)
        self.attribute(node.attr, node.lineno)
        return (f"a:{node.attr}", "m:__getattr__", "m:__get__")

    def _constant(self, node: ast.Constant) -> Atoms:
        text = node.value
        if isinstance(text, str) and len(text) < 4096:
            if "@" in text:
                self.words.update(_AT.findall(text))
            if "~" in text and _FORMULA.match(text):
                self.words.update(WORD.findall(text))
            if "{" in text and "." in text:
                for name in _FIELD.findall(text):
                    self.attributes.setdefault(name, node.lineno)
        return ()

    def _display(self, node: ast.AST) -> Atoms:
        return holding(self._children(node))

    def _await(self, node: ast.Await) -> Atoms:
        return (*self.expression(node.value), "m:__await__")

    def _starred(self, node: ast.Starred) -> Atoms:
        return (*inside(self.expression(node.value)), *ITERATED)

    def _bin_op(self, node: ast.BinOp) -> Atoms:
        atoms: Atoms = ("d:",)
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            # A sum is nested as deep as it is long.
            if isinstance(left.op, ast.Div):
                self.literal(left)
            atoms += holding(inside(self.expression(left.right)))
            left = left.left
        return tuple(dict.fromkeys(atoms + holding(inside(self.expression(left)))))

    def _unary_op(self, node: ast.UnaryOp) -> Atoms:
        atoms = self.expression(node.operand)
        return () if isinstance(node.op, ast.Not) else (*atoms, "d:")

    def _subscript(self, node: ast.Subscript) -> Atoms:
        chain = self.chain(node.value)
        if chain == _LOADED:
            text = getattr(node.slice, "value", None)
            if isinstance(text, str) or (isinstance(node.slice, ast.Name) and node.slice.id == "__name__"):
                self.calls.append(Call(chain, node.lineno, (), text))
                return ()
        keys = self.expression(node.slice)
        self.flow(keys, f"i:{'.'.join(chain)}" if chain is not None else OUTSIDE)
        return (*inside(self.expression(node.value)), "m:__getitem__", "m:__class_getitem__", "m:__missing__")

    def _named_expr(self, node: ast.NamedExpr) -> Atoms:
        atoms = self.expression(node.value)
        self.assign(node.target, atoms, kind_of(node.value))
        return atoms

    def _yield(self, node: ast.Yield) -> Atoms:
        if node.value is not None:
            self.give(holding(self.expression(node.value)))
        return ()

    def _yield_from(self, node: ast.YieldFrom) -> Atoms:
        atoms = self.expression(node.value)
        self.give(holding((*inside(atoms), *ITERATED)))
        return atoms

    def _lambda(self, node: ast.Lambda) -> Atoms:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.flow(self.expression(default), OUTSIDE)
        outer, returns = self.scope, self.returns
        self.scope = Scope(outer)
        self.scope.bind_arguments(node.args)
        self.scope.bind([node.body], walrus=self.walrus)
        self.returns = (OUTSIDE,)
        self.flow(("w:",), OUTSIDE)
        for name in self.scope.assigned:
            self.flow((OTHER,), f"n:{name}")
        atoms = self.expression(node.body)
        self.scope, self.returns = outer, returns
        return atoms

    def _comprehension(self, node: ast.AST) -> Atoms:
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        first = self.expression(generators[0].iter)
        outer = self.scope
        self.scope = Scope(outer)
        self.scope.bind([generator.target for generator in generators], walrus=self.walrus)
        for index, generator in enumerate(generators):
            atoms = first if index == 0 else self.expression(generator.iter)
            self.assign(generator.target, (*inside(atoms), *ITERATED))
            for condition in generator.ifs:
                self.expression(condition)
        made: Atoms = ()
        for field in ("key", "value", "elt"):
            part = getattr(node, field, None)
            made += self.expression(part) if part is not None else ()
        self.scope = outer
        return holding(made)


Expressions.EXPRESSIONS = {
    ast.Attribute: Expressions._attribute,
    ast.Await: Expressions._await,
    ast.BinOp: Expressions._bin_op,
    ast.Compare: Expressions._compare,
    ast.Constant: Expressions._constant,
    ast.Dict: Expressions._display,
    ast.FormattedValue: Expressions._nothing,
    ast.JoinedStr: Expressions._nothing,
    ast.Lambda: Expressions._lambda,
    ast.List: Expressions._display,
    ast.Name: Expressions._name,
    ast.NamedExpr: Expressions._named_expr,
    ast.Set: Expressions._display,
    ast.Starred: Expressions._starred,
    ast.Subscript: Expressions._subscript,
    ast.Tuple: Expressions._display,
    ast.UnaryOp: Expressions._unary_op,
    ast.Yield: Expressions._yield,
    ast.YieldFrom: Expressions._yield_from,
    **dict.fromkeys(COMPREHENSIONS, Expressions._comprehension),
}


def _folded(node: ast.AST) -> str | None:
    """The path that a node is, if it is written out."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and not node.keywords:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        parts = node.args if name in _JOINING else []
    found = [_folded(part) for part in parts]
    return "/".join(map(str, found)) if found and None not in found else None
