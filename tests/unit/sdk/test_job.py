"""What a built-in step is told, and how progress and warnings reach whoever listens."""

from __future__ import annotations

import pytest

from zenctl.sdk import Job, progress, warn
from zenctl.sdk.job import listen


def test_progress_outside_of_a_job_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    progress(1, 2, "rows")
    Job().progress(1)
    assert capfd.readouterr() == ("", "")


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


def test_warnings_reach_who_listens_and_are_pythons_own_outside_of_a_job() -> None:
    heard: list[tuple[str, str]] = []
    listen(None, lambda *said: heard.append(said))
    try:
        warn("3 rows have no label", "They are left out.")
        Job(alert=warn).warn("none")
    finally:
        listen(None)
    assert heard == [("3 rows have no label", "They are left out."), ("none", "")]
    with pytest.warns(UserWarning, match="^3 rows: they are left out$") as caught:
        warn("3 rows", "they are left out")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="^alone$") as caught:
        Job().warn("alone")
    assert caught[0].filename == __file__
