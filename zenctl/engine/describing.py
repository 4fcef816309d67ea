"""Describes a configuration's blocks in the shape of Terraform's plan JSON, for programs that read it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from zenctl.config.configuration import Configuration, EndpointConfig, NodeConfig
from zenctl.config.conforming import fields
from zenctl.lang.references import references
from zenctl.lang.syntax import Body, Expression, Literal, ObjectExpr, TupleExpr, Unary
from zenctl.plans.planvalues import provider_name
from zenctl.schema.block import is_sensitive

Json = dict[str, Any]


def described(configuration: Configuration) -> Json:
    """`configuration` of the plan document: providers, and the tree of modules with their blocks.

    An attribute is `constant_value` where it is written out, else `references`: what it refers to. No value of a
    variable, default or secret stands in it, but what the configuration's text says.
    """
    providers = {
        provider.key: {"name": provider.name, "full_name": provider_name(provider.name)}
        | ({"alias": provider.alias} if provider.alias else {})
        for module in configuration.modules()
        for provider in module.providers.values()
    }
    return {"provider_config": providers, "root_module": _module(configuration)}


def _module(module: Configuration) -> Json:
    found: Json = {"resources": [_node(node) for node in module.nodes.values()]}
    if module.outputs:
        found["outputs"] = {
            output.name: {"expression": _expression(output.value)}
            | ({"sensitive": True} if output.sensitive else {})
            | ({"description": output.description} if output.description else {})
            for output in module.outputs.values()
        }
    if module.variables:
        found["variables"] = {
            variable.name: ({"description": variable.description} if variable.description else {})
            | ({"sensitive": True} if variable.sensitive else {})
            | ({"default": variable.default} if variable.has_default and variable.stored else {})
            for variable in module.variables.values()
        }
    if module.calls:
        found["module_calls"] = {
            call.name: {
                "source": call.source,
                "expressions": {name: _expression(value) for name, value in call.arguments.items()},
                "module": _module(call.module),
            }
            for call in module.calls.values()
        }
    return found


def _node(node: NodeConfig) -> Json:
    addr = node.addr
    provider = node.provider if isinstance(node, EndpointConfig) else "zenctl"
    own = type(addr)(addr.type, addr.name)
    found: Json = {
        "address": str(own),
        "mode": "managed",
        "kind": addr.kind,
        "type": addr.type,
        "name": addr.name,
        "provider_config_key": provider,
        "expressions": _body(node.body, {name for name, info in fields(node.type.model).items() if is_sensitive(info)}),
        "schema_version": 0,
    }
    if node.meta.depends_on:
        found["depends_on"] = [str(type(a)(a.type, a.name)) for a in node.meta.depends_on]
    for name, expression in (("for_each_expression", node.meta.for_each), ("count_expression", node.meta.count)):
        if expression is not None:
            found[name] = _expression(expression)
    return found


def _body(body: Body, secret: Collection[str] = ()) -> Json:
    found: Json = {
        name: {} if name in secret else _expression(attribute.expression) for name, attribute in body.attributes.items()
    }
    for block in body.blocks:
        found.setdefault(block.type, []).append(_body(block.body))
    return found


def _expression(expression: Expression) -> Json:
    constant, value = _constant(expression)
    if constant:
        return {"constant_value": value}
    named = dict.fromkeys(str(reference) for reference in references(expression))
    return {"references": list(named)} if named else {}


def _constant(expression: Expression) -> tuple[bool, Any]:
    """Whether a value is written out, and the value as plain JSON."""
    if isinstance(expression, Literal):
        value = expression.value
        if isinstance(value, Decimal):
            return True, int(value) if value == value.to_integral_value() else float(value)
        return True, value
    if isinstance(expression, Unary) and expression.operator == "-":
        # YAML has numbers below zero, HCL an operator before those above.
        known, value = _constant(expression.operand)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return (True, -value) if known and number else (False, None)
    if isinstance(expression, TupleExpr):
        items = [_constant(item) for item in expression.items]
        return all(known for known, _ in items), [value for _, value in items]
    if isinstance(expression, ObjectExpr):
        pairs = [(_constant(item.key), _constant(item.value)) for item in expression.items]
        return all(k and v for (k, _), (v, _) in pairs), {str(key): value for (_, key), (_, value) in pairs}
    return False, None
