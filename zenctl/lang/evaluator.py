"""Evaluator: the state of one evaluation. The rules for each kind of node are in `evaluate` and what it gathers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from zenctl.diagnostics import Diagnostic, SourceRange, Values, error
from zenctl.lang.calls import MAX_ELEMENTS, MAX_STRING, Function
from zenctl.lang.explaining import references_at, statements
from zenctl.lang.model import DYNAMIC, Value
from zenctl.lang.references import Reference
from zenctl.lang.syntax import Expression

MAX_STEPS = 300_000
"""How much one expression may compute in its loops: its parts, each as often as it is computed, and what it hands to
functions."""

NAMES = frozenset({"unknown_variable", "unknown_function", "wrong_arguments", "ambiguous_key"})
"""Problems of how something is written: no value explains them."""
MAX_ELEMENTS_OF_ALL_CALLS = 2 * MAX_ELEMENTS
MAX_TEXT_OF_ALL_CALLS = 16 * MAX_STRING
MAX_SECONDS_OF_ALL_CALLS = 20
"""CPU time; honest expressions take milliseconds."""


class Scope:
    """The names an expression can use. `functions` are the standard library's unless given."""

    def __init__(self, variables: Mapping[str, Value], functions: Mapping[str, Function] | None = None) -> None:
        self.variables = variables
        self._functions = functions

    @property
    def functions(self) -> Mapping[str, Function]:
        """The functions by name."""
        if self._functions is None:
            from zenctl.lang.functions.library import DEFAULT  # loaded by the first call of a function

            self._functions = DEFAULT
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
        self.steps = 0
        self.text = 0
        self._involved: dict[SourceRange, list[Reference]] = {}
        self.fatal: list[Diagnostic] = []
        """Problems that no `try` hides: the evaluation was given up."""
        self.seconds = 0.0
        self.elements_made = 0
        self.text_made = 0
        self._told_end = False

    def evaluate(self, node: Expression) -> Value:
        """The value of a node; problems are added to `diagnostics`."""
        self.steps += 1
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

    def give_up(self, code: str, summary: str, detail: str, range: SourceRange) -> Value:
        """Record an error that no `try` hides, and let the loops around stop; returns what stands for the result."""
        self.fatal.append(error(code, summary, detail, range=range))
        self.stop()
        return DYNAMIC

    def spend(self, result: Value | None, seconds: float, range: SourceRange) -> None:
        """Count what a call of a function made and took. Each call is limited; so are all of an expression together."""
        raw = None if result is None else result.raw
        if isinstance(raw, (tuple, dict)):
            self.elements_made += len(raw)
        elif isinstance(raw, str):
            self.text_made += len(raw)
        self.seconds += seconds
        if self.elements_made > MAX_ELEMENTS_OF_ALL_CALLS or self.text_made > MAX_TEXT_OF_ALL_CALLS:
            detail = f"The calls of functions in the expression make more than {MAX_ELEMENTS_OF_ALL_CALLS} elements "
            detail += f"or {MAX_TEXT_OF_ALL_CALLS} characters."
            self.give_up("too_much_made", "Too much made by functions", detail, range)
        elif self.seconds > MAX_SECONDS_OF_ALL_CALLS:
            detail = f"The calls of functions in the expression take more than {MAX_SECONDS_OF_ALL_CALLS} s."
            self.give_up("too_slow", "Calls of functions take too long", detail, range)

    def stop(self) -> None:
        """Let no loop go on, as the problem that ends them has been told."""
        self.steps = MAX_STEPS + 1
        self._told_end = True

    def visit(self, range: SourceRange) -> bool:
        """Whether a loop may go on to its next element; False once the expression has computed too much."""
        if self.steps <= MAX_STEPS:
            return True
        if not self._told_end:
            detail = f"It computes more than {MAX_STEPS} values. Loop over fewer elements."
            self.give_up("too_many_iterations", "Too many iterations", detail, range)
        return False
