"""What a job leaves for later ones: files that they name instead of writing them, and notes; all of it may be lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.measuring import PATIENCE
from zenctl.digests import sha256_bytes, sha256_text
from zenctl.jobs.artifacts import NOTES, blob_path, check_tree, note_path
from zenctl.jobs.result import OutputResult
from zenctl.jobs.spec import Entry, JobSpec, OutputSpec
from zenctl.jobs.storage import FolderStorage, ObjectInfo, StorageError
from zenctl.runner.memory import StoreMemory

from .conftest import RunnerBench

KEY, NOTE = sha256_text("key"), sha256_bytes(b"a note")
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


def order(bench: RunnerBench, *earlier: OutputResult) -> JobSpec:
    """A job that may believe what these earlier ones left."""
    entry = Entry(file="steps/fit.py", function="step", arguments="job")
    notes = {KEY: tuple((result.digest, result.notes[KEY]) for result in earlier)}
    return bench.order(STEP, entry=entry, outputs={"out": OutputSpec("Artifact")}, notes=notes)


def test_a_known_file_is_named_and_the_artifact_is_the_same(bench: RunnerBench) -> None:
    first = bench.succeed(order(bench)).outputs["out"]
    assert "known: []" in bench.log
    second = bench.succeed(order(bench, first))
    assert "known: [b'a note']" in bench.log
    assert second.outputs["out"] == replace(first, reused=1)
    check_tree(bench.storage, first.digest)
    assert bench.files(second, "out") == {"small": b"y", "sub/big": b"x" * 1000}
    assert [info.path for info in bench.storage.list(NOTES)] == [note_path(first.digest, NOTE)]


def test_what_is_gone_or_of_another_size_is_written_again(bench: RunnerBench) -> None:
    first = bench.succeed(order(bench)).outputs["out"]
    path = blob_path(sha256_bytes(b"x" * 1000))
    bench.storage.put(path, b"short", overwrite=True)
    assert bench.succeed(order(bench)).outputs["out"] == first
    bench.storage.delete(path)
    assert bench.succeed(order(bench)).outputs["out"] == first


def test_only_what_the_order_names_is_read_and_only_if_it_is_that(bench: RunnerBench) -> None:
    first = bench.succeed(order(bench)).outputs["out"]
    bench.succeed(order(bench))
    assert "known: []" in bench.log
    bench.storage.put(note_path(first.digest, NOTE), b"another note", overwrite=True)
    bench.succeed(order(bench, first))
    assert "known: []" in bench.log
    stored = replace(first, notes={KEY: sha256_bytes(b"other")})
    bench.storage.put(note_path(first.digest, sha256_bytes(b"other")), b"other")
    bench.succeed(order(bench, first, stored))
    assert "known: [b'other']" in bench.log


def test_a_store_that_refuses_is_an_empty_one(bench: RunnerBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StorageError("UNAUTHORIZED", "no")

    artifact, note = sha256_text("a"), sha256_bytes(b"x")
    bench.storage.put(note_path(artifact, note), b"x")
    notes = {KEY: [(artifact, note)]}
    assert StoreMemory(bench.storage, notes).recall(KEY) == [b"x"]
    monkeypatch.setattr(FolderStorage, "open", refuse)
    assert StoreMemory(bench.storage, notes).recall(KEY) == []
    monkeypatch.setattr(FolderStorage, "stat", refuse)
    memory = StoreMemory(bench.storage, notes)
    assert (memory.recall(KEY), memory.holds(sha256_text("a"), 1)) == ([], False)


@dataclass
class Far(FolderStorage):
    """A store that is asked for four objects at a time: it answers once all four are there."""

    root: Any
    asked: list[str] = field(default_factory=list)
    refuses: bool = False
    workers: int = 4
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(4))

    def access(self, credentials: bool) -> Mapping[str, Any]:
        return {}

    def stat(self, path: str) -> ObjectInfo | None:
        self.asked.append(path)
        if self.refuses:
            raise StorageError("TRANSIENT", "it is away")
        self.together.wait(PATIENCE)
        return super().stat(path)


def test_a_distant_store_is_asked_for_many_files_at_a_time_and_for_each_once(bench: RunnerBench) -> None:
    digests = [sha256_text(str(number)) for number in range(12)]
    for digest in digests[::2]:
        bench.storage.put(blob_path(digest), b"12345")
    far = Far(bench.storage.root)
    memory = StoreMemory(far, {})
    memory.expect(digests[:8])
    memory.expect(digests)
    assert sorted(far.asked) == sorted(map(blob_path, digests))
    assert [memory.holds(digest, 5) for digest in digests] == [True, False] * 6
    assert not memory.holds(digests[0], 6)
    assert len(far.asked) == 12


def test_a_distant_store_that_is_away_is_not_asked_for_one_file_after_the_other(bench: RunnerBench) -> None:
    far = Far(bench.storage.root, refuses=True)
    memory = StoreMemory(far, {})
    digests = [sha256_text(str(number)) for number in range(1000)]
    memory.expect(digests[:8])
    asked = len(far.asked)
    memory.expect(digests)
    assert not any(memory.holds(digest, 5) for digest in digests)
    assert len(far.asked) == asked
