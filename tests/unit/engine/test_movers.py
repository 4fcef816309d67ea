"""A plan's reasons tell what moved in the data that they name: once, within bounds, and where it is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from tests.unit.engine.worlds import BASE, World
from zenctl.addrs import Address, parse
from zenctl.cli.views.drift import mover_lines
from zenctl.engine import movers
from zenctl.engine.movers import with_movers
from zenctl.engine.surveying import Surveyor
from zenctl.jobs.artifacts import blob_path, read_tree, store_folder
from zenctl.jobs.storage import FolderStorage
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change
from zenctl.schema import SourceState
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import STATISTICS_FILE

DATA, FIT, EVAL = parse("datasource.csv.d"), parse("step.python.fit"), parse("step.python.eval")
OLD = {"x": list(range(100)), "s": ["a", "b"] * 50, "same": [1] * 100}
NEW = {"x": list(range(50, 150)), "s": ["a", "c"] * 50, "same": [1] * 100}


class Store:
    """Snapshots, and what is recorded of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage = FolderStorage(root / "store")
        self.old, self.new = self.snapshot(OLD), self.snapshot(NEW)

    def snapshot(self, columns: dict[str, Any]) -> str:
        folder = self.root / f"snapshot{len(list(self.root.iterdir()))}"
        folder.mkdir()
        output = DatasetOutput(folder, "data")
        output.write(pa.table(columns))
        output.close()
        return store_folder(self.storage, folder).digest

    def recorded(self, addr: Address, kind: str = "Dataset") -> Recorded:
        artifact = RecordedArtifact(1, kind, "", self.old)
        inputs, outputs = ({}, {"data": artifact}) if addr == DATA else ({"data": artifact}, {})
        return Recorded(addr, 1, "job", ExecutionState.COMPLETE, 1, "Process", inputs=inputs, outputs=outputs)

    def drift(self, *changes: Change, kind: str = "Dataset", survey: Any = None) -> list[dict[str, Any] | None]:
        results = {change.addr: self.recorded(change.addr, kind) for change in changes}
        told = with_movers(changes, results, self.storage, survey)
        return [change.reasons[0].data.get("drift") for change in told]

    def input_change(self, addr: Address = FIT, after: str = "") -> Change:
        data = {"input": "data", "address": str(DATA), "before": self.old, "after": after or self.new}
        return Change(addr, Action.RUN, (Reason(ReasonCode.INPUT_CHANGED, "other content", data),))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def source_change(action: Action = Action.RUN, after: str | None = None) -> Change:
    return Change(DATA, action, (Reason(ReasonCode.DATA_CHANGED, "data"),), after={"outputs": {"data": after}})


def test_an_input_tells_the_columns_that_moved_farthest_once_in_a_plan(store: Store) -> None:
    first, second = store.drift(store.input_change(), store.input_change(EVAL))
    assert first is not None
    assert second is None
    assert first["columns"] == 2
    assert [item["feature"] for item in first["movers"]] == ["s", "x"]
    assert first["movers"][0]["new_values"] == ["c"]
    assert first["movers"][1]["mean"] == {"before": 49.5, "after": 99.5}
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert list(mover_lines(first)) == [
        's: moved by 0.707 (JS), new: "c", gone: "b"',
        "x: moved by 0.500 (KS), mean 49.5 -> 99.5",
    ]


def test_a_source_that_is_taken_from_elsewhere_or_pinned(store: Store) -> None:
    [found] = store.drift(source_change(Action.REUSE, store.new))
    assert found is not None
    pinned = Change(DATA, Action.REUSE, (Reason(ReasonCode.PINNED, "pinned"),), after={"outputs": {"data": store.new}})
    assert store.drift(pinned) == [found]


def test_a_source_that_was_not_read_since_is_told_of_only_where_it_is_surveyed(store: Store) -> None:
    assert store.drift(source_change()) == [None]
    tree = read_tree(store.storage, store.new)
    [sha256] = [file.sha256 for file in tree.files if file.path == STATISTICS_FILE]
    statistics = json.loads((store.storage.root / blob_path(sha256)).read_bytes())
    asked: list[Address] = []

    def survey(addr: Address) -> Any:
        asked.append(addr)
        return statistics

    [found] = store.drift(source_change(), survey=survey)
    assert found is not None
    assert found["movers"][0]["feature"] == "s"
    assert asked == [DATA]
    assert store.drift(source_change(), survey=lambda _: None) == [None]


def test_what_has_no_statistics_or_is_no_data_set_is_passed_over(store: Store) -> None:
    folder = store.root / "other"
    folder.mkdir()
    (folder / STATISTICS_FILE).write_text('{"format": 1, "rows": 3, "features": {"x": {"type": "int"}}}')
    odd = store_folder(store.storage, folder).digest
    for after in ("f" * 64, odd):
        assert store.drift(store.input_change(after=after)) == [None]
    assert store.drift(store.input_change(), kind="Model") == [None]
    assert store.drift(store.input_change(after=store.old)) == [None]


def test_no_more_than_some_pairs_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movers, "PAIRS", 1)
    other = store.snapshot({**NEW, "more": [2] * 100})
    first, second = store.drift(store.input_change(), store.input_change(EVAL, other))
    assert first is not None
    assert second is None


def test_columns_that_hardly_moved_are_counted_only(store: Store) -> None:
    [far] = store.drift(store.input_change(after=store.snapshot({**OLD, "s": NEW["s"]})))
    assert far is not None
    hardly = {**far["movers"][0], "feature": "y", "distance": 0.004, "new_values": [], "gone_values": []}
    assert list(mover_lines({"columns": 1, "movers": [hardly]})) == []
    assert list(mover_lines({"columns": 9, "movers": [*far["movers"], hardly]})) == [
        's: moved by 0.707 (JS), new: "c", gone: "b"',
        "and 8 columns that moved less",
    ]


def test_plan_reads_with_its_own_readers_only(store: Store, tmp_path: Path) -> None:
    node = World(BASE, tmp_path).node(parse("datasource.csv.rows"))
    said: list[Any] = []
    nothing = cast(Any, None)
    sources = {node.addr: SourceState("d", 1)}
    survey = Surveyor({node.addr: node}, sources, store.storage, nothing, tmp_path, said.append, nothing)
    assert survey(cast(Any, node.addr)) is None
    assert survey(cast(Any, parse("datasource.csv.other"))) is None
    [problem] = survey.diagnostics
    assert problem.code == "drift_not_known"
    assert "datasources of type csv have another reader" in problem.detail
    assert said == []
