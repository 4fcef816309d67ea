"""The one table of what zenctl writes into ML Metadata: types of nodes and their properties. It only ever grows.

A type's name, its base type and the kind of a property can never change once a release has written them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Union

from zenctl.lazy_dataclasses import dataclass

FORMAT = 1
"""Version of how records are laid out. A store of a newer format is refused; grown types do not change it."""

PropertyKind = Union[type[str], type[int], type[float]]
PropertyKinds = Mapping[str, PropertyKind]

PREFIX = "zenctl."
"""What a type's name begins with in ML Metadata, where other programs may keep types too."""

STORE = "Store"
WORKSPACE = "Workspace"
APPLY = "Apply"
TRANSITION = "Transition"

_EXECUTION: PropertyKinds = {
    "project": str,
    "workspace": str,
    "workspace_key": str,
    "address": str,
    "address_key": str,
    "serial": int,
    "operation": str,
    "head": str,
    "attempt": str,
    "fingerprint": str,
    "components": str,
    "environment": str,
    "notes": str,
    "attributes": str,
    "handle": str,
    "backend": str,
    "code_version": str,
    "error": str,
    "warnings": str,
    "source": int,
    "imported_from": str,
    "producers": str,
    "produced_ms": int,
    "repeated": int,
    "resumed": str,
    "started_ms": int,
    "ended_ms": int,
}

_ARTIFACT: PropertyKinds = {"digest": str, "bytes": int, "properties": str}

_CONTEXTS: Mapping[str, PropertyKinds] = {
    STORE: {"format": int, "types": str, "dialect": str},
    WORKSPACE: {
        "project": str,
        "workspace": str,
        "workspace_key": str,
        "state": str,
        "ttl_seconds": int,
        "expires_ms": int,
        "token": str,
        "serial": int,
    },
    APPLY: {
        "project": str,
        "workspace": str,
        "workspace_key": str,
        "serial": int,
        "token": str,
        "state": str,
        "outcome": str,
        "outputs": str,
        "has_outputs": int,
        "outputs_serial": int,
        "transitions": int,
        "host": str,
        "user": str,
        "pid": int,
        "pid_namespace": str,
        "process_started": float,
        "process": str,
        "command": str,
        "plan": str,
        "since_ms": int,
        "ended_ms": int,
        "lease_seconds": float,
        "lease_until_ms": int,
    },
    TRANSITION: {"token": str},
}

EXECUTION_BASES: Mapping[str, str] = {
    "Train": "TRAIN",
    "Transform": "TRANSFORM",
    "Process": "PROCESS",
    "Evaluate": "EVALUATE",
    "Deploy": "DEPLOY",
}
"""Execution types and MLMD's system type that each refines; empty where there is none."""

ARTIFACT_BASES: Mapping[str, str] = {
    "Dataset": "DATASET",
    "Model": "MODEL",
    "Metrics": "METRICS",
    "Statistics": "STATISTICS",
    "Schema": "",
    "Transform": "",
    "Anomalies": "",
    "History": "",
    "Predictions": "",
    "Artifact": "",
}
"""Artifact types and MLMD's system type that each refines; empty where there is none."""


class UnknownType(ValueError):
    """A type, a property or the kind of its value is not in the table: a mistake in the program, not of its user."""


@dataclass(frozen=True, slots=True)
class TypeTable:
    """Properties by type, for each kind of node."""

    executions: Mapping[str, PropertyKinds]
    artifacts: Mapping[str, PropertyKinds]
    contexts: Mapping[str, PropertyKinds]

    def union(self, other: TypeTable) -> TypeTable:
        """Everything that either table has: a store grown by a newer zenctl keeps what that added."""
        return TypeTable(
            _union(self.executions, other.executions),
            _union(self.artifacts, other.artifacts),
            _union(self.contexts, other.contexts),
        )

    def covers(self, other: TypeTable) -> bool:
        """Whether nothing of `other` is missing here."""
        return self.union(other) == self


TABLE = TypeTable(
    executions=dict.fromkeys(EXECUTION_BASES, _EXECUTION),
    artifacts=dict.fromkeys(ARTIFACT_BASES, _ARTIFACT),
    contexts=_CONTEXTS,
)


def _union(ours: Mapping[str, PropertyKinds], others: Mapping[str, PropertyKinds]) -> dict[str, PropertyKinds]:
    names = [*ours, *(name for name in others if name not in ours)]
    return {name: {**others.get(name, {}), **ours.get(name, {})} for name in names}


def check_properties(
    table: Mapping[str, PropertyKinds], type_: str, properties: Mapping[str, str | int | float]
) -> None:
    """Raise UnknownType unless the type is in the table and every property is declared, of its kind and storable."""
    kinds = check_type(table, type_)
    for name, value in properties.items():
        kind = kinds.get(name)
        if kind is None:
            raise UnknownType(f"{type_} has no property {name!r}")
        if type(value) is not kind:
            raise UnknownType(f"{type_}.{name} is {kind.__name__}, not {type(value).__name__}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UnknownType(f"{type_}.{name} cannot hold {value}")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise UnknownType(f"{type_}.{name} holds 64 bits, which {value} does not fit")
        if isinstance(value, str):
            check_text(f"{type_}.{name}", value)


def check_type(table: Mapping[str, PropertyKinds], type_: str) -> PropertyKinds:
    """The properties of a type; raises UnknownType."""
    if type_ not in table:
        raise UnknownType(f"{type_!r} is not one of {', '.join(sorted(table))}")
    return table[type_]


def check_text(what: str, text: str) -> None:
    """Raise UnknownType for a text that has no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise UnknownType(f"{what} is not valid Unicode text: {problem}") from problem
