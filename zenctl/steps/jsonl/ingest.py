"""The jsonl source in a job: the very files that plan saw, cut into parts at ends of lines, and their keys."""

from __future__ import annotations

import errno
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zenctl.diagnostics import did_you_mean
from zenctl.digests import sha256_file, sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.cutting import PartSize, Span, cut_file
from zenctl.steps.data import ingesting
from zenctl.steps.data.bad_rows import BadRow, BadRows, Origin, shortened_row
from zenctl.steps.data.files import ordered
from zenctl.steps.data.line_blocks import blocks
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.reading import changed, digest_stretch, gone, lines_before, require
from zenctl.steps.data.unpacking import in_the_clear
from zenctl.steps.jsonl.elements import Elements, lay_out
from zenctl.steps.jsonl.kinds import KINDS, merged, together
from zenctl.steps.jsonl.lines import kind_of, rows_of, rows_or_problems
from zenctl.steps.jsonl.reading import (
    Columns,
    Misfit,
    column_types,
    good_kinds_of,
    kinds_of,
    nested,
    parse,
    salvage,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk import Job

PART = PartSize()
MAX_COLUMNS = 10_000
"""More keys than these are data, not columns."""
_NOTE = sha256_json({"jsonl-kinds": 1})
"""The key under which the kinds of parts are noted."""


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what
    cannot be read, with file, line and column.
    """
    with in_the_clear(job) as clear:
        ingesting.ingest(clear, JsonlSource.of(clear))


def ingest_json(job: Job) -> None:
    """The same of files that hold an array of objects, or objects one after the other."""
    with in_the_clear(job) as clear, TemporaryDirectory(prefix="lines-", dir=job.scratch.absolute()) as folder:
        ingesting.ingest(clear, JsonlSource.of(clear, laid=_laid_out(clear, Path(folder))))


def _laid_out(job: Job, folder: Path) -> dict[str, Laid]:
    """The files' objects as lines, by the names of their locations. Raises StepError."""
    found: dict[str, Laid] = {}
    for number, (name, location) in enumerate(sorted(job.locations.items())):
        path, lines = Path(location), folder / str(number) / Path(location).name
        lines.parent.mkdir()
        try:
            elements, sha256 = lay_out(path, lines, lines.parent / "places of elements")
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise gone(path, problem) from problem
        except FileProblem as problem:
            require("jsonl", [sha256_file(one) for one in ordered(job.locations)], job.locations, job.expect)
            place = f"{path.name}:{problem.line}" if problem.line else path.name
            raise StepError(f"{place}: {problem.message}", problem.hint, str(path), problem.line) from problem
        found[name] = Laid(lines, elements, sha256)
    return found


@dataclass(frozen=True)
class Laid:
    """The lines that were made of a file, what tells where they come from, and the SHA-256 of the file."""

    lines: Path
    elements: Elements
    sha256: str


@dataclass(frozen=True)
class JsonlSource:
    """Files, cut into parts; see `steps.data.sources.Source`. `cut` has each part's file and place.

    `elements` are those of files whose lines were made of something else.
    """

    files: tuple[Path, ...]
    cut: tuple[tuple[int, Span], ...]
    columns: Columns
    given: Mapping[str, str]
    """Types that the block declares; `columns` has them for all columns."""
    elements: tuple[Elements, ...] = ()

    @classmethod
    def of(cls, job: Job, size: PartSize | None = None, laid: Mapping[str, Laid] | None = None) -> JsonlSource:
        """The source of a job. Parts that are not known are parsed for the kinds of their values. Raises StepError."""
        made = [laid[name] for name in sorted(laid)] if laid is not None else []
        files = [one.lines for one in made] or ordered(job.locations)
        digests, parts = [], []
        for number, path in enumerate(files):
            try:
                cut = cut_file(path, "", size or PART)
            except OSError as problem:
                raise gone(path, problem) from problem
            digests.append(cut.sha256)
            parts += [(number, span) for span in cut.spans]
        require("jsonl", [one.sha256 for one in made] or digests, job.locations, job.expect)
        declared = dict(job.params["types"])
        nested = job.params["nested"] == "text"
        tolerant = job.params.get("bad_rows", "fail") != "fail"
        elements = tuple(one.elements for one in made)
        source = cls(tuple(files), tuple(parts), Columns({}, {}, nested), declared, elements)
        kinds = source._kinds(job, tolerant=tolerant)
        source._refuse(kinds, tolerant=tolerant)
        types = column_types(kinds, declared, list(kinds))
        return cls(source.files, source.cut, Columns(kinds, types, nested), declared, elements)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns.kinds)

    @property
    def declared(self) -> Mapping[str, str]:
        return {name: type for name, type in self.columns.types.items() if type}

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "jsonl", "kinds": dict(self.columns.kinds)}

    @property
    def parts(self) -> int:
        return len(self.cut)

    def digest(self, part: int) -> str:
        """Of the part's bytes."""
        return self.cut[part][1].sha256

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows."""
        done = lines = 0
        for block in self._blocks(part):
            try:
                batch = parse(block, self.columns)
            except FileProblem as problem:
                raise self._problem(part, problem, lines) from problem
            except Misfit as problem:
                raise self.locate(part, done + problem.row, str(problem)) from problem
            yield batch
            done += batch.num_rows
            lines += block.count(b"\n")

    def salvage(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """The part's rows, and those that cannot be read."""
        done = lines = 0
        for block in self._blocks(part):
            batch, found = salvage(block, self.columns, self.given)
            if found:
                bad = (BadRow(done + n, lines + line, why, shortened_row(text)) for n, line, text, why in found)
                yield BadRows(tuple(bad))
            yield batch
            done += batch.num_rows + len(found)
            lines += block.count(b"\n")

    def records(self, part: int) -> Iterator[tuple[int, bytes]]:
        """Lines before each line that is not blank, and the line."""
        lines = 0
        for block in self._blocks(part):
            for line, text, _ in rows_or_problems(block, {}, nested=True):
                yield lines + line, text
            lines += block.count(b"\n")

    def origin(self, part: int) -> Origin:
        """The part's file and place."""
        number, span = self.cut[part]
        path = self.files[number]
        if self.elements:
            return Origin(path.name, "element", 0, path, span.offset, self.elements[number])
        return Origin(path.name, path=path, offset=span.offset)

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the file and line of a row."""
        number, span = self.cut[part]
        path = self.files[number]
        first = lines_before(path, span.offset)
        for block in self._blocks(part):
            for line, _ in rows_of(block, 1):
                if row == 0:
                    hint = "Correct the value, or declare the column with a wider type."
                    return self._error(number, first + line, FileProblem(problem, hint))
                row -= 1
            first += block.count(b"\n")
        return StepError(f"{path.name}: {problem}", "Check what should have written it.", file=str(path))

    def _rows(self, block: bytes, *, tolerant: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each row of a block, and its line from 1; `tolerant`: but for bad ones. Raises FileProblem."""
        if not tolerant:
            yield from rows_of(block, 1)
            return
        for line, _, row in rows_or_problems(block, self.given, nested=self.columns.nested):
            if not isinstance(row, str):
                yield line + 1, row

    def _blocks(self, part: int) -> Iterator[bytes]:
        number, span = self.cut[part]
        return blocks(self.files[number], span)

    def _problem(self, part: int, problem: FileProblem, lines: int) -> StepError:
        """The error for a problem in a block that begins `lines` after the part; bad data may be sign of a change."""
        number, span = self.cut[part]
        path = self.files[number]
        if digest_stretch(path, span.offset, span.length) != span.sha256:
            return changed(path)
        return self._error(number, lines_before(path, span.offset) + lines + problem.line, problem)

    def _error(self, number: int, line: int, problem: FileProblem) -> StepError:
        """The error for a problem on a line of a file."""
        path = self.files[number]
        if self.elements:
            found = self.elements[number]
            begin = found.line(line - 1)
            message = f"{path.name}:{begin}: element {line:,}: {problem.message}"
            return StepError(message, problem.hint, file=str(found.source), line=begin)
        place = f"{path.name}:{line}:{problem.column}" if problem.column else f"{path.name}:{line}"
        return StepError(f"{place}: {problem.message}", problem.hint, file=str(path), line=line)

    def _kinds(self, job: Job, *, tolerant: bool) -> dict[str, str]:
        """Kinds by key over all parts; those of parts that are known are taken from notes.

        `tolerant`: of rows that are not bad.
        """
        key = _note_of(self.given, self.columns.nested) if tolerant else _NOTE
        known = _recalled(job, key)
        found = []
        for part in range(self.parts):
            digest = self.digest(part)
            if digest not in known:
                kinds: dict[str, str] = {}
                lines = 0
                for block in self._blocks(part):
                    try:
                        own = (
                            good_kinds_of(block, self.given, nested=self.columns.nested)
                            if tolerant
                            else kinds_of(block)
                        )
                        kinds = merged([kinds, own])
                    except FileProblem as problem:
                        raise self._problem(part, problem, lines) from problem
                    lines += block.count(b"\n")
                known[digest] = kinds
            found.append(known[digest])
        kinds = merged(found)
        if len(kinds) > MAX_COLUMNS:
            hint = "Keys are names of columns: write what differs from row to row as a value."
            raise StepError(f"the source has {len(kinds):,} different keys, more than {MAX_COLUMNS:,}", hint)
        if self.parts > 1:
            kept = {self.digest(part): known[self.digest(part)] for part in range(self.parts)}
            job.outputs["data"].keep_note(key, zlib.compress(json.dumps(kept).encode("utf-8"), 6))
        return kinds

    def _refuse(self, kinds: Mapping[str, str], *, tolerant: bool) -> None:
        """Raise StepError for a declared column that is not there, and for kinds that no column holds."""
        for name in self.given:
            if kinds and name not in kinds:
                hint = f"Columns: {', '.join(list(kinds)[:20])}.{did_you_mean(name, list(kinds))}"
                raise StepError(f'types names the column "{name}", which is not there', hint)
        for name, kind in kinds.items():
            if kind == "nested" and not self.columns.nested:
                raise self._first(name, "nested", tolerant=tolerant)
            if kind == "mixed" and name not in self.given:
                raise self._first(name, "mixed", tolerant=tolerant)

    def _first(self, name: str, kind: str, *, tolerant: bool) -> StepError:
        """The error for the first line where the column becomes of this kind."""
        before = ""
        for part in range(self.parts):
            lines = 0
            for block in self._blocks(part):
                for line, row in self._rows(block, tolerant=tolerant):
                    own = kind_of(row.get(name))
                    after = together(before, own)
                    if after == kind:
                        hint = f'Write one kind of value, or declare the column: types = {{ {name} = "string" }}.'
                        message = f'"{name}" holds {KINDS[own]} here, but {KINDS[before]} in lines before'
                        problem = nested(name, line) if own == "nested" else FileProblem(message, hint, line)
                        return self._problem(part, problem, lines)
                    before = after
                lines += block.count(b"\n")
        return changed(self.files[0])


def _note_of(declared: Mapping[str, str], nested: bool) -> str:
    """The key under which the kinds of parts without their bad rows are noted."""
    return sha256_json({"jsonl-kinds": 1, "bad_rows": "left out", "declared": dict(declared), "nested": nested})


def _recalled(job: Job, key: str) -> dict[str, dict[str, str]]:
    """What notes of earlier jobs tell of parts, by their digests; damage costs time only."""
    found: dict[str, dict[str, str]] = {}
    for packed in job.memory.recall(key):
        try:
            noted = json.loads(zlib.decompress(packed))
            found |= {str(d): {str(n): str(k) for n, k in kinds.items()} for d, kinds in noted.items()}
        except (zlib.error, ValueError, AttributeError, TypeError):
            continue
    return {digest: kinds for digest, kinds in found.items() if KINDS.keys() >= set(kinds.values())}
