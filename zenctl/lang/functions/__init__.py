"""The standard library of functions, by name."""

from collections.abc import Mapping

from zenctl.lang.calls import Function
from zenctl.lang.functions.building import BUILDING
from zenctl.lang.functions.collections import COLLECTIONS
from zenctl.lang.functions.converting import CONVERTING
from zenctl.lang.functions.encoding import ENCODING
from zenctl.lang.functions.numeric import NUMERIC
from zenctl.lang.functions.texts import TEXTS

FUNCTIONS: Mapping[str, Function] = {**NUMERIC, **TEXTS, **COLLECTIONS, **BUILDING, **CONVERTING, **ENCODING}

__all__ = ["FUNCTIONS"]
