"""JobSpec and JobResult as JSON text and back. A newer format than this code knows is refused, never guessed at."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Dict

from zenctl.digests import canonical_json
from zenctl.jobs.resources import Resources
from zenctl.jobs.result import FORMAT as RESULT_FORMAT
from zenctl.jobs.result import JobError, JobResult, JobWarning, OutputResult
from zenctl.jobs.spec import FORMAT as SPEC_FORMAT
from zenctl.jobs.spec import Checkpointing, Entry, InputSpec, JobSpec, OutputSpec, VirtualEnvironment


class WireError(ValueError):
    """A text is not a job or result of a format this code reads."""


def spec_to_json(spec: JobSpec) -> bytes:
    """job.json's bytes; equal specs give equal bytes."""
    return canonical_json(asdict(spec))


def spec_from_json(data: bytes) -> JobSpec:
    """Read job.json; raises WireError."""
    raw = _load(data, "job.json", SPEC_FORMAT)
    try:
        entry = dict(raw.pop("entry"))
        entry["command"] = tuple(entry["command"])
        inputs = {name: InputSpec(**value) for name, value in raw.pop("inputs").items()}
        outputs = {name: OutputSpec(**value) for name, value in raw.pop("outputs").items()}
        for name in ("imports", "variables"):
            raw[name] = tuple(raw.get(name, ()))
        notes = {key: tuple((a, n) for a, n in found) for key, found in raw.pop("notes", {}).items()}
        own = raw.pop("virtual_environment", None)
        if own is not None:
            own = VirtualEnvironment(**{**own, **{name: tuple(own[name]) for name in ("requirements", "constraints")}})
        if raw.get("checkpoints") is not None:
            raw["checkpoints"] = Checkpointing(**raw["checkpoints"])
        raw["resources"] = Resources(**raw.get("resources", {}))
        return JobSpec(
            entry=Entry(**entry), inputs=inputs, outputs=outputs, notes=notes, virtual_environment=own, **raw
        )
    except (KeyError, TypeError) as error:
        raise WireError(f"job.json: {error}") from error


def result_to_json(result: JobResult) -> bytes:
    """result.json's bytes."""
    return canonical_json(asdict(result))


def result_from_json(data: bytes) -> JobResult:
    """Read result.json; raises WireError."""
    raw = _load(data, "result.json", RESULT_FORMAT)
    try:
        outputs = {name: OutputResult(**value) for name, value in raw.pop("outputs").items()}
        error = raw.pop("error")
        warnings = tuple(JobWarning(**value) for value in raw.pop("warnings", ()))
        return JobResult(outputs=outputs, error=JobError(**error) if error else None, warnings=warnings, **raw)
    except (KeyError, TypeError) as problem:
        raise WireError(f"result.json: {problem}") from problem


def _load(data: bytes, name: str, newest: int) -> Dict[str, Any]:
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise WireError(f"{name} is not JSON: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
        raise WireError(f"{name} has no format number")
    if raw["format"] > newest:
        raise WireError(f"{name} has format {raw['format']}, this zenctl reads up to {newest}: update zenctl")
    return raw
