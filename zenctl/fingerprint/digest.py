"""Makes one digest of everything a result depends on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.digests import sha256_json
from zenctl.plans.actions import Components

FORMAT = 1
"""Version of what a fingerprint covers; a change makes every recorded result stale."""


DECLARED = ("lock", "variables", "image")
"""Parts of the environment that count if a step declares them."""


def fingerprint(components: Components) -> str:
    """The digest of a result's components in lowercase hex; "" while an input or a parameter is not known.

    It covers the type with its implementation version, the entry function's name and its closure's digest (declared
    files included, the entry file's path not), the parameters, the digests of inputs and source, and the environment.
    Raises TypeError or ValueError if a parameter has no JSON form.
    """
    if is_unknown([components.params, components.triggers_replace]) or any(
        not digest for digest in components.inputs.values()
    ):
        return ""
    if components.source and not components.source.get("digest"):
        return ""
    code = components.code
    return sha256_json(
        {
            "format": FORMAT,
            "type": components.type,
            "code": {"function": function_name(code), "digest": code.get("digest", "")} if code else {},
            "params": components.params,
            "inputs": components.inputs,
            "source": components.source.get("digest", ""),
            "environment": {
                "python": components.environment.get("python", ""),
                "distributions": components.environment.get("distributions", {}),
                # Left out where nothing is declared, so that what was recorded before stays fresh.
                **{name: _counts(name, components.environment) for name in DECLARED if name in components.environment},
            },
            # Left out where there is none: results recorded without it keep their fingerprint.
            **({} if components.triggers_replace is None else {"triggers_replace": components.triggers_replace}),
        }
    )


def _counts(name: str, environment: Mapping[str, Any]) -> Any:
    """What of a declared part counts. Of an image its digest: the same image may come from a mirror."""
    return image_digest(environment[name]) if name == "image" else environment[name]


def image_digest(reference: str) -> str:
    """`sha256:...` of `NAME@sha256:...`."""
    return reference.rpartition("@")[2]


def function_name(code: Mapping[str, Any]) -> str:
    """`fit` of {"entry": "steps/fit.py:fit"}."""
    return str(code.get("entry", "")).rpartition(":")[2]


def is_unknown(value: Any) -> bool:
    """Whether a mark {"unknown": type} stands anywhere inside; such a value is known only after apply."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            if set(item) == {"unknown"}:
                return True
            pending += item.values()
        elif isinstance(item, (list, tuple)):
            pending += item
    return False
