"""Resolves secret references inside the job, and keeps the values out of what is recorded."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set
from urllib.parse import quote

from zenctl.jobs.secrets.references import AMAZON, ENV, FILE, GOOGLE, split
from zenctl.jobs.secrets.values import MOST, text_of
from zenctl.jobs.storage import StorageError
from zenctl.sdk.errors import StepError

HIDDEN = "(sensitive value)"

SHORTEST, SHORTEST_PART = 4, 8
"""Characters that a value, and a line of one, has at least to be hidden: shorter ones are too common."""

WIDTHS, LONGEST_WRAPPED = (64, 76), 16 << 10
"""Characters of the lines into which programs break base64, and of the longest whose lines are hidden one by one."""

Keepers = Mapping[str, Mapping[str, Any]]
"""How to reach what keeps secrets, by scheme: as `zenctl.jobs.secrets` takes it."""


def resolve(secrets: Mapping[str, str], root: Path = Path(), keepers: Optional[Keepers] = None) -> Dict[str, str]:
    """From {variable: reference} to {variable: value}; raises StepError. Relative paths start at `root`."""
    ask: Dict[str, Callable[[str], str]] = {ENV: _of_environment, FILE: lambda place: _of_file(root, place)}
    found: Dict[str, str] = {}
    known: Dict[str, str] = {}
    for name, reference in secrets.items():
        scheme, place = split(reference)
        if reference not in known:
            try:
                if scheme not in ask:
                    ask[scheme] = _keeper(scheme, (keepers or {}).get(scheme, {}))
                known[reference] = ask[scheme](place)
            except StorageError as problem:
                message = f"the secret {name} ({reference}) cannot be read: {problem}"
                raise StepError(message, problem.hint, kind="user_error") from None
        found[name] = known[reference]
    return found


def redact(text: str, values: Iterable[str]) -> str:
    """The text without any of the values. Values of three characters or less are too common to be hidden."""
    for value in hideable(values):
        text = text.replace(value, HIDDEN)
    return text


def hideable(values: Iterable[str]) -> List[str]:
    """The texts that are hidden, longest first, since one may contain another.

    Besides each value its lines, of which a log may show one alone, and the forms in which programs write it: as
    base64, in a URL, and in a text of JSON or Python.
    """
    found: Set[str] = set()
    for value in values:
        if len(value) < SHORTEST:
            continue
        data = value.encode("utf-8", "surrogateescape")
        standard, in_urls = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
        forms = {standard.rstrip("="), in_urls.rstrip("="), quote(data, safe=""), quote(data)}
        forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
        lines = {line.strip() for line in value.splitlines()}
        if len(standard) <= LONGEST_WRAPPED:
            lines |= {standard[at : at + width] for width in WIDTHS for at in range(0, len(standard), width)}
        found |= {value, *forms, *(line for line in lines if len(line) >= SHORTEST_PART)}
    return sorted(found, key=lambda text: (-len(text), text))


def _of_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise StorageError("NOT_FOUND", f"the environment variable {name} is not set", f"Set {name} where zenctl runs.")
    return value


def _of_file(root: Path, place: str) -> str:
    hint = "Relative paths start at the configuration's folder."
    try:
        with open(root / place, "rb") as stream:
            data = stream.read(MOST + 1)
    except OSError as error:
        raise StorageError("NOT_FOUND", f"the file {place}: {error.strerror}", hint) from error
    return text_of(data, f"the file {place}")


def _keeper(scheme: str, access: Mapping[str, Any]) -> Callable[[str], str]:
    """What gives the values of a server's secrets."""
    if scheme == GOOGLE:
        from zenctl.jobs.secrets.google import GoogleSecrets

        return GoogleSecrets(access).value
    if scheme == AMAZON:
        from zenctl.jobs.secrets.amazon import AmazonSecrets

        return AmazonSecrets(access).value
    raise StorageError("INVALID", f"this zenctl's runner does not know secrets of the form {scheme}:...")
