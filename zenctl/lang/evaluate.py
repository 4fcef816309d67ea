"""Computes expressions: user errors become diagnostics with the place at fault, and the result then is unknown."""

from __future__ import annotations

from decimal import Decimal

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.access import AccessProblem, get_attribute, index
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.cursor import MAX_PROBLEMS
from zenctl.lang.evaluator import Evaluator, Scope
from zenctl.lang.invocation import function_call
from zenctl.lang.loops import for_expression, splat, template_for
from zenctl.lang.model import DYNAMIC, NO_MARKS, NULL, UNKNOWN, Value, boolean, object_value, tuple_value, unknown
from zenctl.lang.operators import OperatorProblem, binary, operand, result_type, short_circuit, unary
from zenctl.lang.rendering import conditional, template, template_if
from zenctl.lang.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    GetAttr,
    Index,
    Literal,
    ObjectExpr,
    Parentheses,
    Splat,
    SplatItem,
    Template,
    TemplateFor,
    TemplateIf,
    TemplateWrap,
    TupleExpr,
    Unary,
    Variable,
)
from zenctl.lang.types import BOOL, NUMBER, STRING

__all__ = ["Scope", "evaluate_expression"]

MAX_SHOWN = 12
"""How many names a message lists."""


def evaluate_expression(expression: Expression, scope: Scope) -> tuple[Value, list[Diagnostic]]:
    """The value of an expression, and what is wrong with it. With errors, the value is unknown in part or whole."""
    evaluator = Evaluator(scope, expression)
    try:
        value = evaluator.evaluate(expression)
    except RecursionError:
        # Expressions are limited in depth; values that are built from one another over many locals are not.
        detail = "A value in it nests too deeply to be worked on."
        return DYNAMIC, [error("nested_too_deeply", "Nested too deeply", detail, range=expression.range)]
    # Within a loop, each element has the same problem: tell it once.
    return value, list(dict.fromkeys([*evaluator.diagnostics, *evaluator.fatal]))[:MAX_PROBLEMS]


def _literal(_: Evaluator, node: Literal) -> Value:
    value = node.value
    if value is None:
        return NULL
    if isinstance(value, bool):
        return boolean(value)
    return Value(NUMBER, value) if isinstance(value, Decimal) else Value(STRING, value)


def _variable(self: Evaluator, node: Variable) -> Value:
    name = node.name
    for frame in reversed(self.locals):
        if name in frame:
            return frame[name]
    found = self.scope.variables.get(name)
    if found is not None:
        return found
    known = sorted({*self.scope.variables, *(key for frame in self.locals for key in frame)})
    # Behind so many problems nobody reads on, and hints cost the most of it.
    hint = did_you_mean(name, known) if len(self.diagnostics) < MAX_PROBLEMS else ""
    if not hint:
        shown = ", ".join(known[:MAX_SHOWN]) + (", ..." if len(known) > MAX_SHOWN else "")
        hint = f" There are: {shown}." if known else " No names can be used here."
        hint += ' A text is written in quotes: "..."' if not hint.endswith("here.") else ""
    return self.problem("unknown_variable", "Unknown name", f'There is nothing called "{name}" here.{hint}', node.range)


def _get_attribute(self: Evaluator, node: GetAttr) -> Value:
    source = self.evaluate(node.source)
    try:
        return get_attribute(source, node.name)
    except AccessProblem as problem:
        return self.problem(problem.code, problem.summary, problem.detail, _last_step(node))


def _index(self: Evaluator, node: Index) -> Value:
    source = self.evaluate(node.source)
    key = self.evaluate(node.key)
    try:
        return index(source, key)
    except AccessProblem as problem:
        return self.problem(problem.code, problem.summary, problem.detail, _last_step(node))


def _last_step(node: GetAttr | Index) -> SourceRange:
    """From the end of the source to the end of the node: `.name` or `[key]`."""
    return SourceRange(node.range.filename, node.source.range.end, node.range.end)


def _splat_item(self: Evaluator, _: SplatItem) -> Value:
    return self.items[-1]


def _wrap(self: Evaluator, node: TemplateWrap | Parentheses) -> Value:
    return self.evaluate(node.expression)


def _tuple(self: Evaluator, node: TupleExpr) -> Value:
    return tuple_value([self.evaluate(item) for item in node.items])


def _object(self: Evaluator, node: ObjectExpr) -> Value:
    attributes: dict[str, Value] = {}
    marks = NO_MARKS
    known = True
    for item in node.items:
        if isinstance(item.key, Literal) and isinstance(item.key.value, str):
            attributes[item.key.value] = self.evaluate(item.value)
            continue
        key = _object_key(self, item.key)
        value = self.evaluate(item.value)
        marks |= key.marks if key else NO_MARKS
        if key is None or key.raw is UNKNOWN:
            known = False
        else:
            attributes[str(key.raw)] = value
    return object_value(attributes).with_marks(marks) if known else DYNAMIC.with_marks(marks)


def _object_key(self: Evaluator, node: Expression) -> Value | None:
    """The name that a computed key gives; None with an error."""
    if isinstance(node, (GetAttr, Index)) and _is_traversal(node):
        detail = (
            "To use the value of this reference as the name, put it in parentheses. To use it as a text, in quotes."
        )
        self.problem("ambiguous_key", "Ambiguous attribute key", detail, node.range)
        return None
    before = len(self.diagnostics)
    key = self.evaluate(node)
    if len(self.diagnostics) > before:
        return None
    if key.raw is None:
        self.problem("invalid_key", "Invalid object key", "The key is null.", node.range)
        return None
    try:
        return convert_value(key, STRING)
    except ConversionError as problem:
        self.problem("invalid_key", "Invalid object key", f"As a key, {problem}.", node.range)
        return None


def _is_traversal(node: Expression) -> bool:
    while isinstance(node, (GetAttr, Index)):
        if isinstance(node, Index) and not isinstance(node.key, Literal):
            return False
        node = node.source
    return isinstance(node, Variable)


def _binary(self: Evaluator, node: Binary) -> Value:
    operator = node.operator
    outer = self.hold()
    left = self.evaluate(node.left)
    left_problems = self.hold()
    right = self.evaluate(node.right)
    right_problems, self.diagnostics = self.diagnostics, outer
    sides: list[Value] = []
    for value, expression, side in ((left, node.left, "left"), (right, node.right, "right")):
        try:
            sides.append(operand(value, operator, side))
        except OperatorProblem as problem:
            self.problem("invalid_operand", "Invalid operand", str(problem), expression.range)
    if len(sides) < 2:
        self.diagnostics += left_problems + right_problems
        return unknown(result_type(operator))
    if operator in ("&&", "||"):
        decided = _decided(self, operator, sides, left_problems, right_problems)
        if decided is not None:
            return decided
    self.diagnostics += left_problems + right_problems
    if left_problems or right_problems:
        return unknown(result_type(operator), sides[0].marks | sides[1].marks)
    try:
        return binary(operator, sides[0], sides[1])
    except OperatorProblem as problem:
        place = node.right.range if problem.side == "right" else node.range
        self.problem("operation_failed", "Operation failed", str(problem), place)
        return unknown(result_type(operator))


def _decided(
    self: Evaluator,
    operator: str,
    sides: list[Value],
    left_problems: list[Diagnostic],
    right_problems: list[Diagnostic],
) -> Value | None:
    """The result of `&&` or `||` where one side decides; problems of the other side then do not count."""
    result = short_circuit(operator, sides[0], sides[1])
    if result is None:
        if sides[0].raw is UNKNOWN and sides[1].raw is UNKNOWN and not left_problems:
            # Whether the right side will be needed is not known, so its problems wait until the left side is.
            return unknown(BOOL, sides[0].marks | sides[1].marks)
        return None
    self.diagnostics += left_problems if sides[0].raw is result.raw else right_problems
    return result.with_marks(sides[0].marks | sides[1].marks)


def _unary(self: Evaluator, node: Unary) -> Value:
    value = self.evaluate(node.operand)
    try:
        return unary(node.operator, operand(value, node.operator, ""))
    except OperatorProblem as problem:
        self.problem("invalid_operand", "Invalid operand", str(problem), node.operand.range)
        return unknown(BOOL if node.operator == "!" else NUMBER)


Evaluator.rules.update(
    {
        Literal: _literal,
        Template: template,
        TemplateWrap: _wrap,
        TemplateIf: template_if,
        TemplateFor: template_for,
        Variable: _variable,
        GetAttr: _get_attribute,
        Index: _index,
        SplatItem: _splat_item,
        Splat: splat,
        Call: function_call,
        Conditional: conditional,
        For: for_expression,
        TupleExpr: _tuple,
        ObjectExpr: _object,
        Binary: _binary,
        Unary: _unary,
        Parentheses: _wrap,
    }
)
