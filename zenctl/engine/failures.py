"""Turns a job's error and warnings into what the user is told: what, where, why and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zenctl.diagnostics import Diagnostic, Position, SourceRange, error, warning
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.jobs.result import JobError, JobWarning

SUMMARIES = {
    "user_error": "{address} failed",
    "output_missing": "{address} did not write an output",
    "input_corrupt": "An input of {address} is damaged",
    "source_changed": "The source of {address} changed while it was read",
    "source_unreadable": "The source of {address} cannot be read",
    "bad_data": "{address} cannot use its data",
    "gate_failed": "{address} did not pass a gate",
    "not_reproducible": "{address} is not reproducible",
    "timeout": "{address} took longer than its timeout",
    "canceled": "{address} was interrupted",
    "storage": "{address} could not be stored",
    "lost": "{address} ended without a result",
    "backend": "{address} could not be started",
    "environment": "The environment of {address} cannot be made",
    "backend_lost": "The backend of {address} could not be asked any more",
    "unsettled": "The backend of {address} could not be asked any more",
    "internal": "{address} failed in zenctl itself",
}
"""One line for each kind of job error."""

SPEAK_FOR_THEMSELVES = frozenset(
    {
        "not_reproducible",
        "storage",
        "backend",
        "backend_lost",
        "unsettled",
        "bad_data",
        "source_changed",
        "source_unreadable",
        "input_corrupt",
    }
)
"""Kinds of which the job's log has no more to say: they point at the data, or come from before the job ran."""


def failure_diagnostic(
    address: str, desired: DesiredDatasource | DesiredStep, problem: JobError, root: Path
) -> Diagnostic:
    """The diagnostic of a failed job: at the line of the user's code or data if the job knows it, else at the block."""
    summary = SUMMARIES.get(problem.kind, "{address} failed").format(address=address)
    if problem.kind == "user_error" and problem.traceback:
        summary = f"{address} raised an exception"
    parts = [problem.message]
    if problem.kind == "canceled":
        # What this apply canceled itself is no failure and does not come here.
        parts = ["Something other than zenctl ended it, with SIGTERM or SIGINT, or it raised KeyboardInterrupt itself."]
    traceback = problem.traceback.rstrip()
    if traceback:
        # It ends with the message, so that is not said before it too.
        parts = [traceback] if traceback.endswith(problem.message) else [*parts, traceback]
    if problem.hint:
        parts.append(problem.hint)
    if problem.kind not in SPEAK_FOR_THEMSELVES:
        parts.append(f"What it printed: zenctl logs {address}")
    place = desired.config.range
    if problem.file and problem.line:
        place = SourceRange(_named(problem.file, root), Position(problem.line, 1, 0), Position(problem.line + 1, 1, 0))
    return error(f"step_{problem.kind}", summary, "\n\n".join(p for p in parts if p), range=place, address=address)


def step_warnings(
    address: str, desired: DesiredDatasource | DesiredStep, given: Iterable[JobWarning]
) -> tuple[Diagnostic, ...]:
    """The diagnostics of what a job warned of, at its block. They name the address: those of instances stay apart."""
    place = desired.config.range
    return tuple(
        warning("step_warning", f"{address}: {said.summary}", said.detail, range=place, address=address)
        for said in given
    )


def _named(file: str, root: Path) -> str:
    """The file as the user would type it: one below the configuration's folder is named from there."""
    if "://" in file:
        return file
    path, base = Path(file), root.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else file
