"""References to secrets: which forms there are, what is wrong with a text that is none, and where one leads."""

from __future__ import annotations

import difflib
import re
from typing import Mapping, Tuple

ENV, FILE, GOOGLE, AMAZON = "env", "file", "gcp-secret", "aws-secret"
"""The schemes: an environment variable, a file, Google's Secret Manager, AWS Secrets Manager."""

REMOTE = (GOOGLE, AMAZON)
"""Those that a job asks a server for, by its own identity."""

SCHEMES = (ENV, FILE, *REMOTE)

FORMS: Mapping[str, str] = {
    ENV: "env:NAME",
    FILE: "file:PATH",
    GOOGLE: "gcp-secret:projects/PROJECT/secrets/NAME",
    AMAZON: "aws-secret:NAME",
}
"""How a reference of each scheme is written, at its simplest."""

PLACES: Mapping[str, str] = {
    ENV: "an environment variable of the machine that zenctl runs on",
    FILE: "a file of the machine that zenctl runs on",
    GOOGLE: "kept by Secret Manager of Google Cloud",
    AMAZON: "kept by AWS Secrets Manager",
}
"""What each scheme refers to."""

_VERSION = "(/versions/[A-Za-z0-9_-]{1,63})?"
_PATTERNS: Mapping[str, str] = {
    ENV: "[A-Za-z_][A-Za-z0-9_]*",
    FILE: ".+",
    GOOGLE: "(projects/[a-z0-9][a-z0-9.:-]*/(locations/[a-z0-9-]+/)?secrets/)?[A-Za-z0-9_-]{1,255}" + _VERSION,
    AMAZON: "(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[A-Za-z0-9/_+=.@!-]{1,512}(#[^#]+)?",
}

PATTERN = "|".join(f"{scheme}:{_PATTERNS[scheme]}" for scheme in SCHEMES)
"""A regular expression of every reference."""


def split(reference: str) -> Tuple[str, str]:
    """The scheme, and what it refers to."""
    scheme, _, place = reference.partition(":")
    return scheme, place


def fault(text: str) -> str:
    """Why a text is no reference, and what to write instead; empty if it is one.

    The text is not repeated, as it may be the secret itself: of a misspelt scheme only what it was meant to be is told.
    """
    scheme, place = split(text)
    if scheme in _PATTERNS:
        if re.fullmatch(_PATTERNS[scheme], place):
            return ""
        return f"what follows {scheme}: is not as it must be: {_EXACT.get(scheme, FORMS[scheme])}"
    known = ", ".join(f'"{FORMS[name]}"' for name in SCHEMES)
    near = difflib.get_close_matches(scheme, SCHEMES, n=1, cutoff=0.6) if place else []
    guess = f' Did you mean "{near[0]}:"?' if near else ""
    return f"give where the secret is, not the secret: {known}.{guess}"


_EXACT: Mapping[str, str] = {
    GOOGLE: "gcp-secret:projects/PROJECT/secrets/NAME, and /versions/VERSION for another one than the latest; or "
    "gcp-secret:NAME for a secret of the job's own project",
    AMAZON: "aws-secret:NAME or aws-secret:ARN, and #KEY for one value of a secret that is a JSON object",
}
