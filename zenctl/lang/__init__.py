"""The configuration language: HCL and its YAML twin, from text to values.

`evaluate`, `references` and `format` are functions here and modules too; the modules are loaded first, so that the
functions keep the names. What needs YAML or the schema is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import zenctl.lang.evaluate as _evaluate_module
import zenctl.lang.references as _references_module
from zenctl.lang.api import EvalResult, ParseResult, evaluate, parse, references, typed
from zenctl.lang.format import format
from zenctl.lang.references import Reference
from zenctl.lang.values import Sensitive, is_sensitive, is_unknown

if TYPE_CHECKING:
    from zenctl.schema.references import Unknown

__all__ = [
    "EvalResult",
    "ParseResult",
    "Reference",
    "Sensitive",
    "Unknown",
    "evaluate",
    "format",
    "is_sensitive",
    "is_unknown",
    "parse",
    "references",
    "typed",
]

del _evaluate_module, _references_module


def __getattr__(name: str) -> Any:
    if name == "Unknown":  # its package imports pydantic
        return import_module("zenctl.schema.references").Unknown
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
