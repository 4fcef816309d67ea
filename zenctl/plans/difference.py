"""Names what differs between two plain JSON values, path by path."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

from zenctl.addrs import NAME
from zenctl.digests import canonical_json
from zenctl.lazy_dataclasses import dataclass

_IMPORTING = threading.Lock()

ABSENT = object()
"""Stands for a value that is not there on one side."""


class _Hidden(str):
    """A leaf that is compared as a whole and shown only by what kind of value it is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that differs. `path` reads like an expression: `epochs`, `layers[0].units`, `by["a b"]`."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {show(self.before)} -> {show(self.after)}"


def show(value: Any, limit: int = 60) -> str:
    """A value as one short line: JSON, `(none)` where absent, cut with an ellipsis."""
    if value is ABSENT:
        return "(none)"
    leaf = _hidden(value)
    if leaf is not None:
        kind = leaf.partition(" ")[0]
        return "(sensitive value)" if kind == "sensitive" else "(known after apply)"
    text = json.dumps(json.loads(canonical_json(value)), ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _deepdiff() -> Any:
    """DeepDiff. It costs 0.2 s to import, so it is loaded only where there is a difference to name.

    It would import numpy, pandas and polars where they are installed, to know their types: another half a second, for
    values that plain JSON does not have.
    """
    with _IMPORTING:
        hidden = [name for name in ("numpy", "pandas", "polars") if name not in sys.modules]
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
        try:
            from deepdiff import DeepDiff
        finally:
            for name in hidden:
                del sys.modules[name]
    return DeepDiff


def differences(before: Any, after: Any, prefix: str = "") -> list[Difference]:
    """Every place where two plain JSON values differ, sorted by path; empty if they are equal as JSON.

    `prefix` is put before each path (`params`). 1 and 1.0 are equal, as they are in HCL.
    """
    if canonical_json(before) == canonical_json(after):
        return []
    tree = _deepdiff()(
        _leaves(before),
        _leaves(after),
        ignore_numeric_type_changes=True,
        verbose_level=2,
        view="tree",
        threshold_to_diff_deeper=0,
    )
    found = []
    for levels in tree.values():
        for level in levels:
            old = ABSENT if repr(level.t1) == "not present" else _value(level.t1)
            new = ABSENT if repr(level.t2) == "not present" else _value(level.t2)
            found.append(Difference(_text(prefix, level.path(output_format="list")), old, new))
    return sorted(found, key=lambda d: d.path)


def _hidden(value: Any) -> _Hidden | None:
    if isinstance(value, dict) and len(value) == 1:
        [(kind, what)] = value.items()
        if kind in ("sensitive", "unknown") and isinstance(what, str):
            return _Hidden(f"{kind} {what}")
    return None


def _leaves(value: Any) -> Any:
    # The marks of sensitive and unknown values are leaves: their inside is no path a user knows.
    # DeepDiff takes false for 0, so booleans are leaves of their own kind too.
    leaf = _Hidden(f"bool {json.dumps(value)}") if isinstance(value, bool) else _hidden(value)
    if leaf is not None:
        return leaf
    if isinstance(value, dict):
        return {key: _leaves(item) for key, item in value.items()}
    return [_leaves(item) for item in value] if isinstance(value, (list, tuple)) else value


def _value(leaf: Any) -> Any:
    """The plain value that a leaf stood for."""
    if isinstance(leaf, _Hidden):
        kind, _, what = leaf.partition(" ")
        return json.loads(what) if kind == "bool" else {kind: what}
    if isinstance(leaf, dict):
        return {key: _value(item) for key, item in leaf.items()}
    return [_value(item) for item in leaf] if isinstance(leaf, list) else leaf


def _text(prefix: str, parts: Sequence[Any]) -> str:
    text = prefix
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text
