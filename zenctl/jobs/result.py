"""JobResult: what came of a job, as `result.json` holds it. Its presence is the truth; a backend's status is a hint."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Mapping, Optional, Tuple

from zenctl.lazy_dataclasses import dataclass

FORMAT = 1
"""Version of result.json's form."""


@dataclass(frozen=True)
class OutputResult:
    """One written output: its content digest (of the tree, see `artifacts`), files and bytes.

    `properties` are plain JSON values worth reading without opening the artifact: metrics, `rows`, `value`.
    `reused` of the files were not written, as the store had them already. `notes` are the digests of what the job left
    for later ones (`artifacts.note_path`), by their keys.
    """

    type: str
    digest: str
    files: int
    bytes: int
    properties: Mapping[str, Any] = field(default_factory=dict)
    reused: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobError:
    """Why a job failed.

    `kind` is one of `user_error` (the code raised; `traceback` has the user's frames only), `output_missing`,
    `input_corrupt`, `source_changed`, `source_unreadable`, `bad_data` (the message is for the user as it is),
    `timeout`, `canceled`, `storage`, `environment` (it cannot be made), `internal`. `file` and `line` point into the
    user's code or data where that is known.
    """

    kind: str
    message: str
    traceback: str = ""
    file: str = ""
    line: int = 0
    hint: str = ""


@dataclass(frozen=True)
class JobWarning:
    """Something that the job's code wants the user to know of. `summary` is one line; neither holds a secret."""

    summary: str
    detail: str = ""


@dataclass(frozen=True)
class JobResult:
    """The outcome. `error` is None exactly if every declared output was written and verified.

    `environment` is what the step really ran with: {"python": "3.11", "distributions": {"tensorflow": "2.19.1"}}.
    `started` and `ended` are Unix times. `warnings` are in the order they were given, also those of a job that failed;
    their number and size are bounded. `resumed` is the job whose checkpoint it went on from; empty if it began anew.
    """

    job_id: str
    outputs: Mapping[str, OutputResult] = field(default_factory=dict)
    error: Optional[JobError] = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    started: float = 0.0
    ended: float = 0.0
    warnings: Tuple[JobWarning, ...] = ()
    resumed: str = ""
    format: int = FORMAT

    @property
    def ok(self) -> bool:
        return self.error is None
