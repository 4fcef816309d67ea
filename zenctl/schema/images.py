"""A container image as blocks name it: by its digest."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}"


def _pinned_image(text: str) -> str:
    if not re.fullmatch(_IMAGE, text):
        raise ValueError(
            f'give the image by its digest, "NAME@sha256:...": "{text}" can be another one tomorrow. '
            f"`docker buildx imagetools inspect {text}` tells it"
        )
    return text


ImageReference = Annotated[
    str, AfterValidator(_pinned_image), WithJsonSchema({"type": "string", "pattern": f"^{_IMAGE}$"})
]
"""A container image that cannot change: its name and its digest."""
