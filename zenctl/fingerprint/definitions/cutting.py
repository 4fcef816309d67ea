"""Cuts one Python file into its definitions: what importing it runs, and the functions that it only defines."""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Union

from zenctl.digests import sha256_text
from zenctl.fingerprint.canonical import FUNCTIONS, Function, Writer, Written, is_doc, statements, type_checking_names
from zenctl.fingerprint.definitions.bindings import bindings_of, exports_of, renamed_of, shared_names
from zenctl.fingerprint.definitions.decorators import Decorators
from zenctl.fingerprint.definitions.facts import (
    MAIN,
    TOP,
    Body,
    Chain,
    ClassFacts,
    Entry,
    FileFacts,
    FunctionFacts,
    Later,
)
from zenctl.fingerprint.definitions.literals import is_literal
from zenctl.fingerprint.definitions.reading import Reader
from zenctl.fingerprint.definitions.scopes import parameters
from zenctl.fingerprint.definitions.watched import CALLS, EFFECTFUL, STANDARD
from zenctl.fingerprint.parsing import Source, parse

Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef]

_RENAMING = re.compile(rf"\b(?:{'|'.join(sorted(CALLS))})(?:[\s\\]|#.*)+as\b")
"""An import of what is looked into under another name."""

_METACLASS = ("metaclass", None)
"""How a metaclass is given; None is `**arguments`."""

_BODIES = ("body", "orelse", "finalbody")


MAX_KEPT = 4_000_000
"""Characters of source whose trees are kept for functions that are not read yet; a tree takes 30 times the memory."""


def read_definitions(tree: ast.Module, text: str) -> FileFacts:
    """All that a file with this text says. Raises RecursionError for expressions that are nested too deeply.

    Bodies of functions are read when they are asked for.
    """
    return _KEPT.put(text, _Cutter(tree, text)).cut()


class _Kept:
    """The files that were cut last, by their text."""

    def __init__(self) -> None:
        self._cutters: OrderedDict[str, _Cutter] = OrderedDict()
        self._size = 0

    def put(self, text: str, cutter: _Cutter) -> _Cutter:
        self._size += 0 if text in self._cutters else len(text)
        self._cutters[text] = cutter
        while self._size > MAX_KEPT and len(self._cutters) > 1:
            self._size -= len(self._cutters.popitem(last=False)[0])
        return cutter

    def get(self, text: str) -> _Cutter | None:
        return self._cutters.get(text)


_KEPT = _Kept()


def _body(text: str, name: str, index: int) -> Body:
    """Read one of the functions of this name in a file that was cut before."""
    cutter = _KEPT.get(text)
    if cutter is None:
        tree, _ = parse(Source("", text))
        assert tree is not None, "it was parsed before"
        cutter = _KEPT.put(text, _Cutter(tree, text))
        cutter.cut()
    return cutter.body(name, index)


class _Cutter:
    def __init__(self, tree: ast.Module, text: str) -> None:
        self.tree = tree
        self.text = text
        self.nodes: dict[str, list[Function]] = {}
        # Looking for a word in the text is much cheaper than looking for a node in the tree.
        self.walrus = ":=" in text
        self.shared = shared_names(tree) if "global" in text else frozenset()
        self.exports = exports_of(tree) if "__all__" in text else ()
        self.guards = type_checking_names(tree)
        self.decorators = Decorators(tree)
        self.renamed = renamed_of(tree, CALLS) if _RENAMING.search(text) else {}
        self.writer = Writer(self.guards, self.decorators.count)
        self.entries: list[Entry] = []
        self.functions: dict[str, list[FunctionFacts]] = {}
        self.classes: dict[str, list[ClassFacts]] = {}
        self.mains: list[ast.stmt] = []

    def cut(self) -> FileFacts:
        self._block(self.tree.body, "")
        bindings, stars = bindings_of(self.tree, self.guards, self.shared)
        for name in self.shared:
            # `global name` and then `import name` inside of a function.
            bound = [f.uses.bindings.get(name, ()) for found in self.functions.values() for f in found]
            bindings[name] = tuple(dict.fromkeys((*bindings[name], *(b for more in bound for b in more))))
        main = None
        if self.mains:
            body = [s for block in self.mains for s in block.body]  # type: ignore[attr-defined]
            main = self._reader().main(body)
        return FileFacts(
            entries=tuple(self.entries),
            bindings=bindings,
            functions={name: tuple(found) for name, found in self.functions.items()},
            classes={name: tuple(found) for name, found in self.classes.items()},
            top=self._reader().module(self._top()),
            main=main,
            stars=stars,
            exports=self.exports,
        )

    def _reader(self) -> Reader:
        return Reader(self.decorators.count, self.guards, self.renamed, walrus=self.walrus)

    def _top(self) -> Iterator[ast.stmt]:
        """What importing the file runs: of blocks for `python file.py` only what follows `else`."""
        for statement in self.tree.body:
            if _is_main(statement):
                yield from statement.orelse  # type: ignore[attr-defined]
            else:
                yield statement

    def _block(self, body: Iterable[ast.stmt], owner: str) -> None:
        """The statements of the module, or those of a class, in order."""
        for statement in statements(body, self.guards):
            if is_doc(statement):
                text = statement.value.value  # type: ignore[attr-defined]
                self.entries.append(Entry("code", owner or TOP, "", sha256_text(text)))
            elif isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                self._definition(statement, owner)
            elif not owner and _is_main(statement):
                self.mains.append(statement)
                self._add("main", MAIN, statement.body)  # type: ignore[attr-defined]
                self._block(statement.orelse, owner)  # type: ignore[attr-defined]
            elif not owner and _is_standard(statement):
                self._standard(statement)
            elif not owner and isinstance(statement, (ast.Assign, ast.AnnAssign)) and _is_constant(statement):
                names = tuple(_targets(statement))
                self._add("name" if names == ("__all__",) else "constant", names[0], [statement], names=names)
            else:
                self._code(statement, owner)

    def _code(self, statement: ast.stmt, owner: str) -> None:
        inner = list(_definitions(statement, self.guards))
        holes = {id(node): f"(Definition s{len(node.name)}:{node.name})" for node in inner}
        self._add("code", owner or _key(statement), [statement], holes=holes)
        for node in inner:
            self._definition(node, owner)

    def _definition(self, node: Definition, owner: str) -> None:
        name = f"{owner}.{node.name}" if owner else node.name
        if isinstance(node, ast.ClassDef):
            self._class(node, name)
        else:
            self._function(node, name, owner)

    def _class(self, node: ast.ClassDef, name: str) -> None:
        self._add("code", name, [node], holes={id(node): ""})
        self._block(node.body, name)
        # Marks the end, so that what stands in the class and what stands after it are told apart.
        self.entries.append(Entry("code", name, "end"))
        inner = list(_definitions(node, self.guards))
        fields = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        facts = ClassFacts(
            name=name,
            bases=tuple(self.decorators.chain(b.value if isinstance(b, ast.Subscript) else b) for b in node.bases),
            decorators=self.decorators.holders(node),
            keywords=bool(node.keywords),
            methods=tuple(dict.fromkeys(n.name for n in inner if not isinstance(n, ast.ClassDef))),
            inner=tuple(dict.fromkeys(n.name for n in inner if isinstance(n, ast.ClassDef))),
            fields=tuple(fields),
            metaclass=next((self.decorators.chain(k.value) for k in node.keywords if k.arg in _METACLASS), None),
        )
        self.classes.setdefault(name, []).append(facts)

    def _function(self, node: Function, name: str, owner: str) -> None:
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        quiet = self.decorators.are_quiet(node) and all(map(is_literal, defaults))
        head = "" if quiet else sha256_text(self.writer.write([node], {id(node): ""}).text)
        known = self.functions.setdefault(name, [])
        facts = FunctionFacts(
            name=name,
            owner=owner,
            kind=self.decorators.kind(node, in_class=bool(owner)),
            parameters=parameters(node.args),
            decorators=self.decorators.holders(node),
            body=Later(partial(_body, self.text, name, len(known))),
        )
        known.append(facts)
        self.nodes.setdefault(name, []).append(node)
        self.entries.append(Entry("function", name, "", head=head, names=(node.name,), body=facts.body))

    def body(self, name: str, index: int) -> Body:
        """The body of one of the functions of this name."""
        facts, node = self.functions[name][index], self.nodes[name][index]
        written = self.writer.write([node])
        try:
            uses = self._reader().function(node, method=bool(facts.owner) and facts.kind != "static")
            hinted = () if self.decorators.count(node) else self._hinted(node)
        except RecursionError:
            return Body(too_deep=True)
        return Body(*_digests(written), uses, hinted)

    def _hinted(self, node: Function) -> tuple[Chain, ...]:
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        annotations = [a for a in (*(a.annotation for a in every if a is not None), node.returns) if a is not None]
        if not annotations:
            return ()
        reader = self._reader()
        for annotation in annotations:
            reader.annotation(annotation)
        return tuple(sorted({*reader.chains, *((word,) for word in reader.words)}))

    def _standard(self, statement: ast.stmt) -> None:
        """An import of the standard library has no effect but to bind its names."""
        for alias in statement.names:  # type: ignore[attr-defined]
            if isinstance(statement, ast.ImportFrom):
                module = statement.module or ""
                single: ast.stmt = ast.ImportFrom(statement.module, [alias], statement.level)
                name = alias.asname or alias.name
            else:
                module = alias.name
                single = ast.Import([alias])
                name = alias.asname or module.partition(".")[0]
            self._add("name", f"import {module}", [single], names=(name,), module=module)

    def _add(
        self,
        kind: str,
        key: str,
        nodes: list[ast.stmt],
        *,
        holes: dict[int, str] | None = None,
        names: tuple[str, ...] = (),
        module: str = "",
    ) -> None:
        digests = _digests(self.writer.write(nodes, holes))
        self.entries.append(Entry(kind, key, *digests, names=names, module=module))


def _digests(written: Written) -> tuple[str, str, str]:
    """Of the code, its docstrings and its hints; "" for what there is not."""
    docs = sha256_text(written.docs) if written.docs else ""
    hints = sha256_text(written.hints) if written.hints else ""
    return sha256_text(written.text), docs, hints


def contract(tree: ast.Module, function: str) -> str:
    """A digest of what tells a step's inputs, outputs and result: annotations of positional parameters and result."""
    texts: list[str] = []
    writer = Writer(frozenset(), lambda _: True)
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and node.name == function:
            parts = [(arg.arg, arg.annotation) for arg in (*node.args.posonlyargs, *node.args.args)]
            parts.append(("return", None if _is_none(node.returns) else node.returns))
            texts += [f"{name}:{writer.write([_unquoted(a)]).text}" for name, a in parts if a is not None]
    return sha256_text("\n".join(texts)) if texts else ""


def _definitions(statement: ast.stmt, guards: frozenset[str]) -> Iterator[Definition]:
    """Functions and classes that a compound statement defines."""
    bodies: list[list[ast.stmt]] = [getattr(statement, name, []) for name in _BODIES]
    bodies += [part.body for name in ("handlers", "cases") for part in getattr(statement, name, [])]
    for body in bodies:
        for inner in statements(body, guards):
            if isinstance(inner, (*FUNCTIONS, ast.ClassDef)):
                yield inner
            else:
                yield from _definitions(inner, guards)


def _is_main(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    test = statement.test if isinstance(statement, ast.If) else None
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    values = [side.value for side in sides if isinstance(side, ast.Constant)]
    return names == ["__name__"] and values == ["__main__"]


def _is_standard(statement: ast.stmt) -> bool:
    """Whether a statement imports of the standard library only."""
    if isinstance(statement, ast.ImportFrom):
        tops = {(statement.module or "").partition(".")[0]} if not statement.level else {""}
        if any(alias.name == "*" for alias in statement.names):
            return False
    elif isinstance(statement, ast.Import):
        tops = {alias.name.partition(".")[0] for alias in statement.names}
    else:
        return False
    return tops <= STANDARD - EFFECTFUL


def _is_constant(statement: ast.Assign | ast.AnnAssign) -> bool:
    """Whether a statement only binds names to a literal. Names that Python itself looks at are left out."""
    names = _targets(statement)
    if statement.value is None or not names or not is_literal(statement.value):
        return False
    if any(name.startswith("__") and name not in _HARMLESS for name in names):
        return False
    return isinstance(statement, ast.Assign) or _is_plain_annotation(statement.annotation)


_HARMLESS = frozenset({"__all__", "__author__", "__copyright__", "__email__", "__license__", "__version__"})


def _is_plain_annotation(node: ast.expr) -> bool:
    """`int`, `list[str]`, `"anything"`: builtins, which cannot fail to be there."""
    plain = {"bool", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"}
    return all(
        isinstance(part, (ast.Subscript, ast.Tuple, ast.Load, ast.Constant))
        or (isinstance(part, ast.Name) and part.id in plain)
        for part in ast.walk(node)
    )


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    """The names that are assigned to; none if anything else is."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names if len(names) == len(targets) else []


def _key(statement: ast.stmt) -> str:
    """What a person calls a statement: what it assigns to, or what it imports."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        target: ast.AST = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        while isinstance(target, (ast.Attribute, ast.Subscript)):
            target = target.value
        return target.id if isinstance(target, ast.Name) else TOP
    if isinstance(statement, ast.Import):
        return f"import {statement.names[0].name}"
    if isinstance(statement, ast.ImportFrom):
        return f"import {'.' * statement.level}{statement.module or ''}"
    return TOP


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _unquoted(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return node
    return node
