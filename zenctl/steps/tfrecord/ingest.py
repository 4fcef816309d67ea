"""The tfrecord source in a job: the very files that plan saw, checked record by record, and cut into parts."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.sdk.records import FOOTER, HEADER, CorruptRecords, read_blocks
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data import ingesting
from zenctl.steps.data.files import ordered
from zenctl.steps.data.grouping import Grouping
from zenctl.steps.data.reading import changed, gone, read_stretch, require
from zenctl.steps.tfrecord.reading import BLOCK_RECORDS, BadRecord, Block, decoded, found_types, opened

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk import Job

PART = PartSize()
_HINT = "Check what should have written it, or copy it anew."


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what
    cannot be read, with file and record.
    """
    ingesting.ingest(job, TfRecordSource.of(job))


@dataclass(frozen=True)
class Stretch:
    """A part: its file, where it lies in it, records before it, and its bytes' SHA-256.

    A compressed file is one part, `packed`: its records cannot be reached but from its beginning.
    """

    file: int
    offset: int
    length: int
    before: int
    sha256: str
    packed: bool


@dataclass(frozen=True)
class TfRecordSource:
    """Files of records; see `steps.data.sources.Source`. `types` by feature, sorted by name."""

    files: tuple[Path, ...]
    types: Mapping[str, str]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(cls, job: Job, size: PartSize | None = None) -> TfRecordSource:
        """The source of a job, all of its records checked. Raises StepError."""
        files = ordered(job.locations)
        types: dict[str, str] = {}
        digests: list[str] = []
        stretches: list[Stretch] = []
        bad: StepError | None = None
        for number, path in enumerate(files):
            cutter = _FileCutter(number, path, types, size or PART)
            digests.append(cutter.run())
            bad = bad or cutter.bad
            types = cutter.types
            stretches += cutter.stretches
        # Damage may be the sign of a change, which is then what there is to tell.
        require("tfrecord", digests, job.locations, job.expect)
        if bad is not None:
            raise bad
        if not types:
            raise StepError("the records have no features", _HINT)
        return cls(tuple(files), {name: types[name] for name in sorted(types)}, tuple(stretches))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def declared(self) -> Mapping[str, str]:
        return {name: type for name, type in self.types.items() if type}

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "tfrecord"}

    @property
    def parts(self) -> int:
        return len(self.stretches)

    def digest(self, part: int) -> str:
        """Of the part's bytes as they are stored."""
        return self.stretches[part].sha256

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows."""
        found = self.stretches[part]
        path = self.files[found.file]
        done = 0
        for block in self._blocks(found, path):
            try:
                batch = decoded(block, self.types)
            except BadRecord as problem:
                raise self.locate(part, done + problem.row, str(problem)) from problem
            yield batch
            done += batch.num_rows

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the file, and the record in it counted from 1."""
        found = self.stretches[part]
        return _located(self.files[found.file], found.before + row, problem)

    def _blocks(self, found: Stretch, path: Path) -> Iterator[Block]:
        if not found.packed:
            data = read_stretch(path, found.offset, found.length, found.sha256)
            for block in read_blocks(io.BytesIO(data), max_records=BLOCK_RECORDS, verify=False):
                yield Block(*block)
            return
        try:
            with opened(path) as (stream, hashed, _):
                for block in read_blocks(stream, max_records=BLOCK_RECORDS):
                    yield Block(*block)
                if hashed.finish() != found.sha256:
                    raise changed(path)
        except (CorruptRecords, EOFError, zlib.error) as problem:
            raise changed(path) from problem
        except OSError as problem:
            raise gone(path, problem) from problem


class _FileCutter:
    """Reads a file once: checks its records, finds their types, and cuts it. What is wrong with it is left in `bad`."""

    def __init__(self, number: int, path: Path, types: dict[str, str], size: PartSize) -> None:
        self.types = types
        self.stretches: list[Stretch] = []
        self.bad: StepError | None = None
        self._number = number
        self._path = path
        self._grouping = Grouping(size)
        self._hasher = hashlib.sha256()
        self._offset = self._length = self._before = self._records = 0
        """Of the part that is open: where it begins, its bytes so far, records before it; and all records so far."""

    def run(self) -> str:
        """SHA-256 of the whole file. Raises StepError source_changed if it cannot be read."""
        try:
            with opened(self._path) as (stream, hashed, packed):
                try:
                    for data, starts, ends in read_blocks(stream, max_records=BLOCK_RECORDS):
                        self.types = found_types(Block(data, starts, ends), self.types)
                        if not packed:
                            self._cut(data, starts, ends)
                        self._records += len(starts)
                except CorruptRecords as problem:
                    what = str(problem).partition(" (record")[0]
                    self.bad = _located(self._path, problem.record, what)
                except BadRecord as problem:
                    self.bad = _located(self._path, self._records + problem.row, str(problem))
                except (EOFError, zlib.error) as problem:
                    self.bad = StepError(f"{self._path.name}: its gzip data is damaged: {problem}", _HINT)
                digest = hashed.finish()
        except OSError as problem:
            raise gone(self._path, problem) from problem
        if packed:
            self.stretches = [Stretch(self._number, 0, self._path.stat().st_size, 0, digest, packed)]
        elif self._length:
            self._end_part()
        return digest

    def _cut(self, data: bytes, starts: Any, ends: Any) -> None:
        whole = ends + FOOTER
        lengths = np.diff(whole, prepend=int(starts[0]) - HEADER)
        sums = np.ndarray((len(data) - 3,), dtype="<u4", buffer=data, strides=(1,))[ends]
        at, records = int(starts[0]) - HEADER, 0
        for last in self._grouping.add(lengths, sums):
            self._take(data[at : int(whole[last])])
            self._end_part()
            at, records = int(whole[last]), last + 1
            self._before = self._records + records
        self._take(data[at : int(whole[-1])])

    def _take(self, data: bytes) -> None:
        self._hasher.update(data)
        self._length += len(data)

    def _end_part(self) -> None:
        sha256 = self._hasher.hexdigest()
        self.stretches.append(Stretch(self._number, self._offset, self._length, self._before, sha256, packed=False))
        self._offset, self._length, self._hasher = self._offset + self._length, 0, hashlib.sha256()


def _located(path: Path, record: int, problem: str) -> StepError:
    hint = "Write one value for each feature, or leave the feature out." if "feature" in problem else _HINT
    return StepError(f"{path.name}: record {record + 1:,}: {problem}", hint, file=str(path))
