"""Two runs are compared byte for byte, and what differs is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.engine.repeating import MOST, differences, repeated
from zenctl.jobs.artifacts import store_folder
from zenctl.jobs.result import JobError, JobResult, OutputResult
from zenctl.jobs.storage import FolderStorage


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "store")


def result(storage: FolderStorage, place: Path, files: dict[str, bytes], **properties: object) -> JobResult:
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tree = store_folder(storage, place)
    output = OutputResult("Model", tree.digest, len(tree.files), tree.bytes, properties)
    return JobResult(place.name, outputs={"model": output})


def test_equal_runs_give_the_first_result(storage: FolderStorage, tmp_path: Path) -> None:
    first, second = (result(storage, tmp_path / n, {"a/w.bin": b"same"}, rows=3) for n in ("one", "two"))
    assert repeated(storage, first, second) is first


def test_files_that_differ_are_named_with_the_place(storage: FolderStorage, tmp_path: Path) -> None:
    first = result(storage, tmp_path / "one", {"w.bin": b"x" * 2_000_000 + b"abc", "s": b"1", "n": b"12", "gone": b""})
    second = result(storage, tmp_path / "two", {"w.bin": b"x" * 2_000_000 + b"abd", "s": b"1", "n": b"1", "new": b""})
    assert differences(storage, first, second) == [
        "model: gone: written in one run only",
        "model: n: 2 bytes in one run, 1 in the other",
        "model: new: written in one run only",
        "model: w.bin: 2,000,003 bytes, first difference at byte 2,000,002",
    ]
    failed = repeated(storage, first, second)
    assert failed.error is not None
    assert failed.error.kind == "not_reproducible"
    assert "model: w.bin" in failed.error.message
    assert not failed.outputs


def test_logged_values_count_too(storage: FolderStorage, tmp_path: Path) -> None:
    first = result(storage, tmp_path / "one", {"m": b"1"}, accuracy=0.5)
    second = result(storage, tmp_path / "two", {"m": b"1"}, accuracy=0.6)
    assert differences(storage, first, second) == ["model: the same files, but other values were logged"]


def test_an_output_of_one_run_only_and_many_files(storage: FolderStorage, tmp_path: Path) -> None:
    first = result(storage, tmp_path / "one", {f"f{i}": b"1" for i in range(MOST + 2)})
    second = result(storage, tmp_path / "two", {f"f{i}": b"2" for i in range(MOST + 2)})
    failed = repeated(storage, first, second)
    assert failed.error is not None
    assert failed.error.message.endswith("and 2 more")
    assert differences(storage, first, JobResult("two")) == ["model: written in one run only"]


def test_a_second_run_that_fails_is_the_failure(storage: FolderStorage, tmp_path: Path) -> None:
    first = result(storage, tmp_path / "one", {"m": b"1"})
    failed = repeated(storage, first, JobResult("two", error=JobError("user_error", "no")))
    assert (failed.job_id, failed.error) == ("one", JobError("user_error", "no"))
