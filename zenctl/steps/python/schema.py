"""The block `step "python"`: a function of the user's. Its signature says what it takes and gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema, model_validator

from zenctl.schema import ArtifactRef, BlockModel, ImageReference, OutputDecl, StepType, attribute
from zenctl.steps.secret_reference import SecretReference

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


_VERSION_OR_PATH = r"3\.[0-9]+|.*/.*"


def _version_or_path(text: str) -> str:
    if not re.fullmatch(_VERSION_OR_PATH, text):
        raise ValueError('give a version, "3.11", or the path of an interpreter, with a slash in it')
    return text


PythonReference = Annotated[
    str, AfterValidator(_version_or_path), WithJsonSchema({"type": "string", "pattern": f"^({_VERSION_OR_PATH})$"})
]
"""A Python version, major and minor, or the path of an interpreter."""


class Environment(BlockModel):
    """What the step runs in, and what of that makes its results stale when it changes."""

    track: Literal["imports", "lock", "none"] | None = attribute(
        "imports: the Python version and the installed versions of the packages that the code imports, with all that "
        "these need; the default for a step that runs with what is installed. lock: the Python version and the "
        "requirements file; the default for one with an environment of its own. none: nothing but the file.",
        default=None,
    )
    requirements: str = attribute(
        "A pip requirements file, relative to the configuration: the step runs in a virtual environment that is made "
        "from it, with uv or pip, and kept for all steps with an equal one. What it says counts, comments and order do "
        "not; files that it includes and local archives that it names count too.",
        default="",
    )
    python: PythonReference | None = attribute(
        'The Python of the step\'s own environment: a version, "3.11", or the path of an interpreter. Without it, that '
        "of the backend. Without `requirements` the environment holds nothing but the standard library and zenctl.sdk.",
        default=None,
    )
    build: bool = attribute(
        "false: nothing is made of `requirements`. The step runs with what is installed, and the file only counts.",
        default=True,
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
        if self.python and (self.image or not self.build):
            raise ValueError("`python` is for an environment of the step's own: leave out `image` and `build = false`")
        if self.builds and self.track == "imports":
            raise ValueError(
                "a step with an environment of its own does not run with what is installed here, which `imports` "
                "tracks. Leave `track` out; or, to run with what is installed, set build = false"
            )
        if self.track == "lock" and not self.requirements:
            raise ValueError('track = "lock" needs `requirements`, the file that is the lock')
        if self.image and self.requirements:
            raise ValueError("an image holds its packages already: give either `image` or `requirements`")
        return self

    @property
    def builds(self) -> bool:
        """Whether the step runs in a virtual environment of its own."""
        return self.build and bool(self.requirements or self.python)

    @property
    def tracks(self) -> str:
        """What counts, given or by default."""
        return self.track or ("lock" if self.builds else "imports")


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
        'Environment variables of the step that hold secrets, by reference: { TOKEN = "env:TOKEN" } or "file:PATH" on '
        'a backend of type local; "gcp-secret:projects/PROJECT/secrets/NAME[/versions/VERSION]" or '
        '"aws-secret:NAME[#KEY]", which the job reads by its own identity. The value is never written anywhere.',
        default={},
        fingerprint=False,
        secret_reference=True,
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
