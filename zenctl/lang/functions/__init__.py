"""The standard library of functions, by name."""

from zenctl.lang.functions.converting import CONVERTING
from zenctl.lang.functions.numeric import NUMERIC

FUNCTIONS = {**NUMERIC, **CONVERTING}

__all__ = ["FUNCTIONS"]
