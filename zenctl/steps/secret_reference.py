"""The type of attributes that say where a secret is."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from zenctl.jobs.secrets.references import PATTERN, fault


def _checked(text: str) -> str:
    wrong = fault(text)
    if wrong:
        raise ValueError(wrong)
    return text


SecretReference = Annotated[
    str, AfterValidator(_checked), WithJsonSchema({"type": "string", "pattern": f"^({PATTERN})$"})
]
"""A reference to a secret, never the secret: `env:NAME`, `file:PATH`, `gcp-secret:...` or `aws-secret:...`."""
