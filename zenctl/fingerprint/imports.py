"""Tells what one Python file imports and which of its features a reader of its text cannot follow."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LITERAL_IMPORTS = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__", "__import__"})
"""Calls that import the module they name: followed if the name is written out, else widening."""

WIDENING = frozenset(
    {
        "builtins.eval",
        "builtins.exec",
        "eval",
        "exec",
        "imp.load_module",
        "imp.load_package",
        "imp.load_source",
        "importlib.machinery.SourceFileLoader",
        "importlib.util.spec_from_file_location",
        "pkgutil.extend_path",
        "pkgutil.iter_modules",
        "pkgutil.resolve_name",
        "pkgutil.walk_packages",
        "runpy.run_module",
        "runpy.run_path",
        "site.addsitedir",
        "sys.meta_path",
        "sys.path",
        "sys.path_hooks",
        "zipimport.zipimporter",
    }
)
"""What can load any file of the project."""

DOC_NAMES = frozenset({"__doc__", "getdoc", "cleandoc"})
DOC_READERS = frozenset(
    {
        "click",
        "doctest",
        "docopt",
        "dspy",
        "fire",
        "inspect",
        "instructor",
        "langchain",
        "langchain_core",
        "marvin",
        "pydantic_ai",
        "pydoc",
        "typer",
    }
)
"""Modules that read docstrings: some of them make a program's behaviour, or a prompt, out of them."""

SOURCE_NAMES = frozenset({"findsource", "getblock", "getcomments", "getsource", "getsourcefile", "getsourcelines"})
SOURCE_READERS = frozenset({"linecache", "tokenize"})

PLACE_NAMES = frozenset({"__file__", "__module__", "__package__", "__path__", "__spec__"})
PLACE_READERS = frozenset({"cloudpickle", "dill", "joblib", "pickle", "shelve"})
"""Modules that write down where a function or class comes from."""

_BUILTINS = frozenset({"__import__", "eval", "exec"})
_WATCHED = frozenset(name.split(".")[0] for name in WIDENING | LITERAL_IMPORTS)
_ATTRIBUTES = DOC_NAMES | SOURCE_NAMES | PLACE_NAMES | {name.rpartition(".")[2] for name in WIDENING | LITERAL_IMPORTS}


@dataclass(frozen=True)
class Import:
    """`import module` (no names) or `from module import names`; `level` counts leading dots.

    `guarded` says that a `try` catches its failure. A name of "*" takes all there is.
    """

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    guarded: bool = False


@dataclass(frozen=True)
class Dynamic:
    """A place that may load files which its text does not name; `package` limits where from, "" if nothing does."""

    what: str
    line: int
    package: str = ""


@dataclass(frozen=True)
class Imports:
    """What a file reaches.

    `reads_docs`, `reads_source`: it may look at docstrings, at the text of code. `tells_place`: its results may hold
    the name of the module they were made in. `literals` are texts that it hands to a call, with their lines.
    """

    imports: tuple[Import, ...]
    dynamic: tuple[Dynamic, ...]
    reads_docs: bool
    reads_source: bool
    tells_place: bool
    literals: tuple[tuple[str, int], ...]


def find_imports(nodes: Sequence[ast.AST]) -> Imports:
    """Look at the nodes that `canonical` collected from one file."""
    finder = _Finder(nodes)
    return finder.result()


class _Finder:
    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self.nodes = nodes
        self.guards = [_guarded_lines(node) for node in nodes if isinstance(node, ast.Try)]
        self.bindings: dict[str, str] = {}
        self.bound: set[str] = set()
        self.imports: list[Import] = []
        self.dynamic: list[Dynamic] = []
        self.names: set[str] = set()
        self.literals: list[tuple[str, int]] = []
        self.tells_place = False

    def result(self) -> Imports:
        calls: list[ast.Call] = []
        mentions: list[ast.Attribute | ast.Name] = []
        for node in self.nodes:
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    self.bound.add(node.id)
                mentions.append(node)
            elif isinstance(node, ast.Attribute):
                if node.attr in _ATTRIBUTES:
                    mentions.append(node)
            elif isinstance(node, ast.Call):
                calls.append(node)
            else:
                self._binding(node)
        followed: set[int] = set()
        for call in calls:
            self._call(call, followed)
        for mention in mentions:
            if id(mention) not in followed:
                self._mention(mention)
        tops = {item.module.split(".")[0] for item in self.imports if not item.level}
        return Imports(
            imports=tuple(self.imports),
            dynamic=tuple(sorted(set(self.dynamic), key=lambda d: (d.line, d.what))),
            reads_docs=bool(self.names & DOC_NAMES or tops & DOC_READERS),
            reads_source=bool(self.names & SOURCE_NAMES or tops & SOURCE_READERS),
            tells_place=bool(self.tells_place or self.names & PLACE_NAMES or tops & PLACE_READERS),
            literals=tuple(self.literals),
        )

    def _binding(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._add(alias.name, (), 0, node.lineno)
                self.bindings[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            self._add(node.module or "", names, node.level, node.lineno)
            self.names.update(names)
            if not node.level:
                self.bindings.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        elif isinstance(node, ast.arg):
            self.bound.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.bound.add(node.name)
        elif isinstance(node, ast.ClassDef):
            self.tells_place = True
            self.bound.add(node.name)

    def _add(self, module: str, names: tuple[str, ...], level: int, line: int) -> None:
        guarded = any(start <= line <= end for start, end in self.guards)
        self.imports.append(Import(module, names, level, line, guarded))

    def _call(self, node: ast.Call, followed: set[int]) -> None:
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                self.literals.append((value.value, value.lineno))
        name = self._dotted(node.func)
        if name not in LITERAL_IMPORTS:
            return
        followed.add(id(node.func))
        self._literal_import(node, name)

    def _literal_import(self, node: ast.Call, name: str) -> None:
        """`import_module("a.b")` is a plain import; of `import_module(f"a.{x}")` at least the start is known."""
        target = node.args[0] if node.args else None
        if isinstance(target, ast.Constant) and isinstance(target.value, str):
            text = target.value
            level = len(text) - len(text.lstrip("."))
            # A relative name counts from `package`, which is the file's own almost always; else widen.
            package = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords), None)
            own = isinstance(package, ast.Name) and package.id in ("__package__", "__name__")
            if level == 0 or own:
                self._add(text.lstrip("."), (), level, node.lineno)
                return
        prefix = _literal_start(target)
        package_name = prefix.rpartition(".")[0] if not prefix.startswith(".") else ""
        self.dynamic.append(Dynamic(f"{name}(...)", node.lineno, package_name))

    def _mention(self, node: ast.Attribute | ast.Name) -> None:
        if isinstance(node, ast.Attribute):
            self.names.add(node.attr)
        else:
            self.names.add(node.id)
            if node.id == "__path__":
                # A package that changes where its modules are looked for.
                self.dynamic.append(Dynamic(node.id, node.lineno))
            if node.id not in self.bindings and node.id not in _BUILTINS:
                return
        name = self._dotted(node)
        if name in WIDENING or name in LITERAL_IMPORTS:
            self.dynamic.append(Dynamic(name, node.lineno))

    def _dotted(self, node: ast.expr) -> str:
        """The full name an expression refers to, by what the file imports; "" if it cannot be one that is watched."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        root = self.bindings.get(node.id, "")
        if not root and node.id in _BUILTINS and node.id not in self.bound:
            root = node.id
        if root.split(".")[0] not in _WATCHED:
            return ""
        return ".".join([root, *reversed(parts)])


def _guarded_lines(node: ast.Try) -> tuple[int, int]:
    if not any(_catches(handler.type) for handler in node.handlers):
        return (0, -1)
    return (node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno)


def _catches(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds: Iterable[ast.expr] = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(
        isinstance(k, ast.Name) and k.id in ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
        for k in kinds
    )


def _literal_start(node: ast.expr | None) -> str:
    """The text with which a string certainly begins: of `f"a.{x}"`, `"a." + x` and `"a.%s" % x`."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return _literal_start(node.values[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _literal_start(node.left)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _literal_start(node.left).partition("%")[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _literal_start(node.func.value).partition("{")[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
