"""Counts the records of a TFRecord file by their lengths, without looking into them. Standard library only."""

from __future__ import annotations

import zlib

from zenctl.steps.data.problems import FileProblem

HEADER = 12
FOOTER = 4
MAX_RECORD = 1 << 40
GZIP = b"\x1f\x8b\x08"
_HINT = "Check what should have written it, or copy it anew."


class RecordWalker:
    """Takes a file's bytes in chunks, compressed or not; the first three of them must come in one chunk."""

    def __init__(self) -> None:
        self._records = 0
        self._left = 0
        """Bytes of the record that is open, which is counted, that are still to come."""
        self._head = b""
        self._unpacker: zlib._Decompress | None = None
        self._inside = False
        """Whether the compressed data so far ends inside a member."""
        self._begun = False

    def update(self, chunk: bytes) -> None:
        """Add the next bytes. Raises FileProblem for what is no TFRecord file."""
        if not self._begun:
            self._begun = True
            self._unpacker = zlib.decompressobj(31) if chunk.startswith(GZIP) else None
        if self._unpacker is None:
            self._walk(chunk)
            return
        try:
            while chunk:
                self._inside = True
                self._walk(self._unpacker.decompress(chunk, 4 << 20))
                chunk = self._unpacker.unconsumed_tail
                if self._unpacker.eof:
                    # Gzip files may be several, one after the other.
                    chunk = self._unpacker.unused_data
                    self._unpacker = zlib.decompressobj(31)
                    self._inside = False
        except zlib.error as problem:
            raise FileProblem(f"its gzip data is damaged: {problem}", _HINT) from problem

    def finish(self) -> int:
        """The number of records. Raises FileProblem for a file that is cut off."""
        if self._unpacker is not None:
            self._walk(self._unpacker.flush())
        if self._inside:
            raise FileProblem(f"its gzip data is cut off after record {self._records:,}", _HINT)
        if self._left or self._head:
            number = self._records + bool(self._head)
            raise FileProblem(f"it is cut off in record {number:,}", _HINT)
        return self._records

    def _walk(self, data: bytes) -> None:
        at = 0
        if self._head:
            data, self._head = self._head + data, b""
        end = len(data)
        while at < end:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
                continue
            if at + HEADER > end:
                self._head = data[at:]
                return
            length = int.from_bytes(data[at : at + 8], "little")
            if length > MAX_RECORD:
                what = f"record {self._records + 1:,} cannot have {length} bytes: not a TFRecord file, or damaged"
                raise FileProblem(what, _HINT)
            self._records += 1
            self._left = length + FOOTER
            at += HEADER
