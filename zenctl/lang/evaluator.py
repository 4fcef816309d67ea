"""Evaluator: the state of one evaluation. The rules for each kind of node are in `evaluate` and what it gathers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from zenctl.diagnostics import Diagnostic, SourceRange, Values, error
from zenctl.lang.calls import Function
from zenctl.lang.explaining import references_at, statements
from zenctl.lang.model import DYNAMIC, Value
from zenctl.lang.references import Reference
from zenctl.lang.syntax import Expression

MAX_ITERATIONS = 1_000_000
"""How many elements `for`, splats and templates of one expression may visit."""

NAMES = frozenset({"unknown_variable", "unknown_function", "wrong_arguments", "ambiguous_key"})
"""Problems of how something is written: no value explains them."""


class Scope:
    """The names an expression can use. `functions` are the standard library's unless given."""

    def __init__(self, variables: Mapping[str, Value], functions: Mapping[str, Function] | None = None) -> None:
        self.variables = variables
        self._functions = functions

    @property
    def functions(self) -> Mapping[str, Function]:
        """The functions by name."""
        if self._functions is None:
            from zenctl.lang.functions import FUNCTIONS  # loaded by the first call of a function

            self._functions = FUNCTIONS
        return self._functions

    def with_names(self, more: Mapping[str, Value]) -> Scope:
        """The same with more names; a name that is there already is covered."""
        return Scope({**self.variables, **more}, self._functions)


class Evaluator:
    """`root` is the whole expression, of which problems tell the values involved. `locals` are the variables of the
    `for`s around, innermost last; `items` the elements of the splats around.
    """

    rules: ClassVar[dict[type, Callable[[Evaluator, Any], Value]]] = {}

    def __init__(self, scope: Scope, root: Expression) -> None:
        self.scope = scope
        self.root = root
        self.diagnostics: list[Diagnostic] = []
        self.locals: list[dict[str, Value]] = []
        self.items: list[Value] = []
        self.iterations = 0
        self.text = 0
        self._involved: dict[SourceRange, list[Reference]] = {}

    def evaluate(self, node: Expression) -> Value:
        """The value of a node; problems are added to `diagnostics`."""
        return self.rules[node.__class__](self, node)

    def hold(self) -> list[Diagnostic]:
        """Collect problems apart from here on; returns the list to go back to, as `diagnostics`."""
        outer, self.diagnostics = self.diagnostics, []
        return outer

    def problem(self, code: str, summary: str, detail: str, range: SourceRange) -> Value:
        """Record an error; returns the value that stands for its result."""
        values = () if code in NAMES else self._values(range)
        self.diagnostics.append(error(code, summary, detail, range=range, values=values))
        return DYNAMIC

    def _values(self, range: SourceRange) -> Values:
        """What the references at a place stand for, here and now: in a loop, for the element that is visited."""
        found = self._involved.get(range)
        if found is None:
            found = self._involved[range] = references_at(self.root, range)
        local = {name: value for frame in self.locals for name, value in frame.items()}
        return statements(found, self.scope.variables, local)

    def visit(self, range: SourceRange) -> bool:
        """Count an iteration; False once there are too many."""
        self.iterations += 1
        if self.iterations == MAX_ITERATIONS + 1:
            detail = f"The expression visits more than {MAX_ITERATIONS} elements."
            self.problem("too_many_iterations", "Too many iterations", detail, range)
        return self.iterations <= MAX_ITERATIONS
