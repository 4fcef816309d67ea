"""What a job leaves for later ones: files that they name instead of writing them, and notes; all of it may be lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zenctl.digests import sha256_bytes, sha256_text
from zenctl.jobs.artifacts import NOTES, blob_path, check_tree, note_path
from zenctl.jobs.spec import Entry, JobSpec, OutputSpec
from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.runner.memory import NEWEST, StoreMemory

from .conftest import RunnerBench

KEY = sha256_text("key")
STEP = f"""
import hashlib
def step(job):
    out, big = job.outputs["out"], b"x" * 1000
    digest = hashlib.sha256(big).hexdigest()
    if job.memory.holds(digest, len(big)):
        out.refer("sub/big", len(big), digest)
    else:
        (out.path / "sub").mkdir()
        (out.path / "sub" / "big").write_bytes(big)
    (out.path / "small").write_bytes(b"y")
    print("known:", job.memory.recall({KEY!r}))
    out.keep_note({KEY!r}, b"a note")
"""


def order(bench: RunnerBench) -> JobSpec:
    entry = Entry(file="steps/fit.py", function="step", arguments="job")
    return bench.order(STEP, entry=entry, outputs={"out": OutputSpec("Artifact")})


def test_a_known_file_is_named_and_the_artifact_is_the_same(bench: RunnerBench) -> None:
    first = bench.succeed(order(bench)).outputs["out"]
    assert "known: []" in bench.log
    second = bench.succeed(order(bench))
    assert "known: [b'a note']" in bench.log
    assert second.outputs["out"] == replace(first, reused=1)
    check_tree(bench.storage, first.digest)
    assert bench.files(second, "out") == {"small": b"y", "sub/big": b"x" * 1000}
    assert [info.path for info in bench.storage.list(NOTES)] == [note_path(KEY, first.digest, b"a note")]


def test_what_is_gone_or_of_another_size_is_written_again(bench: RunnerBench) -> None:
    first = bench.succeed(order(bench)).outputs["out"]
    path = blob_path(sha256_bytes(b"x" * 1000))
    bench.storage.put(path, b"short", overwrite=True)
    assert bench.succeed(order(bench)).outputs["out"] == first
    bench.storage.delete(path)
    assert bench.succeed(order(bench)).outputs["out"] == first


def test_a_job_that_is_to_be_made_anew_knows_nothing(bench: RunnerBench) -> None:
    first = bench.succeed(order(bench)).outputs["out"]
    spec = bench.order(STEP, **{name: getattr(order(bench), name) for name in ("entry", "outputs")}, anew=True)
    assert bench.succeed(spec).outputs["out"] == first
    assert "known: []" in bench.log


def test_the_newest_notes_are_read(bench: RunnerBench) -> None:
    memory = StoreMemory(bench.storage)
    for at in range(NEWEST + 2):
        data = b"%d" % at
        bench.storage.put(note_path(KEY, sha256_text(str(at)), data), data)
    found = memory.recall(KEY)
    assert len(found) == NEWEST
    assert memory.recall(sha256_text("other")) == []


def test_a_store_that_refuses_is_an_empty_one(bench: RunnerBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StorageError("UNAUTHORIZED", "no")

    bench.storage.put(note_path(KEY, sha256_text("a"), b"x"), b"x")
    monkeypatch.setattr(FolderStorage, "open", refuse)
    assert StoreMemory(bench.storage).recall(KEY) == []
    for name in ("list", "stat"):
        monkeypatch.setattr(FolderStorage, name, refuse)
    memory = StoreMemory(bench.storage)
    assert (memory.recall(KEY), memory.holds(sha256_text("a"), 1)) == ([], False)
