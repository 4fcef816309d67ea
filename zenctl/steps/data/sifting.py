"""Leaves bad rows of a source out: those that cannot be read, and those with a value of another type than declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.bad_rows import BadRow, BadRows, Salvageable, shortened_row
from zenctl.steps.data.narrowing import fitting

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk.errors import StepError
    from zenctl.steps.data.sources import Source

    class SalvageableSource(Source, Salvageable):
        """A source that can read on past a bad row."""


@dataclass(frozen=True)
class Sifted:
    """The rows of a source that are not bad, as if the others were not there."""

    source: SalvageableSource

    @classmethod
    def of(cls, source: Any) -> Sifted:
        """Raises TypeError for a source that cannot leave rows out, whose block then has no `bad_rows`."""
        if not isinstance(source, Salvageable):
            raise TypeError(f"{type(source).__name__} has bad_rows, but is not Salvageable")
        return cls(source)  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    @property
    def declared(self) -> Mapping[str, str]:
        return self.source.declared

    @property
    def form(self) -> Mapping[str, Any]:
        return self.source.form

    @property
    def parts(self) -> int:
        return self.source.parts

    def digest(self, part: int) -> str:
        """The source's own."""
        return self.source.digest(part)

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """The source's own."""
        return self.source.locate(part, row, problem)

    def read(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """Texts of columns that are declared as int or float come as that."""
        records = _Records(self.source, part)
        pending: list[BadRow] = []
        begin = 0
        for item in self.source.salvage(part):
            if isinstance(item, BadRows):
                pending += item.rows
                continue
            taken = {row.record for row in pending}
            batch, wrong = fitting(item, self.declared)
            if wrong:
                numbers = np.setdiff1d(np.arange(begin, begin + item.num_rows + len(taken)), sorted(taken))
                pending += [records.row(int(numbers[at]), reason) for at, reason in sorted(wrong.items())]
            if pending:
                yield BadRows(tuple(sorted(pending, key=lambda row: row.record)))
            begin += item.num_rows + len(taken)
            pending = []
            if batch.num_rows:
                yield batch
        if pending:
            yield BadRows(tuple(pending))


class _Records:
    """A part's rows as they are written, looked up in order."""

    def __init__(self, source: Salvageable, part: int) -> None:
        self._rows = enumerate(source.records(part))

    def row(self, record: int, reason: str) -> BadRow:
        """The row of this number, which must be larger than all before."""
        before, text = next(found for at, found in self._rows if at == record)
        return BadRow(record, before, reason, shortened_row(text))
