"""SourceConformance: what every kind of source must do. A source's test class inherits it and gives it a `case`."""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from zenctl.diagnostics import DiagnosticError
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import DatasourceType, SourceModel, SourceState
from zenctl.schema.block import fingerprinted
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.steps.data import ingesting
from zenctl.steps.data.sources import Source

HEAVY = ("numpy", "pyarrow", "pandas", "tensorflow", "apache_beam", "sqlalchemy")


@dataclass(frozen=True)
class SourceCase:
    """A source that is there: two rows or more, whose path is relative to `root`.

    `change` gives one row another value of the same length; `remove` takes away what holds the rows.
    """

    type: DatasourceType
    model: SourceModel
    root: Path
    change: Callable[[], object]
    remove: Callable[[], object]


class MemoryCache(dict[Path, Mapping[str, Any]]):
    """A SourceCache that believes whatever it was told."""

    def put(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Remember the facts."""
        json.dumps(facts)
        self[path] = facts

    def get_object(self, uri: str, version: str) -> Mapping[str, Any] | None:
        """What it was told."""
        return self.get(Path(uri, version))

    def put_object(self, uri: str, version: str, facts: Mapping[str, Any]) -> None:
        """Remember the facts."""
        self.put(Path(uri, version), facts)

    def keep_rows(self, digest: str, form: str, rows: bytes) -> None:
        """Remember the rows."""
        self[Path(digest, form)] = {"rows": len(rows)}


def observed(case: SourceCase, cache: Any = None) -> SourceState:
    """What plan sees."""
    module, _, name = case.type.observe.partition(":")
    state: SourceState = getattr(importlib.import_module(module), name)(
        case.model, case.root, MemoryCache() if cache is None else cache
    )
    return state


def job_of(case: SourceCase, state: SourceState, folder: Path) -> Job:
    """The job that plan makes of what it saw; output `data` goes to the folder, which is made."""
    folder.mkdir(parents=True)
    return Job(
        outputs={"data": DatasetOutput(folder, "data")},
        params=fingerprinted(case.model),
        locations=state.locations,
        expect={"source": state.digest},
    )


def run(case: SourceCase, job: Job) -> None:
    """The type's implementation."""
    module, _, name = case.type.implementation.partition(":")
    getattr(importlib.import_module(module), name)(job)


def snapshot(case: SourceCase, folder: Path) -> Dataset:
    """Observe the source and take it into a data set, as plan and apply do."""
    job = job_of(case, observed(case), folder)
    run(case, job)
    job.outputs["data"].close()
    return Dataset(folder, "data")


def refusal(case: SourceCase, folder: Path) -> StepError:
    """What the job says of a source that plan found right."""
    job = job_of(case, observed(case), folder)
    with pytest.raises(StepError) as caught:
        run(case, job)
    left = [file.path for file in psutil.Process().open_files() if Path(file.path).is_relative_to(folder.resolve())]
    assert left == [], "what a source has begun to write is closed when it is refused"
    job.outputs["data"].discard()
    return caught.value


def objections(case: SourceCase) -> str:
    """What plan says of a source that it refuses: codes and summaries."""
    with pytest.raises(DiagnosticError) as caught:
        observed(case)
    return "; ".join(f"{found.code}: {found.summary}" for found in caught.value.diagnostics)


def source_of(case: SourceCase, job: Job) -> Source:
    """The source that the implementation hands to `ingesting.ingest`."""
    found: list[Source] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingesting, "ingest", lambda _, source: found.append(source))
        run(case, job)
    return found[0]


def table_of(source: Source, part: int) -> pa.Table:
    """All rows of a part."""
    batches = list(source.read(part))
    return pa.Table.from_batches(batches) if batches else pa.table({})


class SourceConformance:
    """Inherit as `class TestMySource(SourceConformance)` and define the fixture `case`: a SourceCase of its own."""

    @pytest.fixture
    def source(self, case: SourceCase, tmp_path: Path) -> Source:
        """The case's source, in a job."""
        return source_of(case, job_of(case, observed(case), tmp_path / "made-source"))

    def test_plan_sees_the_same_twice_and_from_its_cache(self, case: SourceCase) -> None:
        cache = MemoryCache()
        first = observed(case, cache)
        assert observed(case, cache) == first
        assert observed(case) == first
        assert first.bytes >= 0
        assert len(first.digest) == 64
        json.dumps({**first.locations})

    def test_plan_sees_a_change(self, case: SourceCase) -> None:
        before = observed(case)
        case.change()
        after = observed(case)
        assert after.digest != before.digest
        assert after.rows == before.rows

    def test_plan_tells_of_a_source_that_is_gone(self, case: SourceCase) -> None:
        case.remove()
        with pytest.raises(DiagnosticError) as caught:
            observed(case)
        assert all(found.detail for found in caught.value.diagnostics)

    def test_plan_imports_nothing_heavy(self, case: SourceCase) -> None:
        module = case.type.observe.partition(":")[0]
        code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "[]"

    def test_parts_are_the_same_each_time(self, case: SourceCase, source: Source, tmp_path: Path) -> None:
        again = source_of(case, job_of(case, observed(case), tmp_path / "again"))
        assert again.names == source.names
        assert len(set(source.names)) == len(source.names)
        assert dict(again.declared) == dict(source.declared)
        assert set(source.declared) <= set(source.names)
        assert [again.digest(at) for at in range(again.parts)] == [source.digest(at) for at in range(source.parts)]
        assert json.loads(json.dumps(dict(again.form))) == json.loads(json.dumps(dict(source.form)))
        assert "type" in source.form

    def test_a_part_reads_the_same_twice(self, source: Source) -> None:
        for part in range(source.parts):
            first = table_of(source, part)
            assert first.equals(table_of(source, part))
            if first.num_rows:
                assert tuple(first.schema.names) == tuple(source.names)

    def test_workers_can_read_it(self, source: Source) -> None:
        carried = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own bytes
        assert carried.names == source.names
        for part in range(source.parts):
            assert carried.digest(part) == source.digest(part)
            assert table_of(carried, part).equals(table_of(source, part))

    def test_parts_of_equal_digests_hold_equal_rows(self, source: Source) -> None:
        known: dict[str, pa.Table] = {}
        for part in range(source.parts):
            rows = table_of(source, part)
            assert known.setdefault(source.digest(part), rows).equals(rows)

    def test_a_change_shows_in_a_digest(self, case: SourceCase, source: Source, tmp_path: Path) -> None:
        before = [source.digest(part) for part in range(source.parts)]
        case.change()
        after = source_of(case, job_of(case, observed(case), tmp_path / "after"))
        assert [after.digest(part) for part in range(after.parts)] != before

    def test_what_changed_since_plan_is_refused(self, case: SourceCase, tmp_path: Path) -> None:
        job = job_of(case, observed(case), tmp_path / "late")
        case.change()
        with pytest.raises(StepError) as caught:
            source_of(case, job)
        assert caught.value.kind == "source_changed"

    def test_what_changes_while_it_is_read_is_refused(self, case: SourceCase, source: Source) -> None:
        case.change()
        with pytest.raises(StepError) as caught:
            _read_all(source)
        assert caught.value.kind == "source_changed"

    def test_what_is_gone_when_it_is_read_is_refused(self, case: SourceCase, source: Source, tmp_path: Path) -> None:
        job = job_of(case, observed(case), tmp_path / "late")
        case.remove()
        with pytest.raises(StepError) as caught:
            table_of(source, 0)
        assert caught.value.kind == "source_changed"
        with pytest.raises(StepError) as caught:
            source_of(case, job)
        assert caught.value.kind == "source_changed"

    def test_a_value_is_located(self, source: Source) -> None:
        first, last = source.locate(0, 0, "it is odd"), source.locate(0, 1, "it is odd")
        assert "it is odd" in first.message
        assert first.message != last.message
        assert first.hint
        assert pickle.loads(pickle.dumps(first)).message == first.message  # noqa: S301 - our own bytes

    def test_a_snapshot_has_the_rows_that_plan_saw(self, case: SourceCase, tmp_path: Path) -> None:
        state = observed(case)
        first = snapshot(case, tmp_path / "first")
        again = snapshot(case, tmp_path / "second")
        assert first.num_rows >= 2
        assert state.rows in (None, first.num_rows)
        assert list(first) == list(again)
        assert {p.name: p.read_bytes() for p in first.path.rglob("*.json")} == {
            p.name: p.read_bytes() for p in again.path.rglob("*.json")
        }
        if any(state.columns.values()):
            assert list(first.schema.types) == list(state.columns)
            seen = {name: type for name, type in state.columns.items() if type}
            assert {name: first.schema.types[name] for name in seen} == seen


def _read_all(source: Source) -> None:
    for part in range(source.parts):
        table_of(source, part)


def removal(path: Path) -> Callable[[], object]:
    """Takes away a file, or a folder with all in it."""
    return lambda: shutil.rmtree(path) if path.is_dir() else path.unlink()
