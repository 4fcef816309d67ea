"""The block `step "python"`: a function of the user's. Its signature says what it takes and gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema, model_validator

from zenctl.schema import ArtifactRef, BlockModel, OutputDecl, StepType, attribute

ArtifactType = Literal[
    "Anomalies",
    "Artifact",
    "Dataset",
    "History",
    "Metrics",
    "Model",
    "Predictions",
    "Schema",
    "Statistics",
    "Transform",
]
"""What an output can be."""


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

_REFERENCE = "env:[A-Za-z_][A-Za-z0-9_]*|file:.+"


def _reference(text: str) -> str:
    if not re.fullmatch(_REFERENCE, text):
        raise ValueError('give where the secret is, not the secret: "env:NAME" or "file:PATH"')
    return text


SecretReference = Annotated[
    str, AfterValidator(_reference), WithJsonSchema({"type": "string", "pattern": f"^({_REFERENCE})$"})
]
"""Where a secret is found on this machine."""


class Environment(BlockModel):
    """What the step runs in, and what of that makes its results stale when it changes."""

    track: Literal["imports", "lock", "none"] = attribute(
        "imports: the Python version and the installed versions of the packages that the code imports, with all that "
        "these need. lock: the Python version and the requirements file alone, whatever is installed. none: nothing.",
        default="imports",
    )
    requirements: str = attribute(
        "A pip requirements file, relative to the configuration, that the environment is made from. What it says "
        "counts, comments and order do not; files that it includes count too.",
        default="",
    )
    image: ImageReference | None = attribute(
        'The container image that the step runs in, by its digest: "python@sha256:...". It needs Python 3.9 or newer '
        "as python3, and what the code imports. Its digest counts instead of what is installed here.",
        default=None,
    )
    variables: list[str] = attribute(
        "Environment variables that the result depends on, such as OMP_NUM_THREADS. Only digests of their values are "
        "recorded. Not for secrets: another secret would make the step stale.",
        default=[],
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Environment:
        if self.track == "lock" and not self.requirements:
            raise ValueError('track = "lock" needs `requirements`, the file that is the lock')
        if self.image and self.requirements:
            raise ValueError("an image holds its packages already: give either `image` or `requirements`")
        return self


class Python(BlockModel):
    """The block's attributes."""

    code: str = attribute(
        'The function: "path/file.py:function", relative to the configuration. Pinned to a commit: '
        '"git::.//path/file.py:function?ref=<commit, tag or branch>"; a URL or a folder before `//` names another '
        "repository.",
        min_length=1,
    )
    inputs: dict[str, ArtifactRef] = attribute(
        "Artifacts by parameter: { train = step.split.penguins.train }.", default={}
    )
    params: dict[str, Any] = attribute(
        "Values of the function's keyword-only parameters; any JSON value. Part of the fingerprint.", default={}
    )
    files: list[str] = attribute(
        "Files the code reads besides its modules, as glob patterns relative to the configuration. Their content is "
        "part of the fingerprint.",
        default=[],
    )
    secrets: dict[str, SecretReference] = attribute(
        'Environment variables of the step that hold secrets, by reference: { TOKEN = "env:TOKEN" } or '
        '"file:PATH". The value is never written anywhere.',
        default={},
        fingerprint=False,
    )
    environment: Environment = attribute(
        'What the step runs in and what of it counts: environment { track = "lock", requirements = "lock.txt" }.',
        # Made without the validators, which would be built for it at every start.
        default=Environment.model_construct(),
        fingerprint=False,
    )
    outputs: dict[str, ArtifactType] = attribute(
        'Outputs that the signature does not annotate: { model = "Model" }.', default={}
    )


def _outputs(attributes: Mapping[str, Any]) -> dict[str, OutputDecl]:
    """Those declared in the block; the signature's are added by evaluation, which can read it."""
    declared = attributes.get("outputs") or {}
    return {name: OutputDecl(str(type_)) for name, type_ in declared.items()}


PYTHON = StepType(
    name="python",
    description="Run a function of your own.",
    model=Python,
    inputs=None,
    outputs=_outputs,
)
