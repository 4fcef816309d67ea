"""Evaluator: the state of one evaluation. The rules for each kind of node are in `evaluate` and what it gathers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.calls import Function
from zenctl.lang.model import DYNAMIC, Value
from zenctl.lang.syntax import Expression

MAX_STEPS = 300_000
"""How much one expression may compute in its loops: its parts, each as often as it is computed, and what it hands to
functions."""


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


class Evaluator:
    """`locals` are the variables of the `for`s around, innermost last; `items` the elements of the splats around."""

    rules: ClassVar[dict[type, Callable[[Evaluator, Any], Value]]] = {}

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.diagnostics: list[Diagnostic] = []
        self.locals: list[dict[str, Value]] = []
        self.items: list[Value] = []
        self.steps = 0
        self.text = 0
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
        self.diagnostics.append(error(code, summary, detail, range=range))
        return DYNAMIC

    def stop(self) -> None:
        """Let no loop go on, as the problem that ends them has been told."""
        self.steps = MAX_STEPS + 1
        self._told_end = True

    def visit(self, range: SourceRange) -> bool:
        """Whether a loop may go on to its next element; False once the expression has computed too much."""
        if self.steps <= MAX_STEPS:
            return True
        if not self._told_end:
            self._told_end = True
            detail = f"It computes more than {MAX_STEPS} values. Loop over fewer elements."
            self.problem("too_many_iterations", "Too many iterations", detail, range)
        return False
