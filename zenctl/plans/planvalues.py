"""Lays values out as Terraform's `planned_values` and `prior_state` do: a tree of modules with resources. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from zenctl.addrs import NAME, Address, ModuleInstance
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change, Plan

Json = dict[str, Any]


def provider_name(provider: str) -> str:
    """A provider's full name, as a registry address; what no provider offers is zenctl's own."""
    return f"zenctl.dev/zenctl/{provider.partition('.')[0] or 'zenctl'}"


def planned_values(plan: Plan) -> Json:
    """What will be true after apply, as far as it is known: unknown and sensitive values are left out or null."""
    gone = (Action.DELETE, Action.FORGET)
    kept = [(c, c.after, c.after_unknown) for c in plan.changes if c.action not in gone and c.after is not None]
    outputs = {
        output.name: {"sensitive": output.sensitive}
        | ({} if output.unknown or output.sensitive else {"value": output.after})
        for output in plan.outputs
        if output.unknown or output.after is not None
    }
    return {"outputs": outputs, "root_module": _tree(kept)}


def prior_values(plan: Plan) -> Json:
    """What is recorded now of what the plan is about."""
    kept = [(change, change.before, ()) for change in plan.changes if change.before is not None]
    outputs = {
        output.name: {"sensitive": output.sensitive} | ({} if output.sensitive else {"value": output.before})
        for output in plan.outputs
        if output.before is not None
    }
    return {"outputs": outputs, "root_module": _tree(kept)}


def _tree(kept: Iterable[tuple[Change, Any, Sequence[str]]]) -> Json:
    """The modules as a tree, each with its resources; a module without any is there only for what is below it."""
    root: Json = {}
    modules: dict[tuple[ModuleInstance, ...], Json] = {(): root}
    for change, value, unknown in kept:
        module = change.addr.module
        for depth in range(1, len(module) + 1):
            path = module[:depth]
            if path not in modules:
                modules[path] = {"address": ".".join(str(part) for part in path)}
                modules[path[:-1]].setdefault("child_modules", []).append(modules[path])
        modules[module].setdefault("resources", []).append(_resource(change, value, unknown))
    return root


def _resource(change: Change, value: Any, unknown: Sequence[str]) -> Json:
    addr: Address = change.addr
    values, _, hidden = split(value, unknown, change.sensitive)
    found: Json = {"address": str(addr), "mode": "managed", "kind": addr.kind, "type": addr.type, "name": addr.name}
    if addr.key is not None:
        found["index"] = addr.key
    found |= {"provider_name": provider_name(change.provider), "schema_version": 0}
    return {**found, "values": values, "sensitive_values": hidden}


def split(value: Any, unknown: Sequence[str], sensitive: Sequence[str]) -> tuple[Any, Any, Any]:
    """The value without what is unknown or sensitive, and where those are: maps of the same shape that hold `true`."""
    if value is None:
        return None, {}, {}
    marks = _Marks(frozenset(unknown), frozenset(sensitive))
    return marks.walk(value, "")


class _Marks:
    def __init__(self, unknown: frozenset[str], sensitive: frozenset[str]) -> None:
        self.unknown = unknown
        self.sensitive = sensitive

    def walk(self, value: Any, path: str) -> tuple[Any, Any, Any]:
        # Not recursion over steps but over one block's attributes, whose depth a person wrote.
        if value.__class__ in _SCALARS and path not in self.sensitive and path not in self.unknown:
            return value, {}, {}
        kind = _placeholder(value)
        if path in self.sensitive or kind == "sensitive":
            return None, {}, True
        if path in self.unknown or kind == "unknown":
            return None, True, {}
        if isinstance(value, Mapping):
            plain: Any = {}
            unknown: Any = {}
            hidden: Any = {}
            for key, item, inner in _entries(value, path):
                plain[key], u, s = self.walk(item, inner)
                unknown |= {key: u} if u else {}
                hidden |= {key: s} if s else {}
            return plain, unknown, hidden
        if isinstance(value, (list, tuple)):
            rows = [self.walk(item, f"{path}[{index}]") for index, item in enumerate(value)]
            some_unknown, some_hidden = any(u for _, u, _ in rows), any(s for _, _, s in rows)
            return (
                [item for item, _, _ in rows],
                [u or False for _, u, _ in rows] if some_unknown else {},
                [s or False for _, _, s in rows] if some_hidden else {},
            )
        return value, {}, {}


_SCALARS = frozenset({bool, float, int, str, type(None)})


def _entries(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any, str]]:
    for key, item in value.items():
        if NAME.fullmatch(key):
            yield key, item, f"{path}.{key}" if path else key
        else:
            yield key, item, f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _placeholder(value: Any) -> str:
    """`unknown` or `sensitive` for the marks that stand for such values inside a fingerprint's parameters."""
    if value.__class__ not in _SCALARS and isinstance(value, Mapping) and len(value) == 1:
        [(kind, what)] = value.items()
        if kind in ("unknown", "sensitive") and isinstance(what, str):
            return str(kind)
    return ""
