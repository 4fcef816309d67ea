"""Evaluates templates and conditionals."""

from __future__ import annotations

from zenctl.diagnostics import SourceRange
from zenctl.lang.calls import MAX_STRING
from zenctl.lang.conversion import ConversionError, convert_value, unify
from zenctl.lang.evaluator import Evaluator
from zenctl.lang.model import NO_MARKS, UNKNOWN, Value, string, unknown
from zenctl.lang.syntax import Conditional, Literal, Template, TemplateIf
from zenctl.lang.types import ANY, BOOL, STRING, AnyType, Type, describe


def template(self: Evaluator, node: Template) -> Value:
    texts: list[str] = []
    marks = NO_MARKS
    known = True
    for part in node.parts:
        if isinstance(part, Literal) and isinstance(part.value, str):
            texts.append(part.value)
            continue
        value = self.evaluate(part)
        marks |= value.marks
        if value.raw is UNKNOWN and isinstance(value.type, AnyType):
            known = False
            continue
        text = _as_text(self, value, part.range)
        if text is None:
            known = False
        else:
            texts.append(text)
    return joined(self, texts, known, node.range).with_marks(marks)


def _as_text(self: Evaluator, value: Value, range: SourceRange) -> str | None:
    """The text of a template's part; None if it is unknown or wrong."""
    if value.raw is None:
        detail = "The value is null, which has no text. Test for null before, or give a default with coalesce()."
        self.problem("invalid_template", "Null in a template", detail, range)
        return None
    try:
        converted = convert_value(value, STRING)
    except ConversionError:
        detail = f"A template can hold texts, numbers and bools, but this is {describe(value.type)}. "
        detail += 'Use join(", ", xs) or jsonencode(x) to make a text of it.'
        self.problem("invalid_template", "Invalid value in a template", detail, range)
        return None
    return None if converted.raw is UNKNOWN else str(converted.raw)


def joined(self: Evaluator, texts: list[str], known: bool, range: SourceRange) -> Value:
    if not known:
        return unknown(STRING)
    self.text += sum(map(len, texts))
    if self.text > MAX_STRING:
        self.give_up("text_too_long", "Text too long", f"The text is longer than {MAX_STRING} characters.", range)
        return unknown(STRING)
    return string("".join(texts))


def template_if(self: Evaluator, node: TemplateIf) -> Value:
    otherwise = node.otherwise or Literal(node.range, "")
    return conditional(self, Conditional(node.range, node.condition, node.then, otherwise))


def conditional(self: Evaluator, node: Conditional) -> Value:
    """One of two values, both brought to a common type. Errors of the one not chosen do not count."""
    condition, then, otherwise, range = node.condition, node.then, node.otherwise, node.range
    outer = self.hold()
    true_value = self.evaluate(then)
    true_problems = self.hold()
    false_value = self.evaluate(otherwise)
    false_problems, self.diagnostics = self.diagnostics, outer
    common = _common_type(true_value, false_value)
    if common is None:
        detail = f"Both results must have a common type: one is {describe(true_value.type)}, the other "
        detail += f"{describe(false_value.type)}."
        places = SourceRange(range.filename, then.range.start, otherwise.range.end)
        return self.problem("inconsistent_types", "Inconsistent types in a conditional", detail, places)
    chosen = self.evaluate(condition)
    marks = chosen.marks | true_value.marks | false_value.marks
    if chosen.raw is None:
        detail = "The condition is null. It must be true or false."
        self.problem("invalid_condition", "Null condition", detail, condition.range)
        return unknown(common)
    try:
        chosen = convert_value(chosen, BOOL)
    except ConversionError as problem:
        detail = f"A condition must be true or false: {problem}."
        self.problem("invalid_condition", "Invalid condition", detail, condition.range)
        return unknown(common)
    if chosen.raw is UNKNOWN:
        if true_value.raw is None and false_value.raw is None:
            return Value(common, None, marks)
        return unknown(common, marks)
    result, problems = (true_value, true_problems) if chosen.raw else (false_value, false_problems)
    self.diagnostics += problems
    try:
        return convert_value(result, common).with_marks(marks)
    except ConversionError as problem:
        place = then.range if chosen.raw else otherwise.range
        detail = f"This result does not fit the type of the other one: {problem}."
        return self.problem("inconsistent_types", "Inconsistent types in a conditional", detail, place)


def _common_type(true_value: Value, false_value: Value) -> Type | None:
    if true_value.raw is None and isinstance(true_value.type, AnyType):
        return false_value.type
    if false_value.raw is None and isinstance(false_value.type, AnyType):
        return true_value.type
    if isinstance(true_value.type, AnyType) or isinstance(false_value.type, AnyType):
        return ANY
    return unify([true_value.type, false_value.type])
