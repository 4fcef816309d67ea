"""Lets the real server of an endpoint hold a model of one number: these tests need not wait for TensorFlow."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from after_import import after_import


def install() -> None:
    """Have the server's module load such models, and find a TensorFlow that does nothing."""
    after_import("zenctl_local.serving_model", _read_factors)
    sys.modules["tensorflow"] = ModuleType("tensorflow")


def _read_factors(module: Any) -> None:
    def load_model(folder: Any, digest: str, version: int) -> Any:
        factor = float((folder / "factor.txt").read_text())
        scalar = module.TensorInfo("float32", (None,))
        call = module.SignatureInfo({"x": scalar}, {"y": scalar}, lambda row: {"y": row["x"] * factor})
        return module.LoadedModel(digest, version, {module.DEFAULT_SIGNATURE: call})

    module.load_model = load_model
