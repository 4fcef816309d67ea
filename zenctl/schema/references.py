"""Values that are not plain data: a reference to an artifact or a backend, and a value not known before apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pydantic_core.core_schema import CoreSchema, is_instance_schema

from zenctl.addrs import Address, BackendAddr
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is known only after apply. `type` is a type expression of the language, `any` if not known."""

    type: str = "any"

    def __str__(self) -> str:
        return "(known after apply)"


class _Instance:
    """Base of what a model takes as it is: pydantic looks at its class only, and makes none of plain data."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        return is_instance_schema(cls, ref=f"{cls.__module__}.{cls.__qualname__}")


@dataclass(frozen=True, slots=True)
class ArtifactRef(_Instance):
    """One output of a step or datasource, as configuration refers to it: `step.split.penguins.train`.

    `digest` and `uri` are None until known. `values` are what an expression may read from it by attribute (metrics,
    `value`), None until known; `type` is the artifact type (`Dataset`, `Model`, `Metrics`, ...).
    """

    address: Address
    output: str
    type: str
    digest: str | None = None
    uri: str | None = None
    values: Mapping[str, Any] | None = field(default=None, hash=False)

    def __str__(self) -> str:
        return str(self.address) if self.output == "data" else f"{self.address}.{self.output}"


@dataclass(frozen=True, slots=True)
class BackendRef(_Instance):
    """A backend, as configuration refers to it: `backend.local.here`."""

    address: BackendAddr

    def __str__(self) -> str:
        return str(self.address)
