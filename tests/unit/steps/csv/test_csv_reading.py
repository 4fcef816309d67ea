"""Reading of CSV files as a stream: what holds while Arrow reads ahead in a thread of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from zenctl.steps.csv import reading
from zenctl.steps.csv.reading import Dialect, NormalisedFile, Passed, TooLarge, read_batches

DIALECT = Dialect(",", True, ("",))


class SlowFile:
    """A file whose read takes until somebody closes it, or until it is clear that nobody does."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.reading = threading.Event()
        self.closing = threading.Event()
        self.closed_while_reading = False

    def tell(self) -> int:
        return 0

    def read(self, size: int) -> bytes:
        self.reading.set()
        self.closed_while_reading = self.closing.wait(0.5)
        return b"a\n"[:size]

    def close(self) -> None:
        self.closing.set()


def test_closing_waits_for_a_read_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That read would otherwise take its bytes from whichever file is opened next under the same descriptor."""
    slow = SlowFile()
    monkeypatch.setattr(reading, "open", lambda *_, **__: slow, raising=False)
    raw = NormalisedFile(tmp_path / "f.csv")
    ahead = threading.Thread(target=raw.read, args=(10,))
    ahead.start()
    slow.reading.wait()
    raw.close()
    ahead.join()
    assert not slow.closed_while_reading


def test_a_record_larger_than_a_block_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"a\n" + b"1" * 100 + b"\n")
    with pytest.raises(TooLarge):
        list(read_batches(tmp_path / "f.csv", ("a",), DIALECT, Passed(), block_bytes=10))
