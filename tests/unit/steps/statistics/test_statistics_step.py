"""The step statistics: JSON with histograms, the schema, and a page that stands on its own."""

from __future__ import annotations

import html.parser
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.sdk import Dataset, Job, Output
from zenctl.sdk.dataset import DatasetOutput
from zenctl.steps.statistics.drift import chance, distance
from zenctl.steps.statistics.histograms import Histograms, merge
from zenctl.steps.statistics.run import statistics

TABLE = pa.table(
    {
        "bill": pa.array([1.0, 2.0, 3.0, 5.0, None, math.nan, math.inf], pa.float32()),
        "n": [5, 5, 5, 5, 5, 5, 5],
        "<b>&": ["x", "x", "<script>", "é" * 50, None, "x", ""],
        "empty": pa.nulls(7, pa.int64()),
        "text": ["long" * 100] * 7,
        "raw": [b"\xff"] * 7,
    }
)


def described(root: Path, table: pa.Table, bins: int = 4) -> Path:
    for name in ("data", "statistics", "schema"):
        (root / name).mkdir()
    source = DatasetOutput(root / "data", "data")
    source.write(table)
    source.close()
    statistics(
        Job(
            inputs={"data": Dataset(root / "data", "data")},
            outputs={name: Output(root / name, name) for name in ("statistics", "schema")},
            params={"bins": bins},
        )
    )
    return root


def test_json(tmp_path: Path) -> None:
    described(tmp_path, TABLE)
    found = json.loads((tmp_path / "statistics/statistics.json").read_text())
    assert found["rows"] == 7
    bill = found["features"]["bill"]
    assert bill["histogram"] == {"edges": [1, 2, 3, 4, 5], "counts": [1, 1, 1, 1]}
    assert (bill["nan"], bill["infinite"], bill["missing"], bill["mean"]) == (1, 1, 1, 2.75)
    assert found["features"]["n"]["histogram"]["counts"] == [7, 0, 0, 0]
    assert found["features"]["empty"] == {"type": "int", "count": 0, "missing": 7, "zeros": 0}
    assert found["features"]["text"]["unique"] is None
    assert (tmp_path / "schema/schema.json").read_bytes() == (tmp_path / "data/schema.json").read_bytes()


class Page(html.parser.HTMLParser):
    """Tags that were opened, and text; fails for a tag that is closed but not open."""

    void = frozenset({"br", "meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_quantiles(tmp_path: Path) -> None:
    described(tmp_path, TABLE)
    features = json.loads((tmp_path / "statistics/statistics.json").read_text())["features"]
    assert features["bill"]["quantiles"]["0.5"] == 2.5
    assert features["n"]["quantiles"] == {"0.05": 5, "0.25": 5, "0.5": 5, "0.75": 5, "0.95": 5}
    assert "quantiles" not in features["empty"]


def test_beside_a_baseline(tmp_path: Path) -> None:
    before = pa.table({"x": [1.0, 2.0, 3.0, 4.0] * 5, "same": list("abab") * 5, "kind": ["p"] * 20, "gone": [1] * 20})
    after = pa.table({"x": [3.0, 4.0, 8.0, 9.0] * 5, "same": list("abab") * 5, "kind": ["q"] * 20, "<new>": [1] * 20})
    for name, table in (("data", after), ("baseline", before)):
        (tmp_path / name).mkdir()
        output = DatasetOutput(tmp_path / name, name)
        output.write(table)
        output.close()
    outputs = {}
    for name in ("statistics", "schema"):
        (tmp_path / name).mkdir()
        outputs[name] = Output(tmp_path / name, name)
    inputs = {name: Dataset(tmp_path / name, name) for name in ("data", "baseline")}
    statistics(Job(inputs, outputs, {"bins": 4}))
    found = json.loads((tmp_path / "statistics/statistics.json").read_text())
    assert found["features"]["x"]["histogram"]["edges"] == found["baseline"]["features"]["x"]["histogram"]["edges"]
    moved = {name: drift["distance"] for name, drift in found["drift"].items()}
    assert (moved["same"], moved["kind"]) == (0, 1)
    assert 0.4 < moved["x"] < 0.9
    assert set(found["drift"]) == {"x", "same", "kind"}
    page = Page()
    page.feed((tmp_path / "statistics/statistics.html").read_text(encoding="utf-8"))
    assert page.open == []
    text = " ".join(page.text)
    assert "Moved most: kind (1.00), x (0." in text
    assert "New: <new>. Gone: gone." in text
    assert sum(tag == "path" for tag, _ in page.seen) == 1


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [([1, 1], [5, 5], 0), ([1, 0], [0, 9], 1), ([0, 0], [1, 1], None), ([3, 1], [1, 3], 0.4344)],
)
def test_distances(left: list[float], right: list[float], expected: float | None) -> None:
    found = distance(left, right)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-3))


def test_what_chance_gives_is_about_what_samples_give() -> None:
    rng = np.random.default_rng(1)
    pairs = [(rng.multinomial(300, [0.1] * 10), rng.multinomial(200, [0.1] * 10)) for _ in range(200)]
    squares = [(distance(a, b) or 0) ** 2 for a, b in pairs]
    assert np.mean(squares) == pytest.approx(np.mean([chance(a, b) ** 2 for a, b in pairs]), rel=0.1)


def test_page(tmp_path: Path) -> None:
    described(tmp_path, TABLE)
    page = Page()
    page.feed((tmp_path / "statistics/statistics.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert {"script", "link", "img", "b"} & {tag for tag, _ in page.seen} == set()
    assert not [attrs for _, attrs in page.seen if "src" in attrs or "href" in attrs]
    assert sum(tag == "rect" for tag, _ in page.seen) == 2 * 4
    for text in ("7 rows, 6 columns", "bill", "<b>&", "<script>", "é" * 40 + "…", "1 NaN, 1 infinite", "not counted"):
        assert text in page.text, text


def test_equal_data_is_equal_bytes(tmp_path: Path) -> None:
    pages = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        described(tmp_path / name, TABLE)
        pages.append((tmp_path / name / "statistics/statistics.html").read_bytes())
    assert pages[0] == pages[1]


def test_without_rows_or_number_columns(tmp_path: Path) -> None:
    described(tmp_path, TABLE.slice(0, 0).select(["<b>&", "n"]))
    assert json.loads((tmp_path / "statistics/statistics.json").read_text())["rows"] == 0


NUMBERS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50)


@settings(deadline=None)
@given(NUMBERS, st.integers(1, 30), st.integers(0, 50))
def test_every_value_is_in_one_bin_however_rows_are_divided(values: list[float], bins: int, cut: int) -> None:
    histograms = Histograms({"x": (min(values), max(values))}, bins)
    batch = pa.RecordBatch.from_pydict({"x": pa.array(values, pa.float32())})
    whole = histograms(batch)
    assert whole["x"][0].sum() == whole["x"][1].sum() == len(values)
    parts: dict[str, Any] = {}
    for part in (batch.slice(cut), batch.slice(0, cut)):
        parts = merge(parts, histograms(part))
    assert [half.tolist() for half in parts["x"]] == [half.tolist() for half in whole["x"]]
    edges = histograms.edges("x")
    assert edges == sorted(edges)
    assert len(edges) == bins + 1


@pytest.mark.parametrize("bins", [1, 3])
def test_ends_are_inside(bins: int) -> None:
    batch = pa.RecordBatch.from_pydict({"x": pa.array([-(2**63), 0, 2**63 - 1])})
    counts = Histograms({"x": (-(2**63), 2**63 - 1)}, bins)(batch)["x"][0].tolist()
    assert counts == ([3] if bins == 1 else [1, 1, 1])
