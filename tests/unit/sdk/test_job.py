"""What a built-in step is told, and how progress reaches whoever listens."""

from __future__ import annotations

import pytest

from zenctl.sdk import Job, progress
from zenctl.sdk.job import listen


def test_progress_outside_of_a_job_is_silent() -> None:
    progress(1, 2, "rows")
    Job().progress(1)


def test_progress_reaches_the_listener() -> None:
    heard: list[tuple[float, float, str]] = []
    listen(lambda done, total, unit: heard.append((done, total, unit)))
    try:
        progress(1, 2, "rows")
        progress(3)
    finally:
        listen(None)
    progress(4)
    assert heard == [(1, 2, "rows"), (3, 0, "")]


def test_a_job_reports_for_itself_and_cannot_be_changed() -> None:
    heard: list[tuple[float, float, str]] = []
    job = Job(params={"a": 1}, report=lambda *what: heard.append(what))
    job.progress(1, 2, "epochs")
    assert heard == [(1, 2, "epochs")]
    with pytest.raises(AttributeError):
        job.params = {}  # type: ignore[misc]
