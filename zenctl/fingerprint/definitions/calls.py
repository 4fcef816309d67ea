"""Reads calls: where each argument goes, and the names that a call is given as a text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Union

from zenctl.fingerprint.definitions.atoms import OUTSIDE, Atoms, holding, inside
from zenctl.fingerprint.definitions.expressions import WORD, Expressions
from zenctl.fingerprint.definitions.facts import Call, Chain
from zenctl.fingerprint.definitions.watched import CALLS, CONTAINING, EVALUATORS, GIVING

_IMPORTING = frozenset({"__import__", "find_spec", "import_module"})
_SELECTING = frozenset({"attrgetter", "methodcaller"})


class Calls(Expressions):
    """Expressions with their calls."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        """`renamed` are names under which the file imports what CALLS names, with those."""
        super().__init__()
        self._renamed = renamed

    def _call(self, node: ast.Call) -> Atoms:
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.literal(value)
        function = node.func
        if _reads_itself(function, node.args):
            self.marks.add("source")
        chain = self.chain(function)
        if chain is not None and chain[-1] != "__class__":
            return self._call_name(node, chain)
        if isinstance(function, ast.Attribute):
            return self._call_method(node, function)
        called = self.expression(function)
        # A function inside of the one that is read is called by its name; anything else could be code from outside.
        own = isinstance(function, ast.Name) and function.id in self.nested
        for _, atoms in self._arguments(node):
            self.flow(atoms, "w:" if own else OUTSIDE)
        return (*called, "m:__call__")

    def _call_name(self, node: ast.Call, chain: Chain) -> Atoms:
        name = ".".join(chain)
        last = self._renamed.get(name, chain[-1])
        owner = self._look_into(node, chain, last) if last in CALLS else None
        if last not in CALLS:
            self.expression(node.func)
        if last in EVALUATORS:
            self._evaluate(node, chain)
        if last == "dict" and node.args:
            # It asks what it is given for `keys`, the only method without underscores that Python itself calls.
            self.attributes.setdefault("keys", node.lineno)
        more: Atoms = ()
        for place, atoms in self._arguments(node, owner):
            self.flow(atoms, f"p:{name}|{place}")
            if last == "iter" and place == 0 and len(node.args) > 1:
                # With a second argument it gives what the first one gives when it is called.
                more = holding(atoms)
            if last in CONTAINING and len(chain) > 1:
                self.flow(atoms, f"+{last}|{self.receiver(node.func.value)}")  # type: ignore[attr-defined]
        if last == "getattr" and len(node.args) > 1:
            text = _text(node.args[1]) or "*"
            return (f"c:{name}", f"a:{text}", f"m:{text}")
        return (f"c:{name}", *more)

    def _call_method(self, node: ast.Call, function: ast.Attribute) -> Atoms:
        atoms = self.expression(function.value)
        name = function.attr
        self.attribute(name, function.lineno)
        if name in EVALUATORS:
            self._evaluate(node, (name,))
        receiver = self.receiver(function.value)
        for place, values in self._arguments(node):
            self.flow(values, f"q:{name}|{place}|{receiver}")
            if name in CONTAINING:
                self.flow(values, f"+{name}|{receiver}")
        same = atoms if name == "__class__" else ()
        return (f"m:{name}", f"a:{name}", *same, *(inside(atoms) if name in GIVING else ()))

    def _arguments(self, node: ast.Call, owner: ast.expr | None = None) -> Iterable[tuple[Union[int, str], Atoms]]:
        """Read the arguments; each one's place is a number, `=name`, or `*` where it is not known."""
        starred = False
        for index, value in enumerate(node.args):
            starred = starred or isinstance(value, ast.Starred)
            if value is not owner:
                yield "*" if starred else index, self.expression(value)
        for keyword in node.keywords:
            yield f"={keyword.arg}" if keyword.arg else "*", self.expression(keyword.value)

    def _look_into(self, node: ast.Call, chain: Chain, last: str) -> ast.expr | None:
        """Record a call that is told a name; gives its argument that is only looked at, if that is a plain name."""
        self.mark(chain[0])
        args = node.args
        count = len(args) + len(node.keywords)
        if last in _IMPORTING:
            package = args[1] if len(args) > 1 else next((k.value for k in node.keywords if k.arg == "package"), None)
            own = isinstance(package, ast.Name) and package.id in ("__package__", "__name__")
            text = _text(args[0]) if args else None
            prefix = literal_start(args[0]) if args else ""
            self.calls.append(Call(chain, node.lineno, (), text, prefix, count, own))
            return None
        if last in _SELECTING:
            for value in args[:1] if last == "methodcaller" else args:
                self.calls.append(Call(chain, node.lineno, (), _text(value), literal_start(value), count))
            return None
        owner = self.chain(args[0]) if args else None
        name = args[1] if len(args) > 1 else None
        text = _text(name) if name is not None else None
        self.calls.append(Call(chain, node.lineno, owner or (), text, literal_start(name), count))
        return args[0] if owner else None

    def _evaluate(self, node: ast.Call, chain: Chain) -> None:
        """A text that a library evaluates with the names of its caller."""
        texts = [_text(value) for value in (*node.args, *(keyword.value for keyword in node.keywords))]
        for text in texts:
            self.words.update(WORD.findall(text or ""))
        if node.args and texts[0] is None:
            self.calls.append(Call(("", chain[-1]), node.lineno, (), None, "", len(texts)))


Calls.EXPRESSIONS = {**Expressions.EXPRESSIONS, ast.Call: Calls._call}


def _reads_itself(function: ast.expr, args: list[ast.expr]) -> bool:
    """`open(__file__)`, `Path(__file__).read_text()`"""
    name = getattr(function, "attr", getattr(function, "id", ""))
    if name not in ("open", "read_bytes", "read_text"):
        return False
    places = [*args[:1], *([function.value] if isinstance(function, ast.Attribute) else ())]
    while places:
        place = places.pop()
        if isinstance(place, ast.Name) and place.id == "__file__":
            return True
        if isinstance(place, ast.Call):
            at = place.func.value if isinstance(place.func, ast.Attribute) else None
            places += [*place.args[:1], *([at] if at is not None else ())]
    return False


def literal_start(node: ast.expr | None) -> str:
    """The text with which a string certainly begins: of `f"a.{x}"`, `"a." + x` and `"a.%s" % x`."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return literal_start(node.values[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal_start(node.left)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return literal_start(node.left).partition("%")[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return literal_start(node.func.value).partition("{")[0]
    return _text(node) or ""


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
