"""Describes every installed block type as plain JSON: what `zenctl providers schema -json` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin

from pydantic.fields import FieldInfo

import zenctl
from zenctl.config.conforming import LANGUAGE_TYPES, choices_of, fields, members_of, plain_annotation
from zenctl.config.metadata_stores import METADATA_STORES
from zenctl.config.names import nested_model
from zenctl.config.nodes import ENDPOINT_META, META, STEP_META
from zenctl.diagnostics import Diagnostic, DiagnosticError
from zenctl.provider.registry import Registry
from zenctl.schema import ArtifactRef, BackendRef, BlockModel, ProviderSchema, StepType
from zenctl.schema.block import is_fingerprinted, is_sensitive

FORMAT_VERSION = "1.0"
"""Version of the document. A new minor version only adds keys; a new major one is to be refused by old readers."""

Json = dict[str, Any]
T = TypeVar("T")

_REFERENCES: Mapping[Any, str] = {ArtifactRef: "artifact", BackendRef: "backend", Any: "any"}
_NESTING = {"one": "single", "list": "list", "map": "map"}
_LIMITS = {
    "ge": "minimum",
    "gt": "exclusive_minimum",
    "le": "maximum",
    "lt": "exclusive_maximum",
    "min_length": "min_length",
    "max_length": "max_length",
}
"""What pydantic's constraints are called, and what they are called here."""


def type_schemas(registry: Registry) -> tuple[Json, list[Diagnostic]]:
    """The document, and what is wrong with installed packages: these are left out."""
    problems: list[Diagnostic] = []
    providers: Json = {}
    for name in registry.provider_names():
        schema = _loaded(registry.schema, name, problems)
        if schema is not None:
            providers[name] = _provider(schema, registry.provider(name).version)
    steps = _each(registry.step_names(), registry.step_type, problems)
    datasources = _each(registry.datasource_names(), registry.datasource_type, problems)
    document = {
        "format_version": FORMAT_VERSION,
        "zenctl_version": zenctl.__version__,
        "provider_schemas": providers,
        "step_schemas": {name: _step(step) for name, step in steps.items()},
        "datasource_schemas": {
            name: {"version": found.version, "description": found.description, "block": block_schema(found.model)}
            for name, found in datasources.items()
        },
        "metadata_store_schemas": {
            name: {"block": block_schema(model)} for name, model in sorted(METADATA_STORES.items())
        },
        "meta_arguments": {"step": list(STEP_META), "datasource": list(META), "endpoint": list(ENDPOINT_META)},
    }
    return document, problems


def block_schema(model: type[BlockModel], around: Sequence[type[BlockModel]] = ()) -> Json:
    """The attributes of a block and the blocks inside it. A block inside one of its own kind is an attribute."""
    attributes: Json = {}
    blocks: Json = {}
    for name, info in fields(model).items():
        nested = nested_model(info)
        if nested is None or nested[1] in (*around, model):
            attributes[name] = attribute_schema(info)
        else:
            how, inner = nested
            blocks[name] = {
                "nesting_mode": _NESTING[how],
                "description": info.description or "",
                "required": info.is_required(),
                "block": block_schema(inner, (*around, model)),
            }
    return {"attributes": attributes, "block_types": blocks}


def attribute_schema(info: FieldInfo) -> Json:
    """One attribute. It has a `default` unless it is required; `choices`, `integer` and limits where there are some."""
    annotation = plain_annotation(info.annotation)
    found: Json = {
        "type": type_text(annotation),
        "description": info.description or "",
        "required": info.is_required(),
        "sensitive": is_sensitive(info),
        "fingerprint": is_fingerprinted(info),
    }
    if not info.is_required():
        found["default"] = _plain(info.get_default(call_default_factory=True))
    choices = choices_of(annotation)
    if choices is not None:
        found["choices"] = list(choices)
    if annotation is int:
        found["integer"] = True
    members = members_of(annotation)
    if members is not None:
        found["any_of"] = [type_text(member) for member in members]
    for constraint in info.metadata:
        for theirs, ours in _LIMITS.items():
            limit = getattr(constraint, theirs, None)
            if limit is not None:
                found[ours] = limit
    return found


def type_text(annotation: Any) -> str:
    """The type expression of what an attribute takes: `list(number)`; `artifact` and `backend` are references."""
    annotation = plain_annotation(annotation)
    if annotation in _REFERENCES or annotation in LANGUAGE_TYPES:
        return _REFERENCES.get(annotation) or LANGUAGE_TYPES[annotation]
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    choices = choices_of(annotation)
    if choices is not None:
        kinds = {LANGUAGE_TYPES.get(type(choice), "any") for choice in choices}
        return kinds.pop() if len(kinds) == 1 else "any"
    if members_of(annotation) is not None or not isinstance(origin, type):
        return "any"
    inner = type_text(next((a for a in reversed(arguments) if a is not Ellipsis), Any))
    if issubclass(origin, BlockModel):
        return "object"
    if issubclass(origin, Mapping):
        return f"map({inner})"
    if issubclass(origin, Set):
        return f"set({inner})"
    if issubclass(origin, Sequence):
        return f"list({inner})"
    return "any"


def _provider(schema: ProviderSchema, version: str) -> Json:
    return {
        "version": version,
        "provider": block_schema(schema.config),
        "backend_schemas": {
            name: {"description": t.description, "roles": list(t.roles), "block": block_schema(t.model)}
            for name, t in sorted(schema.backends.items())
        },
        "endpoint_schemas": {
            name: {"description": t.description, "block": block_schema(t.model)}
            for name, t in sorted(schema.endpoints.items())
        },
        "artifact_store_schemas": {
            name: {"description": t.description, "scheme": t.scheme, "block": block_schema(t.model)}
            for name, t in sorted(schema.stores.items())
        },
    }


def _step(step: StepType) -> Json:
    inputs = None
    if step.inputs is not None:
        inputs = {
            name: {"types": list(found.types), "required": found.required, "description": found.description}
            for name, found in step.inputs.items()
        }
    return {
        "version": step.version,
        "description": step.description,
        "inputs": inputs,
        "block": block_schema(step.model),
    }


def _each(names: Iterable[str], load: Callable[[str], T], problems: list[Diagnostic]) -> dict[str, T]:
    found = {}
    for name in names:
        made = _loaded(load, name, problems)
        if made is not None:
            found[name] = made
    return found


def _loaded(load: Callable[[str], T], name: str, problems: list[Diagnostic]) -> T | None:
    try:
        return load(name)
    except DiagnosticError as problem:
        problems += problem.diagnostics
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, BlockModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
