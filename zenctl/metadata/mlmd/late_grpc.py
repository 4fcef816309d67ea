"""Puts off importing gRPC until it is used: a third of what ML Metadata's import costs, for remote stores only."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Late(ModuleType):
    """Stands for a module; the first question for one of its attributes imports it.

    `importlib.util.LazyLoader` would not do: on Python 3.11 every other `import` of the module loads it.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def put_off_grpc() -> None:
    """Called before ML Metadata is imported. Does nothing where gRPC is there already."""
    sys.modules.setdefault("grpc", _Late("grpc"))
