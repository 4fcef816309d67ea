"""Digest, size and number of records of a CSV file in one pass, without parsing it. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.observing import scan_clear

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_LINE = re.compile(rb"[^\n]\n")


@dataclass(frozen=True)
class CsvFacts:
    """A file's content in the clear: SHA-256, bytes, and non-empty records, a header included."""

    sha256: str
    bytes: int
    records: int


def scan(path: Path) -> CsvFacts:
    """Read a file once, in constant memory. Raises OSError, and FileProblem for one that is packed and damaged."""
    counter = RecordCounter()
    found = scan_clear(path, counter.update)
    return CsvFacts(found["sha256"], found["bytes"], counter.finish())


class RecordCounter:
    """Counts the records of text as RFC 4180 has it, given in chunks cut anywhere.

    Records end with LF, CRLF or CR outside of quotes; empty lines are none; the last record needs no end. (A quote
    inside an unquoted value, which the RFC forbids, is taken to open one.)
    """

    def __init__(self) -> None:
        self._records = 0
        self._quoted = False
        self._content = False
        self._tail = b""
        self._first = True

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""
        text = self._tail + chunk
        if self._first:
            if len(text) < len(BYTE_ORDER_MARK):
                self._tail = text
                return
            self._first = False
            text = text.removeprefix(BYTE_ORDER_MARK)
        # Whether a CR ends a line by itself is known once the next byte is.
        self._tail = b"\r" if text.endswith(b"\r") else b""
        self._count(text[:-1] if self._tail else text)

    def finish(self) -> int:
        """The number of records. To be called once, at the end."""
        self._count(self._tail.removeprefix(BYTE_ORDER_MARK) if self._first else self._tail)
        return self._records + (1 if self._content else 0)

    @property
    def quoted(self) -> bool:
        """Whether the text so far ends inside quotes."""
        return self._quoted

    def _count(self, text: bytes) -> None:
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not text:
            return
        if self._quoted or b'"' in text:
            text = self._unquoted(text)
        # An LF at the start ends a line that an earlier chunk began, or an empty one.
        ends = len(_LINE.findall(text)) if b"\n\n" in text else text.count(b"\n") - text.startswith(b"\n")
        self._records += ends + (text.startswith(b"\n") and self._content)
        self._content = not text.endswith(b"\n")

    def _unquoted(self, text: bytes) -> bytes:
        """The text with one `"` in place of all that is between quotes."""
        parts = text.split(b'"')
        if self._quoted:
            parts.insert(0, b"")
            self._content = True
        self._quoted = len(parts) % 2 == 0
        return b'"'.join(parts[::2]) + (b'"' if self._quoted else b"")
