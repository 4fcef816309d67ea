"""The text source in a job: the very files that plan saw, cut at ends of lines, or grouped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from zenctl.digests import sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.cutting import PartSize, Span, cut_file
from zenctl.steps.csv.header import shortened
from zenctl.steps.data import ingesting
from zenctl.steps.data.bad_rows import CUT, MAX_ROW, BadRow, BadRows, Origin, shortened_row
from zenctl.steps.data.line_blocks import blocks
from zenctl.steps.data.pieces import Piece, grouped
from zenctl.steps.data.reading import changed, gone, lines_before, read_stretch
from zenctl.steps.data.unpacking import in_the_clear
from zenctl.steps.text.observe import named_digest

if TYPE_CHECKING:
    from zenctl.sdk import Job

PART = PartSize()


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what is
    no UTF-8, with file and line.
    """
    with in_the_clear(job) as clear:
        ingesting.ingest(clear, TextSource.of(clear))


@dataclass(frozen=True)
class TextSource:
    """Parts are a piece of a file each, or files as a whole; see `steps.data.sources.Source`."""

    lines: bool
    pieces: tuple[tuple[Piece, ...], ...]

    @classmethod
    def of(cls, job: Job, size: PartSize | None = None) -> TextSource:
        """The source of a job, its files cut. Raises StepError."""
        lines = job.params["row"] == "line"
        named: list[str] = []
        parts: list[tuple[Piece, ...]] = []
        whole: list[Piece] = []
        for name in sorted(job.locations):
            path = Path(job.locations[name])
            try:
                cut = cut_file(path, "", size or PART)
            except OSError as problem:
                raise gone(path, problem) from problem
            named.append(f"{name}\n{cut.sha256}")
            if lines:
                parts += [(Piece(name, path, span.offset, span.length, span.sha256),) for span in cut.spans]
            else:
                whole.append(Piece(name, path, 0, sum(span.length for span in cut.spans), cut.sha256))
        expected = job.expect.get("source")
        if expected and named_digest("text", named) != expected:
            raise changed(Path(", ".join(sorted(job.locations))))
        return cls(lines, tuple(parts if lines else grouped(whole, size or PART)))

    @property
    def names(self) -> tuple[str, ...]:
        return ("text", "path")

    @property
    def declared(self) -> Mapping[str, str]:
        return {"text": "string", "path": "string"}

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "text", "lines": self.lines}

    @property
    def parts(self) -> int:
        return len(self.pieces)

    def digest(self, part: int) -> str:
        """Of the pieces' bytes, and the names of their files."""
        return sha256_json([[piece.name, piece.sha256] for piece in self.pieces[part]])

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows."""
        for found, bad in self._rows(part):
            if bad:
                raise self._refused(part, bad[0])
            yield found

    def salvage(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """The part's rows, and those that are no text."""
        for found, bad in self._rows(part):
            if bad:
                yield BadRows(tuple(bad))
            yield found

    def records(self, part: int) -> Iterator[tuple[int, bytes]]:
        """Lines before each row, and its bytes."""
        for piece in self.pieces[part]:
            before = 0
            for block in self._blocks(piece):
                lines = block.split(b"\n") if self.lines else [block]
                yield from ((before + at, line) for at, line in enumerate(lines) if not self.lines or line.strip())
                before += len(lines) - 1

    def origin(self, part: int) -> Origin:
        """The part's file and place."""
        piece = self.pieces[part][0]
        return Origin(piece.name, path=piece.path, offset=piece.offset)

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the file, and the line of a row that is one."""
        hint = "Check what should have written it."
        if not self.pieces:
            return StepError(problem, hint)
        if not self.lines:
            piece = self.pieces[part][row]
            return StepError(f"{piece.name}: {problem}", hint, file=str(piece.path))
        piece = self.pieces[part][0]
        data = read_stretch(piece.path, piece.offset, piece.length, piece.sha256)
        first = lines_before(piece.path, piece.offset) + 1
        filled = (number for number, line in enumerate(data.split(b"\n"), first) if line.strip())
        line = next((number for at, number in enumerate(filled) if at == row), first)
        return StepError(f"{piece.name}:{line}: {problem}", hint, file=str(piece.path), line=line)

    def _refused(self, part: int, bad: BadRow) -> StepError:
        """The error for a row that is no text."""
        hint = "Convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8."
        piece = next((one for one in self.pieces[part] if one.name == bad.file), self.pieces[part][0])
        line = 0 if bad.file else lines_before(piece.path, piece.offset) + bad.before + 1
        place = f"{piece.name}:{line}" if line else piece.name
        message = f"{place}: {bad.reason} in {shortened(bad.text)}"
        return StepError(message, hint, file=str(piece.path), line=line)

    def _rows(self, part: int) -> Iterator[tuple[pa.RecordBatch, list[BadRow]]]:
        """Block by block, its rows and those that are no text; of whole files, all of the part at once."""
        if not self.lines:
            yield self._files(self.pieces[part])
            return
        piece = self.pieces[part][0]
        records = before = 0
        for block in self._blocks(piece):
            bad: list[BadRow] = []
            texts = _lines_of(block)
            if texts is None:
                texts = []
                for at, line in enumerate(block.split(b"\n")):
                    problem = _problem(line)
                    if problem:
                        bad.append(BadRow(records + len(texts) + len(bad), before + at, problem, shortened_row(line)))
                    else:
                        texts += _lines_of(line) or []
            yield _batch(texts, [piece.name] * len(texts)), bad
            records += len(texts) + len(bad)
            before += block.count(b"\n")

    def _files(self, pieces: tuple[Piece, ...]) -> tuple[pa.RecordBatch, list[BadRow]]:
        texts: list[str] = []
        names: list[str] = []
        bad: list[BadRow] = []
        for number, piece in enumerate(pieces):
            data = b"".join(self._blocks(piece))
            problem = _problem(data)
            if problem:
                bad.append(BadRow(number, 0, problem, shortened_row(data), piece.name))
            else:
                texts.append(data.decode("utf-8"))
                names.append(piece.name)
        return _batch(texts, names), bad

    def _blocks(self, piece: Piece) -> Iterator[bytes]:
        """The piece's bytes without a byte order mark: whole lines, or all at once."""
        if self.lines:
            found = blocks(piece.path, Span(piece.offset, piece.length, piece.sha256))
        else:
            found = iter([read_stretch(piece.path, piece.offset, piece.length, piece.sha256)])
        for number, data in enumerate(found):
            yield data.removeprefix(BYTE_ORDER_MARK) if piece.offset == 0 and number == 0 else data


def _batch(texts: list[str], names: list[str]) -> pa.RecordBatch:
    arrays = [pa.array(texts, pa.large_string()), pa.array(names, pa.string())]
    return pa.RecordBatch.from_arrays(arrays, names=["text", "path"])


def _lines_of(data: bytes) -> list[str] | None:
    """The lines that are not blank, as plan counts: of ASCII's white space only. None if one is no text."""
    if b"\0" in data:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip(" \t\r\v\f")]


def _problem(data: bytes) -> str:
    """Why this is no text in UTF-8; "" if it is."""
    if data.endswith(CUT):
        return f"it is larger than {MAX_ROW:,} bytes"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as problem:
        return f"not UTF-8: byte 0x{data[problem.start]:02x}"
    return "it holds a NUL byte" if b"\0" in data else ""
