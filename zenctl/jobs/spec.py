"""JobSpec: the whole order for one run of a step, as `job.json` holds it. Nothing else tells a job what to do."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Mapping, Optional, Tuple

from zenctl.jobs.resources import Resources
from zenctl.lazy_dataclasses import dataclass

FORMAT = 1
"""Version of job.json's form. A runner refuses a newer one."""


@dataclass(frozen=True)
class Entry:
    """What to call. Exactly one of `function` (with `file` or `module`) and `command`.

    `file` is relative to the code archive's root; `module` is importable in the job's interpreter.
    `arguments` is "keywords" when inputs, outputs and parameters are passed by name (user code), or "job" when the
    function takes one `zenctl.sdk.Job` (built-in steps).
    """

    file: str = ""
    module: str = ""
    function: str = ""
    command: Tuple[str, ...] = ()
    arguments: str = "keywords"


@dataclass(frozen=True)
class InputSpec:
    """One input: the artifact's type, content digest, and what the SDK hands to the code.

    `as_type` is the SDK type's name that the parameter asks for (`Dataset`, `Model`, `Metrics`, `Artifact`, `Path`).
    """

    type: str
    digest: str
    as_type: str = "Artifact"


@dataclass(frozen=True)
class OutputSpec:
    """One output the job must write: its artifact type. `returned` says that it is the function's return value."""

    type: str
    returned: bool = False


@dataclass(frozen=True)
class VirtualEnvironment:
    """The Python environment that a job is to run in: the packages of pip requirements and nothing else.

    `python` is a version ("3.12") or an interpreter's path, empty for the one that the backend runs jobs with.
    `requirements` and `constraints` are lines in pip's form without includes; relative paths start at the job's
    location "environment". `files` are the digests of local archives that they name, by path; in a job without that
    location they are fetched from the artifact store (`artifacts.archive_path`).
    `settings` are variables that uv and pip are given besides, such as an index. `is_own` says that the step asks for
    it: what is in it is then recorded as a whole. `fetches` says that uv, or the interpreter, may be fetched for it.
    """

    python: str = ""
    requirements: Tuple[str, ...] = ()
    constraints: Tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    is_own: bool = True
    fetches: bool = False


@dataclass(frozen=True)
class Checkpointing:
    """That a job saves checkpoints, for the parameter of its function that takes them.

    `key` is what its attempts have in common (`checkpoints.checkpoint_key`); without one nothing is kept or restored.
    """

    key: str = ""
    parameter: str = ""


@dataclass(frozen=True)
class JobSpec:
    """The order for one job. Paths are relative to the artifact store unless they say otherwise.

    - `params` are part of the fingerprint; `locations` (such as the path of a source file) are not, and are the only
      place where an absolute path may stand; `expect` pins what must still be true when the job looks
      (for a datasource `{"source": <digest seen by plan>}`).
    - `code` is the digest of the code archive (a zip at `artifacts.code_path(code)`), empty for built-in steps.
    - `imports` are third-party top-level modules worth loading before the job starts.
    - `secrets` maps an environment variable's name to a reference; never a value.
    - `image` is the container image that the job is to run in, `NAME@sha256:...`; `variables` name those of the
      environment where zenctl runs that it is to have there.
    - `virtual_environment` is the Python environment that the runner makes, if it is not there yet, and runs it in.
    - `notes` are those of earlier jobs that this one may believe, by key, newest first: (digest of the artifact, digest
      of the note). A store may be written by others, so no other note counts.
    - `resources` are what it needs of a machine.
    - `checkpoints` says that it saves some, and gets those of an earlier attempt back.
    - `timeout` is in seconds.
    """

    job_id: str
    address: str
    entry: Entry
    inputs: Mapping[str, InputSpec] = field(default_factory=dict)
    outputs: Mapping[str, OutputSpec] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    imports: Tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    processing: Mapping[str, Any] = field(default_factory=dict)
    timeout: Optional[float] = None
    image: str = ""
    variables: Tuple[str, ...] = ()
    notes: Mapping[str, Tuple[Tuple[str, str], ...]] = field(default_factory=dict)
    virtual_environment: Optional[VirtualEnvironment] = None
    resources: Resources = Resources()
    checkpoints: Optional[Checkpointing] = None
    format: int = FORMAT

    @property
    def prefix(self) -> str:
        """Folder of this job's own files in the artifact store."""
        return f"jobs/{self.job_id}"


def job_path(job_id: str) -> str:
    """Where job.json stands in the artifact store."""
    return f"jobs/{job_id}/job.json"


def result_path(job_id: str) -> str:
    """Where result.json stands: written last, it is the job's commit mark."""
    return f"jobs/{job_id}/result.json"


def log_path(job_id: str) -> str:
    """Where the job's log stands: what its code printed, both streams, UTF-8."""
    return f"jobs/{job_id}/log.txt"


def progress_path(job_id: str) -> str:
    """Where the job appends its progress: one JSON object a line, `{"done": 3, "total": 10, "unit": "epochs"}`."""
    return f"jobs/{job_id}/progress.jsonl"
