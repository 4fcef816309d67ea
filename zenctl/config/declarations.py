"""Reads variable, locals, output, provider and backend blocks into their typed form."""

from __future__ import annotations

from dataclasses import replace

from zenctl.addrs import NAME, BackendAddr
from zenctl.config.conditions import read_condition
from zenctl.config.configuration import (
    BackendConfig,
    NamedExpression,
    OutputConfig,
    ProviderConfig,
    VariableConfig,
)
from zenctl.config.names import check_names
from zenctl.config.places import range_inside
from zenctl.config.reading import BodyReader, check_labels, constant, static_value
from zenctl.config.references import chosen_provider
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.lang.constraints import parse_type, type_from_expression
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.quoting import path_text
from zenctl.lang.syntax import Block, Expression, Literal, TemplateWrap
from zenctl.lang.types import ANY, outline
from zenctl.lang.values import Value, to_python
from zenctl.provider.registry import Registry

VARIABLE_ATTRIBUTES = ("type", "default", "description", "sensitive", "nullable", "ephemeral", "deprecated")


def read_variable(block: Block, text: str, diagnostics: list[Diagnostic]) -> VariableConfig | None:
    """A `variable` block; `text` is the file it stands in."""
    if not check_labels(block, ("name",), diagnostics):
        return None
    name = block.labels[0]
    what = f'variable "{name}"'
    reader = BodyReader(block.body, what, diagnostics, attributes=VARIABLE_ATTRIBUTES, blocks=("validation",))
    typed = reader.expression("type")
    type_, sound = _type(typed, text, what, diagnostics)
    nullable = reader.boolean("nullable", True)
    expression = reader.expression("default")
    default = None
    if expression is not None:
        given, problems = constant(expression, f'"default" of {what}')
        diagnostics += problems
        sound = sound and given is not None
        if given is not None and sound:
            default, problem = _default(given, type_, nullable, what, expression)
            diagnostics += [] if problem is None else [problem]
            sound = problem is None
    if block.body.broken or not sound:
        # Nothing that follows from a type or a default that is wrong, or was not read, is told.
        return None
    rules = [read_condition(nested, f"validation of {what}", diagnostics) for nested in reader.blocks("validation")]
    return VariableConfig(
        name=name,
        type=type_,
        has_default=expression is not None,
        default=default,
        description=reader.string("description"),
        sensitive=reader.boolean("sensitive"),
        nullable=nullable,
        range=block.header_range,
        validations=tuple(rule for rule in rules if rule is not None),
        ephemeral=reader.boolean("ephemeral"),
        deprecated=reader.string("deprecated"),
        typed=typed is not None,
    )


def _type(expression: Expression | None, text: str, what: str, diagnostics: list[Diagnostic]) -> tuple[str, bool]:
    """The type expression as text, and whether it is one."""
    if expression is None:
        return "any", True
    if isinstance(expression, Literal) and isinstance(expression.value, str):
        type_ = expression.value
    else:
        named = expression.expression if isinstance(expression, TemplateWrap) else expression
        start, end = named.range.start.byte, named.range.end.byte
        type_ = text.encode("utf-8")[start:end].decode("utf-8")
    found, problems = type_from_expression(expression)
    if found is not None and parse_type(type_)[0] != found:
        # YAML has escapes in it, so that its text is not to be found in the file as it is.
        type_ = str(found)
        if parse_type(type_)[0] != found:
            detail = "Write it as a text, without ${...}."
            problems = [error("invalid_type", "", detail, range=expression.range)]
    diagnostics += [replace(d, summary=f"Invalid type of {what}") for d in problems]
    return (type_, True) if found is not None else ("any", False)


def _default(
    default: Value, type_: str, nullable: bool, what: str, expression: Expression
) -> tuple[object, Diagnostic | None]:
    """The default as plain data of the type, or what is wrong with it, at its place."""
    if default.raw is None:
        if nullable:
            return None, None
        detail = "Remove the default, or `nullable = false`."
        summary = f"The default of {what} is null, but it is not nullable"
        return None, error("wrong_type", summary, detail, range=expression.range)
    wanted = parse_type(type_)[0] or ANY
    try:
        return to_python(convert_value(default, wanted)), None
    except ConversionError as problem:
        reason = f"At {path_text(problem.path)}: {problem.reason}." if problem.path else f"{problem.reason}."
        summary = f"The default of {what} does not fit its type {outline(wanted)}"
        place = range_inside(expression, problem.path)
        return None, error("wrong_type", summary, reason[:1].upper() + reason[1:], range=place)


def read_locals(block: Block, diagnostics: list[Diagnostic]) -> list[NamedExpression]:
    """A `locals` block: each attribute is a local value."""
    if not check_labels(block, (), diagnostics):
        return []
    for nested in block.body.blocks:
        detail = f"Write it as an attribute, with an equals sign: {nested.type} = {{ ... }}"
        summary = f'"{nested.type}" in locals is a block'
        diagnostics.append(error("unknown_block", summary, detail, range=nested.type_range))
    found = []
    for attribute in block.body.attributes.values():
        if NAME.fullmatch(attribute.name):
            found.append(NamedExpression(attribute.name, attribute.expression, attribute.name_range))
        else:
            problem = error("invalid_name", f'"{attribute.name}" is not a name', range=attribute.name_range)
            diagnostics.append(problem)
    return found


def read_output(block: Block, diagnostics: list[Diagnostic]) -> OutputConfig | None:
    """An `output` block."""
    if not check_labels(block, ("name",), diagnostics):
        return None
    name = block.labels[0]
    what = f'output "{name}"'
    attributes = ("value", "description", "sensitive", "ephemeral")
    reader = BodyReader(block.body, what, diagnostics, attributes=attributes, blocks=("precondition",))
    value = reader.expression("value")
    if value is None:
        detail = "Say what it shows, for example: value = step.evaluate.NAME.metrics.accuracy"
        summary = f'{what[:1].upper()}{what[1:]} has no "value"'
        reader.missing("value", error("missing_attribute", summary, detail, range=block.header_range))
        return None
    description, sensitive = reader.string("description"), reader.boolean("sensitive")
    read = [read_condition(nested, f"precondition of {what}", diagnostics) for nested in reader.blocks("precondition")]
    preconditions = tuple(condition for condition in read if condition is not None)
    ephemeral = reader.boolean("ephemeral")
    return OutputConfig(name, value, description, sensitive, block.header_range, ephemeral, preconditions)


def read_provider(block: Block, registry: Registry, diagnostics: list[Diagnostic]) -> ProviderConfig | None:
    """A `provider` block; its provider must be installed."""
    if not check_labels(block, ("name",), diagnostics):
        return None
    try:
        schema = registry.schema(block.labels[0])
    except DiagnosticError as problem:
        diagnostics += [d.at(block.label_ranges[0]) for d in problem.diagnostics]
        return None
    what = f'provider "{block.labels[0]}"'
    alias, body = provider_alias(block, diagnostics), block.body
    if "alias" not in schema.config.model_fields:
        body = replace(body, attributes={n: a for n, a in body.attributes.items() if n != "alias"})
    diagnostics += [d.at(block.header_range) for d in check_names(schema.config, body, what, others=("alias",))]
    return ProviderConfig(block.labels[0], body, block.header_range, alias)


def provider_alias(block: Block, diagnostics: list[Diagnostic]) -> str:
    """The `alias` of a provider block, or ""."""
    given = block.body.attributes.get("alias")
    if given is None:
        return ""
    alias, problems = static_value(given.expression, "The alias of a provider")
    diagnostics += problems
    if not isinstance(alias, str) or not NAME.fullmatch(alias):
        summary = "The alias of a provider must be a name"
        diagnostics += [] if problems else [error("invalid_name", summary, range=given.expression.range)]
        return ""
    return alias


def read_backend(block: Block, registry: Registry, diagnostics: list[Diagnostic]) -> BackendConfig | None:
    """A `backend` block; a provider must offer its type."""
    if not check_labels(block, ("type", "name"), diagnostics):
        return None
    type_, name = block.labels
    try:
        provider, found = registry.backend_type(type_)
    except DiagnosticError as problem:
        diagnostics += [d.at(block.label_ranges[0]) for d in problem.diagnostics]
        return None
    body, place = block.body, block.header_range
    if "provider" not in found.model.model_fields and "provider" in body.attributes:
        place = body.attributes["provider"].expression.range
        provider, wrong = chosen_provider(body.attributes["provider"].expression, provider)
        diagnostics += [] if wrong is None else [wrong]
        body = replace(body, attributes={n: a for n, a in body.attributes.items() if n != "provider"})
    problems = check_names(found.model, body, f'backend "{type_}" "{name}"', others=("provider",))
    diagnostics += [d.at(block.header_range) for d in problems]
    return BackendConfig(BackendAddr(type_, name), found, provider, body, block.header_range, place)
