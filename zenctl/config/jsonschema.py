"""Makes the JSON Schema of YAML configuration files; `python -m zenctl.config.jsonschema DIR` writes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from zenctl.config.conforming import fields
from zenctl.config.declarations import VARIABLE_ATTRIBUTES
from zenctl.config.lifecycle import ASPECTS, CHOICES
from zenctl.config.metadata_stores import METADATA_STORES
from zenctl.config.modules import MODULE_META
from zenctl.config.names import nested_model
from zenctl.config.nodes import ENDPOINT_META, META, STEP_META
from zenctl.config.settings import PROJECT, ROLES
from zenctl.provider.registry import Registry, discover
from zenctl.schema import BlockModel

NAME = "configuration.v1.schema.json"
"""The file in `schemas/`."""

Schema = dict[str, Any]

EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"anyOf": [{"type": "boolean"}, EXPRESSION]}
LITERAL_FLAG: Schema = {"type": "boolean"}

META_SCHEMAS: dict[str, Schema] = {
    "for_each": {
        "anyOf": [{"type": "object"}, EXPRESSION],
        "description": "A map or a set of texts: one instance for each, `each.key` and `each.value` inside.",
    },
    "count": {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION], "description": "Instances, by `count.index`."},
    "depends_on": {"type": "array", "items": TEXT, "description": "Nodes to wait for without using their results."},
    "enabled": {**FLAG, "description": "false leaves it out."},
    "timeout": {"anyOf": [{"type": "number"}, TEXT], "description": 'Seconds, or a text such as "30m".'},
    "retries": {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION], "description": "How often to try again."},
    "resources": {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "cpu": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, EXPRESSION]},
                    "memory": TEXT,
                    "gpu": {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]},
                },
                "additionalProperties": False,
            },
            EXPRESSION,
        ],
        "description": 'What it needs of a machine: {cpu: 2, memory: "4GiB", gpu: 1}.',
    },
    "cache": {**TEXT, "description": 'How long a result counts: "always", "never" or "until 24h".'},
    "reproducible": {**FLAG, "description": "true: each run is made twice, and fails if the bytes differ."},
    "triggers_replace": {"description": "Any value; where it changes, the step runs again."},
    "alias": {**TEXT, "description": "Tells a second block of the same provider apart."},
    "provider": {**TEXT, "description": "The provider with its alias: ${provider.NAME.ALIAS}."},
    "backend": {**TEXT, "description": "Where it runs: ${backend.TYPE.NAME}."},
    "processing": {**TEXT, "description": "Which Beam runner does its data work: ${backend.TYPE.NAME}."},
}
"""The meta-arguments of nodes."""


def configuration_schema(registry: Registry) -> Schema:
    """The schema of a *.zen.yaml file with every type that the registry has."""
    models = _models(registry)
    order = sorted(models)
    inputs: list[tuple[type[BlockModel], JsonSchemaMode]] = [(models[key], "validation") for key in order]
    found, definitions = models_json_schema(inputs, schema_generator=_Generator)
    bodies = {key: found[(models[key], "validation")] for key in order}
    defs = {name: _open(schema) for name, schema in definitions.get("$defs", {}).items()}
    defs["expression"] = {
        "type": "string",
        "pattern": r"\$\{|%\{",
        "description": "A template with an expression: ${var.epochs}.",
    }
    metas = {
        "step": STEP_META,
        "datasource": META,
        "endpoint": ENDPOINT_META,
        "backend": ("provider",),
        "provider": ("alias",),
    }
    for key in order:
        _add_dynamic(models[key], _name(bodies[key]), defs)
    for kind, meta in metas.items():
        for name in _defs_of(bodies, kind):
            defs[name] = _with_meta(defs[name], meta)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": NAME,
        "title": "zenctl configuration",
        "description": "A *.zen.yaml file. Any text may hold ${...}.",
        "type": "object",
        "additionalProperties": False,
        "properties": _root(bodies),
        "$defs": defs,
    }


def configuration_schema_text(registry: Registry) -> str:
    """The schema as it lies in `schemas/`."""
    return json.dumps(configuration_schema(registry), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _models(registry: Registry) -> dict[tuple[str, str], type[BlockModel]]:
    models: dict[tuple[str, str], type[BlockModel]] = {}
    for name in registry.step_names():
        models["step", name] = registry.step_type(name).model
    for name in registry.datasource_names():
        models["datasource", name] = registry.datasource_type(name).model
    for name in registry.backend_names():
        models["backend", name] = registry.backend_type(name)[1].model
    for name in registry.endpoint_names():
        models["endpoint", name] = registry.endpoint_type(name)[1].model
    for name in registry.store_names():
        models["artifacts", name] = registry.store_type(name)[1].model
    for name in registry.provider_names():
        models["provider", name] = registry.schema(name).config
    for name, model in METADATA_STORES.items():
        models["metadata", name] = model
    return models


class _Generator(GenerateJsonSchema):
    """References to artifacts and backends are written as expressions."""

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:  # noqa: ARG002 - pydantic's
        return dict(EXPRESSION)


def _defs_of(bodies: Mapping[tuple[str, str], JsonSchemaValue], kind: str) -> list[str]:
    return sorted({_name(body) for (k, _), body in bodies.items() if k == kind})


def _name(reference: Mapping[str, Any]) -> str:
    """The name of the definition that is referred to."""
    return str(reference["$ref"]).rsplit("/", 1)[-1]


def _add_dynamic(model: type[BlockModel], name: str, defs: dict[str, Schema]) -> None:
    """Give the body of a model, and those nested in it, the property `dynamic` for their fields that are blocks."""
    schema = defs[name]
    own = schema.get("properties", {})
    if "dynamic" in own:
        return
    made: dict[str, Schema] = {}
    inside: list[tuple[type[BlockModel], str]] = []
    for field, info in fields(model).items():
        nested, content = nested_model(info), _reference(own[field])
        if nested is None or content is None:
            continue
        how, inner = nested
        block = _object({"for_each": {}, "iterator": TEXT, "content": content}, required=["for_each", "content"])
        if how == "map":
            block["properties"]["labels"] = {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1}
        about = f"Makes a block for each element of for_each: {inner.__doc__ or field}"
        made[field] = {**_blocks(block), "description": about}
        inside.append((inner, _name(content)))
    if made:
        defs[name] = {**schema, "properties": {**own, "dynamic": _object(made)}}
    for inner, called in inside:
        _add_dynamic(inner, called, defs)


def _reference(schema: Any) -> Schema | None:
    """The first reference to a definition of its own inside a schema: that of the blocks a field is made of."""
    if isinstance(schema, dict):
        if str(schema.get("$ref", "#/$defs/expression")) != "#/$defs/expression":
            return {"$ref": schema["$ref"]}
        schema = list(schema.values())
    found = (_reference(item) for item in schema) if isinstance(schema, list) else ()
    return next((item for item in found if item is not None), None)


def _with_meta(schema: Schema, meta: tuple[str, ...]) -> Schema:
    own = schema.get("properties", {})
    added = {name: META_SCHEMAS[name] for name in meta if name not in own}
    if "depends_on" in meta:
        added["lifecycle"] = LIFECYCLE
    if meta == STEP_META:
        added["on_change"] = ON_CHANGE
    return {**schema, "properties": {**own, **added}}


def _open(schema: Any) -> Any:
    """The same schema with an expression allowed wherever a number, a flag, a list or a choice is asked for."""
    if isinstance(schema, list):
        return [_open(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    keep = {"default", "enum", "const", "examples"}
    inner = {
        key: {name: _open(value) for name, value in item.items()} if key == "properties" else _open(item)
        for key, item in schema.items()
        if key not in keep
    }
    inner |= {key: item for key, item in schema.items() if key in keep}
    inner.pop("x-fingerprint", None)
    inner.pop("x-sensitive", None)
    inner.pop("x-exclusive", None)
    inner.pop("x-secret-reference", None)
    if "title" in inner and isinstance(inner["title"], str):
        del inner["title"]
    if "properties" in inner or not ({"type", "enum", "const"} & inner.keys()):
        return inner
    if inner.get("type") == "string" and not ({"enum", "pattern", "format", "minLength", "maxLength"} & inner.keys()):
        return inner
    if inner.get("type") == "null":
        return inner
    outside = {key: inner.pop(key) for key in ("description", "default") if key in inner}
    return {"anyOf": [inner, EXPRESSION], **outside}


def _root(bodies: Mapping[tuple[str, str], JsonSchemaValue]) -> Schema:
    def types(kind: str) -> Schema:
        return {name: body for (k, name), body in sorted(bodies.items()) if k == kind}

    def labelled(kind: str) -> Schema:
        named = {name: {"type": "object", "additionalProperties": _blocks(body)} for name, body in types(kind).items()}
        return _object(named)

    settings = {
        "required_version": TEXT,
        "project": {"type": "string", "pattern": f"^{PROJECT.pattern}$"},
        "require_clean_code": LITERAL_FLAG,
        "reuse_from": {
            "anyOf": [{"type": "array", "items": TEXT}, EXPRESSION],
            "description": "Workspaces whose results may be taken: main, pr-*, or PROJECT/WORKSPACE.",
        },
        "metadata": _object(types("metadata")),
        "artifacts": _object(types("artifacts")),
        "required_providers": {"type": "object", "additionalProperties": TEXT},
        "defaults": _object(dict.fromkeys(ROLES, TEXT)),
    }
    literal: dict[str, Schema] = {
        "type": {
            **TEXT,
            "description": "number, list(string), object({name = string, port = optional(number, 80)}), any, ...",
            "examples": ["string", "number", "bool", "list(string)", "map(number)", "object({name = string})"],
        },
        "default": {"description": "Its value if none is given; without a default one must be given."},
        "description": TEXT,
        "sensitive": {**LITERAL_FLAG, "description": "Its value is never shown, and is in no plan."},
        "nullable": {**LITERAL_FLAG, "description": "false: null means the default."},
        "ephemeral": {**LITERAL_FLAG, "description": "Its value is in no plan, job or record: give it again to apply."},
        "deprecated": {**TEXT, "description": "What to do instead of giving a value; it is shown as a warning."},
    }
    variable = _object({**{name: literal[name] for name in VARIABLE_ATTRIBUTES}, "validation": _blocks(CONDITION)})
    flags = {"sensitive": LITERAL_FLAG, "ephemeral": LITERAL_FLAG}
    shown = {"value": {}, "description": TEXT, **flags, "precondition": _blocks(CONDITION)}
    output = _object(shown, required=["value"])
    check = _object({"assert": _blocks(CONDITION)}, required=["assert"])
    removed = _object({"from": TEXT, "lifecycle": _object({"destroy": LITERAL_FLAG})}, required=["from"])
    call = {"source": TEXT, **{name: META_SCHEMAS[name] for name in MODULE_META}}
    module = {"type": "object", "properties": call, "required": ["source"]}
    return {
        "zenctl": _blocks(_object(settings)),
        "module": {"type": "object", "additionalProperties": module},
        "provider": _object({name: _blocks(body) for name, body in types("provider").items()}),
        "variable": {"type": "object", "additionalProperties": variable},
        "locals": _blocks({"type": "object"}),
        "output": {"type": "object", "additionalProperties": output},
        "backend": labelled("backend"),
        "check": {"type": "object", "additionalProperties": check},
        "moved": _blocks(_object({"from": TEXT, "to": TEXT}, required=["from", "to"])),
        "removed": _blocks(removed),
        "datasource": labelled("datasource"),
        "step": labelled("step"),
        "endpoint": labelled("endpoint"),
    }


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**schema, "required": required} if required else schema


def _blocks(schema: Any) -> Schema:
    """One block, or several as a list."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


CONDITION = _object({"condition": TEXT, "error_message": TEXT}, required=["condition", "error_message"])
ON_CHANGE = _object(
    {
        name: {"enum": list(CHOICES), "description": f"keep: another {name} alone does not make it run."}
        for name in ASPECTS
    }
)
LIFECYCLE = _object(
    {
        "prevent_destroy": LITERAL_FLAG,
        "create_before_destroy": LITERAL_FLAG,
        "ignore_changes": {"anyOf": [{"type": "array", "items": TEXT}, {"const": "all"}, {"const": "${all}"}]},
        "replace_triggered_by": {"type": "array", "items": TEXT},
        "precondition": _blocks(CONDITION),
        "postcondition": _blocks(CONDITION),
    }
)


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_text(configuration_schema_text(discover()), encoding="utf-8")
