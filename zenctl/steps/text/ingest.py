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
from zenctl.steps.csv.cutting import PartSize, cut_file
from zenctl.steps.csv.header import shortened
from zenctl.steps.data import ingesting
from zenctl.steps.data.pieces import Piece, grouped
from zenctl.steps.data.reading import changed, gone, lines_before, read_stretch
from zenctl.steps.text.observe import named_digest

if TYPE_CHECKING:
    from zenctl.sdk import Job

PART = PartSize()


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what is
    no UTF-8, with file and line.
    """
    ingesting.ingest(job, TextSource.of(job))


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
        """The part's rows: one batch."""
        texts: list[str] = []
        paths: list[str] = []
        for piece in self.pieces[part]:
            found = self._texts(piece)
            texts += found
            paths += [piece.name] * len(found)
        arrays = [pa.array(texts, pa.large_string()), pa.array(paths, pa.string())]
        yield pa.RecordBatch.from_arrays(arrays, names=["text", "path"])

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

    def _texts(self, piece: Piece) -> list[str]:
        data = read_stretch(piece.path, piece.offset, piece.length, piece.sha256)
        if piece.offset == 0:
            data = data.removeprefix(BYTE_ORDER_MARK)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as problem:
            begin = data.rfind(b"\n", 0, problem.start) + 1
            line = lines_before(piece.path, piece.offset) + data.count(b"\n", 0, problem.start) + 1
            what = f"not UTF-8: byte 0x{data[problem.start]:02x} in {shortened(data[begin : begin + 240])}"
            hint = "Convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8."
            raise StepError(f"{piece.name}:{line}: {what}", hint, file=str(piece.path), line=line) from None
        if not self.lines:
            return [text]
        return [line.removesuffix("\r") for line in text.split("\n") if _filled(line)]


def _filled(line: str) -> bool:
    """Whether a line is not blank, as plan counts: of ASCII's white space only."""
    return bool(line.strip(" \t\r\v\f"))
