"""Reads a part of a CSV file whatever is wrong with some of its records: these are told apart one by one, slowly.

The others are given to Arrow as if the bad ones were not there. Only parts that Arrow refuses come here.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.header import shortened
from zenctl.steps.csv.locating import NUL, unlimited_fields, wrong
from zenctl.steps.csv.reading import BLOCK_BYTES, Dialect, Unparsed, open_batches, parse_span
from zenctl.steps.data.bad_rows import MAX_ROW, MAX_TEXT, BadRow, BadRows, shortened_row
from zenctl.steps.data.reading import changed, gone, open_file

if TYPE_CHECKING:
    from zenctl.steps.csv.cutting import Span

_READ = 1 << 20
_HELD = 10_000
"""Bad rows that are held until they are told."""


@dataclass(frozen=True)
class Record:
    """A record as it is written, what is wrong with it (""), and the lines of the span before it."""

    before: int
    raw: bytes
    problem: str


def salvage_span(
    path: Path, names: tuple[str, ...], dialect: Dialect, span: Span
) -> Iterator[pa.RecordBatch | BadRows]:
    """As `read_span`, with BadRows before the batch of the rows around them instead of an error.

    Raises StepError for a quote that is never closed, since nobody knows which rows it took; and source_changed.
    """
    done = 0
    try:
        for batch in parse_span(path, names, dialect, span):
            done += batch.num_rows
            yield batch
        return
    except Unparsed:
        pass
    stretch = _Stretch(names, dialect, done)
    for found in read_records(path, names, dialect, span):
        stretch.add(found)
        if stretch.full:
            yield from stretch.parsed()
    yield from stretch.parsed()


def read_records(path: Path, names: tuple[str, ...], dialect: Dialect, span: Span) -> Iterator[Record]:
    """Each record of the span but empty lines and the header. Raises StepError, also if the bytes are others now."""
    lines = _Lines(path, span)
    header = dialect.header and span.offset == 0
    with unlimited_fields():
        reader = csv.reader(lines.decoded(), delimiter=dialect.delimiter)
        while True:
            before = lines.count
            try:
                row = next(reader, None)
                problem = wrong(row, len(names)) if row is not None else None
            except csv.Error as error:
                row, problem = [""], (f"cannot be read: {error}", "")
            raw, cut = lines.taken()
            if row is None:
                return
            if lines.ended:
                raise _unclosed(path, raw)
            if cut:
                problem = (f"is larger than {MAX_ROW:,} bytes", "")
            if row and not header:
                yield Record(before, raw, problem[0] if problem is not None else "")
            header = header and not row


class _Stretch:
    """Consecutive records of a span, until there are enough for Arrow. The first `done` were read already."""

    def __init__(self, names: tuple[str, ...], dialect: Dialect, done: int) -> None:
        self._names = names
        self._dialect = dialect
        self._done = done
        self._number = 0
        self._good: list[tuple[int, Record]] = []
        self._bad: list[BadRow] = []
        self._size = 0

    @property
    def full(self) -> bool:
        return self._size >= BLOCK_BYTES or len(self._bad) >= _HELD

    def add(self, record: Record) -> None:
        """Take the next record."""
        if self._number >= self._done:
            if record.problem:
                self._leave_out(self._number, record, record.problem)
            else:
                self._good.append((self._number, record))
                self._size += len(record.raw)
        self._number += 1

    def parsed(self) -> Iterator[pa.RecordBatch | BadRows]:
        """The rows of the records that are good, and those that are not."""
        batches = self._batches([record for _, record in self._good])
        if batches is None:
            batches = []
            for number, record in self._good:
                alone = self._batches([record])
                if alone is None:
                    self._leave_out(number, record, "cannot be read")
                else:
                    batches += alone
        bad = tuple(sorted(self._bad, key=lambda row: row.record))
        self._good, self._bad, self._size = [], [], 0
        if bad:
            yield BadRows(bad)
        if batches:
            yield pa.Table.from_batches(batches).combine_chunks().to_batches()[0]

    def _leave_out(self, number: int, record: Record, reason: str) -> None:
        self._bad.append(BadRow(number, record.before, reason, shortened_row(record.raw)))

    def _batches(self, records: list[Record]) -> list[pa.RecordBatch] | None:
        """What Arrow reads, or None if that is not as many rows."""
        if not records:
            return []
        text = b"".join(record.raw for record in records)
        text += b"" if text.endswith((b"\n", b"\r")) else b"\n"
        try:
            found = open_batches(pa.BufferReader(text), self._names, self._dialect, len(text) + 1, header=False)
            batches = [batch for batch in found if batch.num_rows]
        except pa.ArrowInvalid:
            return None
        return batches if sum(batch.num_rows for batch in batches) == len(records) else None


class _Lines:
    """The lines of a span, as the csv module takes them; keeps what it took for the record that it is at."""

    def __init__(self, path: Path, span: Span) -> None:
        self._path = path
        self._span = span
        self._taken: list[bytes] = []
        self._size = 0
        self._cut = False
        self.count = 0
        """Lines before the next one."""
        self.ended = False
        """Whether the reader asked for more lines than there are."""

    def taken(self) -> tuple[bytes, bool]:
        """The lines since the last time, and whether one is too long and was cut."""
        raw, cut = b"".join(self._taken), self._cut
        self._taken, self._size, self._cut = [], 0, False
        return raw, cut

    def decoded(self) -> Iterator[str]:
        """The lines as text; bytes that are no UTF-8 become lone surrogates."""
        for line, cut in cut_lines(self._chunks()):
            self._taken.append(line)
            self._size += len(line)
            self._cut = self._cut or cut
            self.count += 1
            if self._size > MAX_ROW:
                raise _unclosed(self._path, self._taken[0])
            # Python 3.10's reader refuses NUL bytes before a row can be looked at; what was cut must end here.
            text = line.decode("utf-8", "surrogateescape").replace("\0", NUL)
            yield text.replace('"', "") if cut else text
        self.ended = True

    def _chunks(self) -> Iterator[bytes]:
        hasher, left = hashlib.sha256(), self._span.length
        try:
            with open_file(self._path) as stream:
                stream.seek(self._span.offset)
                while left > 0 and (chunk := stream.read(min(_READ, left))):
                    hasher.update(chunk)
                    first = left == self._span.length and self._span.offset == 0
                    left -= len(chunk)
                    yield chunk.removeprefix(BYTE_ORDER_MARK) if first else chunk
        except OSError as problem:
            raise gone(self._path, problem) from problem
        if left or hasher.hexdigest() != self._span.sha256:
            raise changed(self._path)


def _unclosed(path: Path, raw: bytes) -> StepError:
    what = f'{path.name}: a quote (") is opened and not closed: {shortened(raw)}'
    return StepError(what, "Close it, or double it: nobody knows which rows it takes.", file=str(path))


def cut_lines(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The lines of a text, ends included (LF, CR LF or CR); and whether one is too long: then it is its beginning."""
    held: list[bytes] = []
    size = 0
    cut = False
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if b"\n" in chunk or b"\r" in chunk:
            # A CR at the end may have its LF in the next chunk.
            first, *lines = b"".join(held).splitlines(keepends=True)
            if lines:
                yield (first[:MAX_TEXT] + b"\n", True) if cut or len(first) > MAX_ROW else (first, False)
                cut = False
                yield from ((line, False) for line in lines[:-1])
            held = [lines[-1] if lines else first]
            size = len(held[0])
        if size > MAX_ROW:
            held, size, cut = [b"".join(held)[:MAX_TEXT]], MAX_TEXT, True
    last = b"".join(held)
    if last:
        yield (last[:MAX_TEXT] + b"\n", True) if cut or len(last) > MAX_ROW else (last, False)
