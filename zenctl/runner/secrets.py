"""Resolves secret references inside the job, and keeps the values out of what is recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Iterable, List, Mapping

from zenctl.sdk.errors import StepError

HIDDEN = "(sensitive value)"


def resolve(secrets: Mapping[str, str], root: Path = Path()) -> Dict[str, str]:
    """From {variable: reference} to {variable: value}. `env:NAME` and `file:PATH` are known; raises StepError.

    Relative paths start at `root`.
    """
    return {name: _value(name, reference, root) for name, reference in secrets.items()}


def redact(text: str, values: Iterable[str]) -> str:
    """The text without any of the values. Values of three characters or less are too common to be hidden."""
    for value in hideable(values):
        text = text.replace(value, HIDDEN)
    return text


def hideable(values: Iterable[str]) -> List[str]:
    """The values that are hidden, longest first, since one may contain another."""
    return sorted((v for v in values if len(v) > 3), key=len, reverse=True)


def _value(name: str, reference: str, root: Path) -> str:
    scheme, _, rest = reference.partition(":")
    if scheme == "env" and rest:
        value = os.environ.get(rest)
        if value is None:
            raise StepError(
                f"the secret {name} is to come from the environment variable {rest}, which is not set",
                hint=f"Set {rest} where zenctl runs.",
                kind="user_error",
            )
        return value
    if scheme == "file" and rest:
        try:
            return (root / rest).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise StepError(
                f"the secret {name} is to come from the file {rest}, which cannot be read: {reason}",
                hint="Relative paths start at the configuration's folder.",
                file=rest,
                kind="user_error",
            ) from error
    raise StepError(
        f"the secret {name} has the reference {scheme}:..., which this machine cannot resolve",
        hint="On a local backend use env:NAME or file:PATH.",
        kind="user_error",
    )
