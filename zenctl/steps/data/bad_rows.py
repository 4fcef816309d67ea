"""Rows that are left out of a snapshot: what is wrong with each, how many there are, and where they are kept.

A source that can read on past a bad row gives a `BadRows` for it, before the batch of the rows around it. Here their
places in the source are told (a part knows only how many lines lie between its beginning and a row), they are counted
and, if that is wanted, written as JSON lines. What is counted of a part is noted, so that a part that is known is read
again only if its bad rows are to be written.
"""

from __future__ import annotations

import base64
import json
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

from zenctl.digests import CHUNK
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.header import shortened
from zenctl.steps.data.reading import gone, open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from zenctl.sdk import Job
    from zenctl.sdk.artifacts import Output
    from zenctl.steps.data.notes import Notes

FILE = "bad_rows.jsonl"
"""The file of the output `quarantine`."""
MAX_TEXT = 64 << 10
"""Bytes that are kept of a bad row."""
MAX_ROW = 256 << 20
"""Bytes of a row; a longer one is bad, so that memory is bounded whatever a file holds."""
CUT = b"\0(cut)"
"""Stands at the end of a line of which only the beginning is held, since it is longer than a row may be."""


@dataclass(frozen=True)
class BadRow:
    """A row that is left out.

    `record` is its number in the part, from 0, bad ones counted; `before` how many lines (or rows, or records: what
    the source counts) of the part lie before it. `text` is the row as it is written, its first `MAX_TEXT` bytes.
    `file` is the row's file where a file is a row.
    """

    record: int
    before: int
    reason: str
    text: bytes = b""
    file: str = ""


@dataclass(frozen=True)
class BadRows:
    """Rows that are left out around the next batch, in order."""

    rows: tuple[BadRow, ...]


class Lines(Protocol):
    """Where units of a file begin."""

    def line(self, number: int) -> int:
        """The line on which the unit begins, which counts from 0."""
        ...


@dataclass(frozen=True)
class Origin:
    """Where a part lies: the name of its file (or table), and how many `unit`s of it lie before the part.

    With `path`, a unit is a line there, and `before` is not known yet: they are to be counted up to `offset`. `lines`
    tells on which line of the file a unit begins that is not a line itself.
    """

    name: str
    unit: str = "line"
    before: int = 0
    path: Path | None = None
    offset: int = 0
    lines: Lines | None = None


@runtime_checkable
class Salvageable(Protocol):
    """What a source has besides, so that its bad rows can be left out; see `steps.data.sources.Source`."""

    def salvage(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """As `read`, with BadRows in place of an error: those of a stretch of rows come before its batch."""
        ...

    def records(self, part: int) -> Iterator[tuple[int, bytes]]:
        """Each row of the part, bad ones too: what `BadRow` calls `before` and `text`. May be slow."""
        ...

    def origin(self, part: int) -> Origin:
        """Where the part lies."""
        ...


@dataclass(frozen=True)
class Lost:
    """What is noted of a part's bad rows: their number, and the first one, whose reason shows some of its text."""

    rows: int
    first: BadRow


@dataclass
class BadRowLog:
    """Takes the bad rows of one snapshot, part by part in order. `sink` None: they are counted only."""

    source: Salvageable
    notes: Notes
    most: float | None = None
    sink: BinaryIO | None = None
    rows: int = 0
    first: str = ""
    _found: Lost | None = None
    _lines: _Lines = field(default_factory=lambda: _Lines())

    def wants(self, digest: str) -> bool:
        """Whether a part that is known must be read for its bad rows."""
        return self.sink is not None and digest in self.notes.bad

    def add(self, part: int, bad: BadRows) -> None:
        """Take the next bad rows of a part."""
        if not bad.rows:
            return
        if self._found is None:
            first = bad.rows[0]
            reason = f"{first.reason}: {shortened(first.text)}" if first.text else first.reason
            self._found = Lost(0, BadRow(first.record, first.before, reason, file=first.file))
        self._found = Lost(self._found.rows + len(bad.rows), self._found.first)
        if self.sink is not None:
            origin = self._placed(part)
            self.sink.write(b"".join(_line(origin, row) for row in bad.rows))
        self._limit(part, self.rows + self._found.rows)

    def end_part(self, part: int, digest: str, *, read: bool) -> None:
        """All rows of a part were taken, or it was known and not `read`."""
        found, self._found = self._found, None
        if read and found is not None:
            self.notes.bad[digest] = found
        found = self.notes.bad.get(digest)
        if found is None:
            return
        self.rows += found.rows
        self.first = self.first or _told(self._placed(part), found.first)
        self._limit(part, self.rows)

    def finish(self, job: Job, rows: int) -> None:
        """Tell how many rows were left out, and `rows` are left. Raises StepError bad_data where that is too many."""
        every = rows + self.rows
        if self.rows and not rows:
            raise StepError(
                f"all {every:,} rows are bad, the first: {self.first}", "Check what should have written it."
            )
        if self.most is not None and 0 < self.most < 1 and self.rows > self.most * every:
            share = f"{self.rows:,} of {every:,} rows are bad, more than max_bad_rows = {self.most:g} allows"
            raise StepError(f"{share}; the first: {self.first}", "Mend them, or allow more.")
        job.outputs["data"].describe(bad_rows=self.rows)
        if self.rows:
            kept = "All of them are in the output `quarantine`." if self.sink is not None else ""
            job.warn(f"{self.rows:,} of {every:,} rows left out", f"The first: {self.first}. {kept}".rstrip())

    def _limit(self, part: int, rows: int) -> None:
        if self.most is None or 0 < self.most < 1 or rows <= self.most:
            return
        first = self.first or (_told(self._placed(part), self._found.first) if self._found is not None else "")
        message = f"more than max_bad_rows = {self.most:,.0f} rows are bad, the first: {first}"
        raise StepError(message, "Mend them, or allow more.")

    def _placed(self, part: int) -> Origin:
        return self._lines.placed(self.source.origin(part))


@dataclass
class _Lines:
    """Counts lines of files up to places that come in order, so that each file is read once for all of them."""

    path: Path | None = None
    offset: int = 0
    count: int = 0

    def placed(self, origin: Origin) -> Origin:
        """The origin with the lines before it counted. Raises StepError source_changed if the file is gone."""
        if origin.path is None:
            return origin
        if self.path != origin.path or origin.offset < self.offset:
            self.path, self.offset, self.count = origin.path, 0, 0
        try:
            with open_file(origin.path) as stream:
                stream.seek(self.offset)
                while self.offset < origin.offset:
                    chunk = stream.read(min(CHUNK, origin.offset - self.offset))
                    if not chunk:
                        break
                    self.count += chunk.count(b"\n")
                    self.offset += len(chunk)
        except OSError as problem:
            raise gone(origin.path, problem) from problem
        return replace(origin, before=self.count, path=None)


class KeptRows:
    """The file of the output `quarantine`, open while a snapshot is written."""

    def __init__(self, output: Output[Any] | None) -> None:
        """Begins the file anew. None: nothing is kept."""
        self._output = output
        self.sink: BinaryIO | None = None

    def __enter__(self) -> KeptRows:
        if self._output is not None:
            self.sink = open(self._output.path / FILE, "wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self.sink is not None:
            self.sink.close()

    def describe(self, rows: int) -> None:
        """Record how many rows are kept."""
        if self._output is not None:
            self._output.describe(rows=rows)


def shortened_row(text: bytes) -> bytes:
    """As much of a row as is kept; no character is cut in two."""
    end = MAX_TEXT
    while end < len(text) and end > MAX_TEXT - 4 and text[end] & 0xC0 == 0x80:
        end -= 1
    return text[:end].removesuffix(CUT).rstrip(b"\r\n")


def _told(origin: Origin, row: BadRow) -> str:
    if row.file:
        return f"{row.file}: {row.reason}"
    number = origin.before + row.before + 1
    if origin.lines is not None:
        return f"{origin.name}:{origin.lines.line(number - 1)}: {origin.unit} {number:,}: {row.reason}"
    if origin.unit == "line":
        return f"{origin.name}:{number}: {row.reason}"
    return f"{origin.name}: {origin.unit} {number:,}: {row.reason}"


def _line(origin: Origin, row: BadRow) -> bytes:
    """A bad row as JSON; bytes that are no UTF-8 in base64."""
    place: dict[str, Any] = (
        {"file": row.file} if row.file else {"file": origin.name, origin.unit: origin.before + row.before + 1}
    )
    if origin.lines is not None:
        place["line"] = origin.lines.line(origin.before + row.before)
    found: dict[str, Any] = {**place, "reason": row.reason}
    try:
        found["text"] = row.text.decode("utf-8")
    except UnicodeDecodeError:
        found["base64"] = base64.b64encode(row.text).decode("ascii")
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
