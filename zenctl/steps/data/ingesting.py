"""Takes a snapshot of a source: settles types over all of it, and writes the parts that are not known.

Types follow from all values of a column, not from the first part. Where nothing is known of the source, types are
guessed from a few parts, and parts are read once; if a later value does not fit, all that is left is looked at, and
everything is written anew with the types that hold it all. So the result depends neither on parts nor on their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zenctl.digests import sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.data.bad_rows import BadRowLog, BadRows, KeptRows
from zenctl.steps.data.composition import Written, fold, write_parts
from zenctl.steps.data.narrowing import Unfit, convert, wider, widest
from zenctl.steps.data.notes import Notes, recall
from zenctl.steps.data.sifting import Sifted

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk import Job
    from zenctl.sdk.dataset import DatasetOutput
    from zenctl.steps.data.sources import Source

VERSION = 1
"""Counts changes of what a part's bytes become; notes of another version are not read."""

Kinds = dict[str, str]


def ingest(job: Job, source: Source | Sifted) -> None:
    """Write the snapshot as output `data`. Raises StepError: bad_data for what cannot be read, or does not fit."""
    output: DatasetOutput = job.outputs["data"]
    try:
        _ingest(job, source, output)
    except BaseException:
        output.abandon()
        raise


def _ingest(job: Job, source: Source | Sifted, output: DatasetOutput) -> None:
    output.compress(job.params.get("compression", "none"))
    unknown = [name for name in source.declared if name not in source.names]
    if unknown:
        message = f'types names the column "{unknown[0]}", which is not there'
        raise StepError(message, f"Columns: {', '.join(source.names)}.")
    digests = [source.digest(part) for part in range(source.parts)]
    tolerant = job.params.get("bad_rows", "fail") != "fail"
    if tolerant:
        source = Sifted.of(source)
    key = sha256_json(
        {
            "version": VERSION,
            "source": dict(source.form),
            "names": list(source.names),
            "declared": dict(source.declared),
            "form": output.form,
            # Notes of a snapshot that has all rows do not tell of parts with bad ones, and the other way round.
            **({"bad_rows": "left out"} if tolerant else {}),
        }
    )
    known = recall(job.memory, key).kinds
    if not job.processing and known.keys().isdisjoint(digests):
        try:
            _write(job, _Learning(source, _guess(source), known), digests, key, Notes(kinds=known))
            return
        except _Widened:
            output.discard()
    _settle(job, source, digests, known)
    types = widest([known[digest] for digest in digests], source.names)
    notes = recall(job.memory, key, types)
    notes.kinds |= known
    _write(job, _Typed(source, types), digests, key, notes)


class _Widened(Exception):
    """A value does not fit the types that were guessed."""


@dataclass(frozen=True)
class _Typed:
    """A source's rows in settled types."""

    source: Source | Sifted
    types: Mapping[str, str]

    @property
    def parts(self) -> int:
        return self.source.parts

    def read(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        before = 0
        for batch in self.source.read(part):
            if isinstance(batch, BadRows):
                yield batch
                continue
            try:
                yield convert(batch, self.types)
            except Unfit as problem:
                raise self.source.locate(part, before + problem.row, str(problem)) from problem
            before += batch.num_rows


@dataclass(frozen=True)
class _Learning:
    """A source's rows in types that hold so far. What a part's columns could be is kept in `kinds` on the way."""

    source: Source | Sifted
    types: Kinds
    kinds: dict[str, Kinds]

    @property
    def parts(self) -> int:
        return self.source.parts

    def read(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """Raises _Widened; a column of which all values are missing so far takes any type."""
        digest, found, before = self.source.digest(part), dict.fromkeys(self.source.names, ""), 0
        for batch in self.source.read(part):
            if isinstance(batch, BadRows):
                yield batch
                continue
            found = wider(batch, found, self.source.declared)
            types = widest([self.types, found], self.source.names)
            if any(types[name] != type for name, type in self.types.items() if type):
                raise _Widened
            self.types.update(types)
            try:
                converted = convert(batch, types)
            except Unfit as problem:
                raise self.source.locate(part, before + problem.row, str(problem)) from problem
            before += batch.num_rows
            yield converted
        self.kinds[digest] = found


@dataclass(frozen=True)
class _Kinds:
    """For each part of a source one element: what its columns could be, by its digest."""

    source: Source | Sifted
    wanted: tuple[int, ...]

    @property
    def parts(self) -> int:
        return len(self.wanted)

    def read(self, part: int) -> Iterator[Any]:
        found = dict.fromkeys(self.source.names, "")
        for batch in _good(self.source, self.wanted[part]):
            found = wider(batch, found, self.source.declared)
        yield {self.source.digest(self.wanted[part]): found}


def _guess(source: Source | Sifted) -> Kinds:
    """Types that hold some parts: the first one, one in the middle, and the last."""
    found = dict.fromkeys(source.names, "")
    for part in sorted({0, source.parts // 2, source.parts - 1}) if source.parts > 2 else range(min(1, source.parts)):
        batch = next(_good(source, part), None)
        found = wider(batch, found, source.declared) if batch is not None else found
    return found


def _settle(job: Job, source: Source | Sifted, digests: list[str], known: dict[str, Kinds]) -> None:
    """Find out what the columns of the parts could be that are not known."""
    missing = {digest: part for part, digest in enumerate(digests) if digest not in known}
    kinds = _Kinds(source, tuple(sorted(missing.values())))
    if job.processing:
        empty: dict[str, Kinds] = {}
        known |= fold(kinds, dict, lambda one, other: {**one, **other}, empty, job)
        return
    for part in range(kinds.parts):
        for found in kinds.read(part):
            known |= found


def _write(job: Job, source: _Typed | _Learning, digests: list[str], key: str, notes: Notes) -> None:
    written = {"data": Written(job.outputs["data"], notes, key)}
    left_out = source.source if isinstance(source.source, Sifted) else None
    with KeptRows(job.outputs.get("quarantine")) as kept:
        bad = BadRowLog(left_out.source, notes, job.params.get("max_bad_rows"), kept.sink) if left_out else None
        rows = write_parts(source, _to_data, source.types, written, job, digests=digests, bad=bad)
    if bad is not None:
        bad.finish(job, rows)
        kept.describe(bad.rows)
    if rows == 0:
        raise source.source.locate(0, 0, "there are no rows")


def _good(source: Source | Sifted, part: int) -> Iterator[pa.RecordBatch]:
    """The rows of a part that are not left out."""
    return (batch for batch in source.read(part) if not isinstance(batch, BadRows))


def _to_data(batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
    return {"data": batch}
