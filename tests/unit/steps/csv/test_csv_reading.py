"""Reading of CSV files as a stream: what holds while Arrow reads ahead in a thread of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from zenctl.digests import sha256_bytes
from zenctl.sdk import StepError
from zenctl.steps.csv import reading
from zenctl.steps.csv.cutting import Span
from zenctl.steps.csv.reading import Dialect, NormalisedFile, read_span

DIALECT = Dialect(",", True, ("",))


class SlowFile:
    """A file whose read takes until somebody closes it, or until it is clear that nobody does."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.reading = threading.Event()
        self.closing = threading.Event()
        self.closed_while_reading = False

    def seek(self, offset: int) -> int:
        return offset

    def read(self, size: int) -> bytes:
        self.reading.set()
        self.closed_while_reading = self.closing.wait(0.5)
        return b"a\n"[:size]

    def close(self) -> None:
        self.closing.set()


def test_closing_waits_for_a_read_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That read would otherwise take its bytes from whichever file is opened next under the same descriptor."""
    slow = SlowFile()
    monkeypatch.setattr(reading, "open_file", lambda _: slow)
    raw = NormalisedFile(tmp_path / "f.csv", Span(0, 10, ""))
    ahead = threading.Thread(target=raw.read, args=(10,))
    ahead.start()
    slow.reading.wait()
    raw.close()
    ahead.join()
    assert not slow.closed_while_reading


def test_a_record_larger_than_a_block_is_met_again_in_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE_BYTES", 0)
    data = b"a\n" + b"".join(b"%d\n" % at for at in range(20)) + b"1" * 1000 + b"\n2\n"
    (tmp_path / "f.csv").write_bytes(data)
    span = Span(0, len(data), sha256_bytes(data))
    found = list(read_span(tmp_path / "f.csv", ("a",), DIALECT, span, block_bytes=10))
    assert [value for batch in found for value in batch.column(0).to_pylist()] == [
        *map(str, range(20)),
        "1" * 1000,
        "2",
    ]
    monkeypatch.setattr(reading, "MAX_ROW", 20)
    with pytest.raises(StepError, match=r"a row of f\.csv is larger than 20 bytes"):
        list(read_span(tmp_path / "f.csv", ("a",), DIALECT, span, block_bytes=10))


def test_bytes_that_are_not_those_that_were_cut_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"a\n1\n")
    span = Span(0, 4, sha256_bytes(b"a\n1\n"))
    (tmp_path / "f.csv").write_bytes(b"a\n1,\n")
    with pytest.raises(StepError) as caught:
        list(read_span(tmp_path / "f.csv", ("a",), DIALECT, span))
    assert caught.value.kind == "source_changed"
