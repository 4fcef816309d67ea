"""What must be true: reads and checks the conditions of lifecycle, output and check blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zenctl.config.configuration import CheckConfig, Condition, OutputConfig
from zenctl.config.plain import Faulty, Marked, plain_value
from zenctl.config.reading import BodyReader, check_labels, describe
from zenctl.diagnostics import Diagnostic, Severity, error, has_errors
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.explaining import statements
from zenctl.lang.model import EPHEMERAL
from zenctl.lang.references import references
from zenctl.lang.syntax import Block
from zenctl.schema import Unknown

CONDITION = ("condition", "error_message")


def read_condition(block: Block, what: str, diagnostics: list[Diagnostic]) -> Condition | None:
    """A block with `condition` and `error_message`; None if one is missing. `what` names it in messages."""
    if not check_labels(block, (), diagnostics):
        return None
    reader = BodyReader(block.body, what, diagnostics, attributes=CONDITION)
    condition, message = reader.expression("condition"), reader.expression("error_message")
    for name, expression in ((CONDITION[0], condition), (CONDITION[1], message)):
        if expression is None:
            summary = f'{what[:1].upper()}{what[1:]} has no "{name}"'
            reader.missing(name, error("missing_attribute", summary, range=block.header_range))
    if condition is None or message is None:
        return None
    if not references(condition):
        detail = "It refers to nothing, so it is always the same. Test a variable, a result or `self`."
        summary = f"The condition of {what} is constant"
        diagnostics.append(error("constant_condition", summary, detail, range=condition.range))
    return Condition(condition, message, block.header_range)


def read_check(block: Block, diagnostics: list[Diagnostic]) -> CheckConfig | None:
    """A `check` block."""
    if not check_labels(block, ("name",), diagnostics):
        return None
    what = f'check "{block.labels[0]}"'
    reader = BodyReader(block.body, what, diagnostics, attributes=(), blocks=("assert",))
    asserted = reader.blocks("assert")
    if not asserted:
        detail = "Add what must be true: assert { condition = ... error_message = ... }"
        summary = f'{what[:1].upper()}{what[1:]} has no "assert" block'
        reader.missing("assert", error("missing_block", summary, detail, range=block.header_range))
    found = [read_condition(nested, f"assert of {what}", diagnostics) for nested in asserted]
    return CheckConfig(block.labels[0], tuple(c for c in found if c is not None), block.header_range)


def check_conditions(
    conditions: Iterable[Condition], scope: Scope, summary: str, *, severity: Severity = Severity.ERROR
) -> list[Diagnostic]:
    """What fails of these conditions, with their own messages. A condition that is not known yet passes."""
    found: list[Diagnostic] = []
    for condition in conditions:
        found += [replace(d, severity=severity) for d in _check(condition, scope, summary)]
    return found


def undecided(conditions: Iterable[Condition], scope: Scope) -> bool:
    """Whether one of these conditions follows from something that is not known yet."""
    values = (evaluate_expression(condition.condition, scope)[0] for condition in conditions)
    found = [plain_value(value)[0] for value in values]
    return any(isinstance(value, Unknown) and not isinstance(value, Faulty) for value in found)


def _check(condition: Condition, scope: Scope, summary: str) -> list[Diagnostic]:
    value, diagnostics = evaluate_expression(condition.condition, scope)
    passed, _ = plain_value(value)
    if has_errors(diagnostics) or isinstance(passed, Unknown) or passed is True:
        return diagnostics
    place = condition.condition.range
    if passed is not False:
        text = f"A condition must be true or false, not {describe(passed)}"
        return [*diagnostics, error("wrong_type", text, range=place)]
    message, found = evaluate_expression(condition.error_message, scope)
    text, marks = plain_value(message)
    if isinstance(text, Faulty):
        text = ""
    elif any("sensitive" in names for _, names in marks):
        text = "(Its message holds a sensitive value and is not shown.)"
    elif not isinstance(text, str):
        text = "(Its message is not known yet.)" if isinstance(text, Unknown) else "(Its message is no text.)"
    values = statements(references(condition.condition), scope.variables)
    return [*diagnostics, *found, error("condition_failed", summary, text, range=place, values=values)]


def ephemeral_output(config: OutputConfig, marks: Marked, *, root: bool = True) -> list[Diagnostic]:
    """An output holds an ephemeral value only if it says so, which one of the root cannot: those are recorded."""
    if root and config.ephemeral:
        summary = f'Output "{config.name}" of the root cannot be ephemeral'
        detail = "The root's outputs are recorded with every apply. Only a module's outputs can be ephemeral."
        return [error("ephemeral_output", summary, detail, range=config.range)]
    if config.ephemeral or not any(EPHEMERAL in names for _, names in marks):
        return []
    detail = (
        "The root's outputs are recorded with every apply. Leave the value out, or take `ephemeral` from the variable."
    )
    if not root:
        detail = "Add `ephemeral = true` to the output, so that its value is written down nowhere."
    summary = f'Output "{config.name}" holds an ephemeral value'
    return [error("ephemeral_output", summary, detail, range=config.value.range)]
