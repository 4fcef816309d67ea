"""Calls a function with a module right after that module was imported for the first time."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

Wrap = Callable[[Any], None]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds as all others do, and has the loader call what waits for the module."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Wrap]] = {}

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self.waiting:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                self._extend(spec.loader, self.waiting.pop(name))
                return spec
        return None

    @staticmethod
    def _extend(loader: Any, wraps: list[Wrap]) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for wrap in wraps:
                wrap(module)

        loader.exec_module = exec_module


_finder = _Finder()


def after_import(name: str, wrap: Wrap) -> None:
    """Have `wrap` called with the module of that name, which must not be imported yet."""
    if not _finder.waiting:
        sys.meta_path.insert(0, _finder)
    _finder.waiting.setdefault(name, []).append(wrap)
