"""Another kind of source than CSV, written as the module says, with types of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.steps.data.remembering import Made, Workspace
from zenctl.digests import sha256_text
from zenctl.sdk import Job, StepError
from zenctl.steps.data import ingesting
from zenctl.steps.data.sources import Source
from zenctl_beam.direct import DirectProcessing

READ: list[int] = []


@dataclass(frozen=True)
class Tables:
    """Arrow tables, one a part."""

    tables: tuple[pa.Table, ...]
    declared: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.tables[0].column_names)

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "tables"}

    @property
    def parts(self) -> int:
        return len(self.tables)

    def digest(self, part: int) -> str:
        return sha256_text(f"{self.tables[part].schema}{self.tables[part].to_pylist()}")

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        READ.append(part)
        yield from self.tables[part].to_batches()

    def locate(self, part: int, row: int, problem: str) -> StepError:
        return StepError(f"table {part}, row {row}: {problem}")


def take(place: Workspace, *tables: pa.Table, declared: Mapping[str, str] | None = None, **order: Any) -> Made:
    source: Source = Tables(tables, declared or {})

    def function(job: Job) -> None:
        ingesting.ingest(job, source)

    return place.run(function, "data", **order)["data"]


def table(start: int, **columns: Any) -> pa.Table:
    rows = range(start, start + 60)
    made = {"n": pa.array(rows, pa.int32()), "raw": [b"\xff%d" % at for at in rows], "s": [f"{at}" for at in rows]}
    return pa.table({**made, **columns})


def test_columns_keep_their_types_and_texts_become_numbers_unless_declared(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    made = take(place, table(0), table(60))
    assert made.data.schema.types == {"n": "int", "raw": "bytes", "s": "int"}
    assert next(iter(made.data)) == {"n": 0, "raw": b"\xff0", "s": 0}
    made = take(place, table(0), table(60), declared={"s": "string"})
    assert made.data.schema.types["s"] == "string"
    wide = take(place, table(0), table(60, n=pa.array([at / 2 for at in range(60)])))
    assert wide.data.schema.types["n"] == "float"
    assert (
        wide.digest
        == take(place, table(0), table(60, n=pa.array([at / 2 for at in range(60)])), remembers=False).digest
    )


def test_parts_that_are_known_are_not_read(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    tables = [table(at) for at in range(0, 1200, 60)]
    take(place, *tables)
    READ.clear()
    made = take(place, *tables[:10], table(5000), *tables[10:])
    assert set(READ) <= set(range(7, 16))
    assert made.shards - made.reused <= 5
    assert made.digest == take(place, *tables[:10], table(5000), *tables[10:], remembers=False).digest


@pytest.mark.parametrize("beam", [False, True], ids=["process", "beam"])
def test_a_value_that_does_not_fit_is_located_by_the_source(tmp_path: Path, beam: bool) -> None:
    place = Workspace(tmp_path)
    order = {"processing": DirectProcessing().options()} if beam else {}
    bad = table(60, s=["1"] * 41 + ["x"] + ["1"] * 18)
    with pytest.raises(StepError) as caught:
        take(place, table(0), bad, declared={"s": "int"}, **order)
    assert caught.value.message == "table 1, row 41: column \"s\" is declared as int, but holds 'x'"


def test_a_column_that_is_not_there_cannot_be_declared(tmp_path: Path) -> None:
    with pytest.raises(StepError, match='types names the column "x"'):
        take(Workspace(tmp_path), table(0), declared={"x": "int"})


def test_a_source_without_rows_says_so(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="table 0, row 0: there are no rows"):
        take(Workspace(tmp_path), table(0).slice(0, 0))
