"""Tells what an annotation in the user's file means, by the file's own imports, without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Callable

from zenctl.lazy_dataclasses import dataclass

INPUTS = {
    **{f"zenctl.sdk.{name}": name for name in ("Artifact", "Dataset", "Metrics", "Model")},
    **{f"zenctl.sdk.artifacts.{name}": name for name in ("Artifact", "Metrics", "Model")},
    "zenctl.sdk.dataset.Dataset": "Dataset",
    "pathlib.Path": "Path",
}
"""What a parameter that is an input can be annotated with, by full name."""

OUTPUTS = frozenset({"zenctl.sdk.Output", "zenctl.sdk.artifacts.Output"})

CHECKPOINTS = frozenset({"zenctl.sdk.Checkpoints", "zenctl.sdk.checkpoints.Checkpoints"})

JSON_TYPES = frozenset({"bool", "dict", "float", "int", "list", "str"})
_JSON_NAMES = {name: name for name in JSON_TYPES} | {"typing.Dict": "dict", "typing.List": "list"}

_SIMPLE = {full.rpartition(".")[2]: full for full in (*INPUTS, *OUTPUTS, *CHECKPOINTS) if full.count(".") < 3}
_TYPING = ("typing.", "typing_extensions.", "types.")
_ALIAS_LIMIT = 20


@dataclass(frozen=True)
class Meaning:
    """What an annotation stands for: `kind` is "input", "output", "checkpoints", "json", "none" or "" (unknown).

    `type` is the SDK's name of an input (`Dataset`, `Path`, ...) or the artifact type of an output. `reason` says of an
    unknown one why it is not understood.
    """

    kind: str
    type: str = ""
    reason: str = ""


class Names:
    """The names that a module binds at its top level, as far as annotations can use them."""

    def __init__(self, tree: ast.Module, in_project: Callable[[str], bool]) -> None:
        """`in_project` tells whether a module's name leads to a file of the project, which may hand names on."""
        self._in_project = in_project
        self._origins: dict[str, str] = {}
        self._aliases: dict[str, ast.expr] = {}
        self._classes: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    self._origins[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                self._origins.update({a.asname or a.name: f"{module}.{a.name}" for a in node.names})
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                self._classes.add(statement.name)
            elif isinstance(statement, ast.Assign):
                self._aliases.update({t.id: statement.value for t in statement.targets if isinstance(t, ast.Name)})
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
                self._aliases[statement.target.id] = statement.value

    def meaning(self, annotation: ast.expr, depth: int = 0) -> Meaning:
        """What an annotation stands for."""
        if depth > _ALIAS_LIMIT:
            return Meaning("", reason="it refers to itself")
        node = _unquoted(annotation)
        if node is None:
            return Meaning("", reason="the text in quotes is no type")
        if isinstance(node, ast.Constant):
            return Meaning("none") if node.value is None else Meaning("", reason="it is a value, not a type")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union([node.left, node.right], depth)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, depth)
        if isinstance(node, ast.Name) and node.id in self._aliases and node.id not in self._origins:
            return self.meaning(self._aliases[node.id], depth + 1)
        full = self.full_name(node)
        if full in INPUTS:
            return Meaning("input", INPUTS[full])
        if full in OUTPUTS:
            return Meaning("output", "Artifact")
        if full in CHECKPOINTS:
            return Meaning("checkpoints")
        if full in _JSON_NAMES:
            return Meaning("json", _JSON_NAMES[full])
        return Meaning("", reason=self._why(node, full))

    def full_name(self, node: ast.expr) -> str:
        """The dotted name that a name or attribute refers to, imports followed; "" if it is neither."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        root = self._origins.get(node.id, node.id)
        full = ".".join([root, *reversed(parts)])
        last = full.rpartition(".")[2]
        if last not in _SIMPLE or node.id in self._classes:
            return full
        bound = node.id in self._origins
        # A name that nothing binds comes from `import *` or is missing; a project's own module may hand it on.
        handed_on = bound and (full.startswith(".") or self._in_project(full.rpartition(".")[0]))
        if full.split(".")[0] in ("sdk", "zenctl") and not bound:
            return _SIMPLE[last]
        return _SIMPLE[last] if handed_on or (not bound and not parts) else full

    def _subscript(self, node: ast.Subscript, depth: int) -> Meaning:
        full = self.full_name(node.value)
        items = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        name = full.rpartition(".")[2] if full.startswith(_TYPING) else full
        if full in OUTPUTS and len(items) == 1:
            inner = self.meaning(items[0], depth + 1)
            if inner.kind != "input":
                return Meaning("", reason=inner.reason or f"an output is no {ast.unparse(items[0])}")
            return Meaning("output", "Artifact" if inner.type == "Path" else inner.type)
        if name == "Annotated":
            return self.meaning(items[0], depth + 1)
        if name in ("Optional", "Union"):
            return self._union(items, depth)
        if name == "Literal":
            return Meaning("json", "str")
        if full in _JSON_NAMES and _JSON_NAMES[full] in ("dict", "list"):
            return Meaning("json", _JSON_NAMES[full])
        return Meaning("", reason=self._why(node.value, full))

    def _union(self, items: list[ast.expr], depth: int) -> Meaning:
        """`X | None` is X; several JSON types are JSON; anything else says too little."""
        meanings = [m for m in (self.meaning(item, depth + 1) for item in items) if m.kind != "none"]
        if not meanings:
            return Meaning("none")
        if all(m == meanings[0] for m in meanings):
            return meanings[0]
        if all(m.kind == "json" for m in meanings):
            return Meaning("json")
        unknown = [m for m in meanings if not m.kind]
        return unknown[0] if unknown else Meaning("", reason="it may be several kinds of thing")

    def _why(self, node: ast.expr, full: str) -> str:
        text = ast.unparse(node)
        if isinstance(node, ast.Name) and node.id in self._classes:
            return f"{text} is a class of this file"
        return f"{text} is {full}" if full and full != text else f"{text} is not a type of zenctl.sdk"


def _unquoted(node: ast.expr) -> ast.expr | None:
    """The expression that a quoted annotation holds; None if it holds none."""
    for _ in range(_ALIAS_LIMIT):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            return node
        try:
            node = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return None
