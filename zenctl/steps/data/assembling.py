"""Makes an output's shards of the parts of a source, and takes those by reference that are known to come of them.

Where shards end follows from the records alone, so that the bytes are those that a first run gives. A shard is known
if it begins at the same row of the same part as an earlier one and the parts after it are the same; it is named
instead of written if the store still has it. All other parts are read, known or not, as far as shards need them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.memory import Memory
from zenctl.sdk.snapshot import Shard
from zenctl.sdk.snapshot_statistics import MAX_DISTINCT, Statistics, TextStatistics
from zenctl.steps.data.notes import Notes, Run

if TYPE_CHECKING:
    from zenctl.sdk.dataset import DatasetOutput
    from zenctl.sdk.examples_encode import Encoded

PROOFS = 8
"""How many times it is shown that a column has too many values: a change must not leave it without a proof."""


@dataclass(frozen=True)
class _Written:
    """A shard that was written: where it begins, which part decided its end and in which row (-1: the end of all)."""

    part: int
    first: int
    last: int
    row: int
    shard: Shard


class Assembly:
    """One output. For each part in order: `wants(part)`; if so `feed` its records in order; then `end_part`.

    `apart`: every part ends a shard, so that the shards of a part depend on nothing else.
    """

    def __init__(
        self, output: DatasetOutput, digests: Sequence[str], notes: Notes, memory: Memory, *, apart: bool = False
    ) -> None:
        """`notes` must hold for the output's types; what is found out on the way is added to it."""
        self._output = output
        self._writer = output.writer()
        self._digests = digests
        self._notes = notes
        self._memory = memory
        self._apart = apart
        self._proofs = notes.proved(set(digests))
        memory.expect(shard.sha256 for shard in notes.shards(digests))
        self._values: dict[str, tuple[set[Any], list[str]]] = {}
        """By text column: values that do not prove anything yet, and the parts that have them."""
        self._part = self._row = 0
        """Where the next record to take stands."""
        self._begun = (0, 0)
        """Where the shard that is open began."""
        self._runs: list[tuple[int, Run]] = []
        self._written: list[_Written] = []
        self._fed = 0
        self._found: Statistics | None = None

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Text columns whose values need not be counted in the part that is being fed."""
        own = self._found.uncounted if self._found is not None else ()
        return (*own, *(name for name, proofs in self._proofs.items() if len(proofs) >= PROOFS))

    def knows(self, part: int) -> bool:
        """Whether the statistics of a part are known, and are enough."""
        skipped = self._notes.skipped(self._digests[part])
        return skipped is not None and skipped <= self._proofs.keys()

    def wants(self, part: int) -> bool:
        """Whether the part's records are needed. Shards that are known are named on the way."""
        self._fed = 0
        self._found = None if self.knows(part) else Statistics()
        self._skip(part)
        return self._part == part or self._found is not None

    def feed(self, part: int, encoded: Encoded, statistics: Statistics | None) -> None:
        """Take the next records of the part, and their statistics if the part is not known."""
        if self._found is not None and statistics is not None:
            self._found.merge(statistics)
        end = self._fed + encoded.rows
        while self._part == part and self._row < end:
            self._row = self._fed + self._writer.append(encoded, self._row - self._fed, one=True)
            if self._writer.between:
                self._note(part)
                self._skip(part)
        self._fed = end

    def end_part(self, part: int) -> None:
        """All records of the part were fed, or none was wanted."""
        digest = self._digests[part]
        if self._found is not None:
            self._notes.rows[digest] = self._fed
            self._prove(digest, self._found)
            self._notes.keep(digest, self._found)
            self._found = None
        self._output.count(self._notes.statistics(digest))
        if self._part == part:
            if self._apart and not self._writer.between:
                self._writer.cut()
                self._note(part)
            self._part, self._row = part + 1, 0
            if self._writer.between:
                self._begun = (part + 1, 0)

    def finish(self, key: str) -> None:
        """End the last shard, and leave a note under the key, unless there is one part only."""
        if not self._writer.between:
            self._writer.cut()
            self._note(len(self._digests) - 1, at_end=True)
        runs = [*self._runs, *((written.part, self._run(written)) for written in self._written)]
        if len(self._digests) > 1:
            self._notes.proofs = self._proofs
            runs.sort(key=lambda item: (item[0], item[1].first))
            self._output.keep_note(key, self._notes.pack(self._digests, runs))

    def _skip(self, part: int) -> None:
        """Name the shards that are known from where the next record stands, as long as that is in this part."""
        while self._part == part and self._writer.between:
            runs = self._notes.find(self._digests, self._part, self._row)
            run = next((r for r in runs if self._memory.holds(r.shard.sha256, r.shard.bytes)), None)
            if run is None:
                return
            path = self._writer.refer(run.shard)
            self._output.refer(path, run.shard.bytes, run.shard.sha256)
            self._runs.append((self._part, run))
            self._part, self._row = self._part + run.steps, run.row
            self._begun = (self._part, self._row)

    def _note(self, part: int, *, at_end: bool = False) -> None:
        """A shard was finished, as the records up to this part decided."""
        row = -1 if at_end else self._row
        self._written.append(_Written(*self._begun, part, row, self._writer.shards[-1]))
        self._begun = (self._part, self._row)

    def _run(self, written: _Written) -> Run:
        """The run of a shard, now that all parts' rows are known."""
        digests = tuple(self._digests[written.part : written.last + 1])
        steps, at_end = written.last - written.part, written.row < 0
        if at_end or written.row == self._notes.rows[digests[-1]]:
            return Run(digests, written.first, steps + 1, 0, at_end, written.shard)
        return Run(digests, written.first, steps, written.row, False, written.shard)

    def _prove(self, digest: str, statistics: Statistics) -> None:
        """See which text columns the part shows, with others, to have too many values."""
        for name, column in statistics.columns.items():
            if not isinstance(column, TextStatistics):
                continue
            proofs = self._proofs.get(name, [])
            if len(proofs) >= PROOFS:
                column.values, column.skipped = None, True
            elif column.values is None:
                self._proofs[name] = [*proofs, (digest,)]
            else:
                values, parts = self._values.setdefault(name, (set(), []))
                values.update(column.values)
                parts.append(digest)
                if len(values) > MAX_DISTINCT:
                    self._proofs[name] = [*proofs, tuple(parts)]
                    del self._values[name]
