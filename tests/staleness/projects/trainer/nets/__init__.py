from .linear import Linear
from .deep import Deep

__all__ = ["Deep", "Linear"]
