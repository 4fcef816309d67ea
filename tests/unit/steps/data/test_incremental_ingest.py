"""Snapshots whose cost follows the change: the bytes of a first run, and shards around the change only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.steps.data.remembering import Made, Workspace, csv_job
from zenctl.jobs.artifacts import NOTES, blob_path
from zenctl.runner.memory import StoreMemory
from zenctl.sdk import Job, StepError
from zenctl.sdk import snapshot_statistics as counting
from zenctl.steps.csv import ingest as csv
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data import assembling
from zenctl_beam.direct import DirectProcessing

HEADER = "n,word,x,note"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and limits so small that a few hundred rows show everything."""
    monkeypatch.setattr(csv, "PART", PartSize(300, 200, 1500))
    monkeypatch.setattr(counting, "MAX_DISTINCT", 40)
    monkeypatch.setattr(assembling, "MAX_DISTINCT", 40)
    monkeypatch.setattr(assembling, "PROOFS", 3)


def line(at: int) -> str:
    return f"{at},word{at % 30},{at * 7 % 1000 / 8},{'' if at % 3 else f'text {at * 11}'}"


LINES = [line(at) for at in range(600)]


class Source(Workspace):
    """A file that changes, and its snapshots."""

    @property
    def file(self) -> Path:
        return self.root / "f.csv"

    def take(self, lines: list[str], **order: Any) -> Made:
        self.file.write_text("\n".join([HEADER, *lines]) + "\n")
        return self.run(csv.ingest, "data", **csv_job(self.file), **order)["data"]

    def take_anew(self, lines: list[str]) -> Made:
        return self.take(lines, remembers=False)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def changed(kind: str) -> list[str]:
    new = [line(at) for at in range(1000, 1006)]
    return {
        "append": [*LINES, *new],
        "front": [*new, *LINES],
        "insert": [*LINES[:300], *new, *LINES[300:]],
        "delete": [*LINES[:300], *LINES[306:]],
        "edit": [*LINES[:300], new[0], *LINES[301:]],
        "cut off": LINES[:400],
        "same": LINES,
    }[kind]


@pytest.mark.parametrize("kind", ["append", "front", "insert", "delete", "edit", "cut off", "same"])
def test_new_shards_only_around_a_change(source: Source, kind: str) -> None:
    first = source.take(LINES)
    assert (first.reused, first.shards > 20) == (0, True)
    again = source.take(changed(kind))
    fresh = source.take_anew(changed(kind))
    assert again.digest == fresh.digest
    assert again.shards - again.reused <= (0 if kind == "same" else 4)


@pytest.mark.parametrize("kind", ["same", "front", "delete"])
def test_all_shards_that_may_be_named_are_told_to_the_store_before(
    source: Source, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.take(LINES)
    expected, asked = set[str](), set[str]()

    def expect(_: StoreMemory, digests: Iterable[str]) -> None:
        assert not asked
        expected.update(digests)

    original = StoreMemory.holds
    monkeypatch.setattr(StoreMemory, "expect", expect)
    monkeypatch.setattr(StoreMemory, "holds", lambda self, d, size: (asked.add(d), original(self, d, size))[1])
    assert source.take(changed(kind)).reused > 10
    assert asked <= expected


def test_only_parts_around_a_change_are_read(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.take(LINES)
    read = []
    original = csv.CsvSource.read
    monkeypatch.setattr(csv.CsvSource, "read", lambda self, part: (read.append(part), original(self, part))[1])
    source.take(LINES)
    assert read == []
    source.take(changed("edit"))
    assert 0 < len(set(read)) <= 8
    parts = csv.CsvSource.of(Job(**csv_job(source.file))).parts
    assert parts > 25


EDIT = st.tuples(
    st.integers(0, 600), st.integers(0, 40), st.lists(st.sampled_from(["7,a,1,", ",,,x", "q,b,y,"]), max_size=5)
)


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.lists(EDIT, min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_history_gives_the_bytes_of_a_first_run(tmp_path_factory: pytest.TempPathFactory, history: Any) -> None:
    source = Source(tmp_path_factory.mktemp("history"))
    lines = LINES
    source.take(lines)
    for edits in history:
        for at, removed, new in edits:
            lines = [*lines[:at], *new, *lines[at + removed :]]
        assert source.take(lines).digest == source.take_anew(lines).digest


def test_beam_gives_the_same_and_reuses_as_much(source: Source) -> None:
    beam = {"processing": DirectProcessing().options()}
    assert source.take(LINES, **beam).digest == source.take_anew(LINES).digest
    lines = changed("insert")
    again = source.take(lines, **beam)
    assert again.digest == source.take_anew(lines).digest
    assert again.shards - again.reused <= 4
    # What either has noted serves the other.
    assert source.take(changed("edit")).reused > 12


def test_types_that_change_are_written_anew_and_reused_when_they_return(source: Source) -> None:
    source.take(LINES)
    wide = [*LINES, "many,word,1,"]
    made = source.take(wide)
    assert (made.digest, made.reused) == (source.take_anew(wide).digest, 0)
    assert made.data.schema.types["n"] == "string"
    back = source.take(LINES[:-1])
    assert back.data.schema.types["n"] == "int"
    assert back.shards - back.reused <= 2


def test_other_quotes_give_the_same_snapshot(source: Source) -> None:
    first = source.take(LINES)
    quoted = [",".join(f'"{value}"' for value in text.split(",")) for text in LINES]
    assert source.take(quoted).digest == first.digest


def test_a_shard_that_is_gone_is_written_anew(source: Source) -> None:
    first = source.take(LINES)
    lost = first.data.manifest.shards[5]
    source.storage.delete(blob_path(lost.sha256))
    again = source.take(LINES)
    assert again.digest == first.digest
    assert again.shards - again.reused == 1


def test_a_lost_or_damaged_note_changes_nothing(source: Source) -> None:
    first = source.take(LINES)
    (note,) = source.storage.list(NOTES)
    with source.storage.open(note.path) as stream:
        data = stream.read()
    for damaged in (b"", data[:-10], b"{}", data[:50] + b"x" + data[51:]):
        source.storage.put(note.path, damaged, overwrite=True)
        again = source.take(LINES, kill=False)
        assert (again.digest, again.reused) == (first.digest, 0)
    source.storage.delete(note.path)
    assert source.take(LINES).digest == first.digest
    assert source.take(LINES).reused == first.shards


def test_a_note_that_no_record_names_is_not_believed(source: Source) -> None:
    source.take(LINES)
    source.notes.clear()
    assert source.take(LINES).reused == 0


def test_a_note_that_was_exchanged_is_not_believed(source: Source) -> None:
    first = source.take(LINES)
    others = changed("edit")
    source.take(others)
    theirs, ours = source.storage.list(NOTES)
    with source.storage.open(theirs.path) as stream:
        source.storage.put(ours.path, stream.read(), overwrite=True)
    with source.storage.open(ours.path) as stream:
        source.storage.put(theirs.path, stream.read(), overwrite=True)
    again = source.take(LINES)
    assert again.digest == first.digest


def test_a_job_that_dies_leaves_what_was_known(source: Source) -> None:
    source.take(LINES)
    before = [info.path for info in source.storage.list("")]
    with pytest.raises(KeyError):
        source.take(changed("append"), kill=True)
    assert [info.path for info in source.storage.list("")] == before
    again = source.take(changed("append"))
    assert again.digest == source.take_anew(changed("append")).digest
    assert again.shards - again.reused <= 2


def test_two_lines_of_development_keep_their_shards(source: Source) -> None:
    """Another workspace's snapshot between two of one's own does not make either forget."""
    one, other = changed("insert"), changed("edit")
    for _ in range(2):
        first, second = source.take(one), source.take(other)
    assert first.reused == first.shards
    assert second.reused == second.shards


def test_a_value_that_does_not_fit_is_found_in_a_late_part(source: Source) -> None:
    source.file.write_text("\n".join([HEADER, *LINES, "x,a,1,"]) + "\n")
    with pytest.raises(StepError) as caught:
        source.run(csv.ingest, "data", **csv_job(source.file, types={"n": "int"}))
    assert caught.value.line == len(LINES) + 2
    assert "column \"n\" is declared as int, but holds 'x'" in caught.value.message
