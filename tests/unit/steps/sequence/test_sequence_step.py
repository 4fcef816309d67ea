"""The step sequence: resampling, gaps, windows and labels, beside a slow and plain way to make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zenctl.addrs import parse
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema import ArtifactRef
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.steps.sequence import run as running
from zenctl.steps.sequence.run import sequence
from zenctl.steps.sequence.schema import Sequence, SequenceSettings
from zenctl.steps.sequence.windows import Plan, windows
from zenctl_beam.direct import DirectProcessing

OUTPUTS = {"data": "Dataset"}


def rows(ran: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.artifact("data").arrow().to_pylist()
    return found


def test_windows_of_the_rows_as_they_are(run_step: Any) -> None:
    data = {"t": [3, 1, 2, 5, 4], "s": ["b", "a", "a", "a", "a"], "x": [9, 1, 2, 5, None], "w": list("zpqsr")}
    ran = run_step(sequence, {"data": data}, OUTPUTS, time="t", by=["s"], window=2, label="x", columns=["x", "w"])
    assert rows(ran) == [
        {"s": "a", "t": 2, "x_lag1": 1, "x_lag0": 2, "w_lag1": "p", "w_lag0": "q", "x_lead1": None},
        {"s": "a", "t": 4, "x_lag1": 2, "x_lag0": None, "w_lag1": "q", "w_lag0": "r", "x_lead1": 5},
    ]


def test_stride_horizon_and_a_longest_time_without_rows(run_step: Any) -> None:
    data = {"t": [0, 1, 2, 3, 10, 11, 12, 13, 14], "x": list(range(9))}
    ran = run_step(sequence, {"data": data}, OUTPUTS, time="t", window=2, stride=2, label="x", horizon=2, max_gap=2)
    assert [(r["t"], r["x_lag1"], r["x_lead2"]) for r in rows(ran)] == [(1, 0, 3), (11, 4, 7)]


HOURS = {
    "when": [f"2026-03-01T{hour:02}:{minute:02}:00Z" for hour, minute in ((0, 5), (0, 50), (1, 0), (4, 30), (5, 0))],
    "x": [1.0, 3.0, None, 8.0, 10.0],
    "n": [1, 2, 3, 4, 5],
    "s": ["a", "b", "c", "d", "e"],
}


def test_resampling_and_what_becomes_of_gaps(run_step: Any) -> None:
    common = {"time": "when", "every": "1h", "window": 1, "aggregates": {"n": "sum"}}
    split = rows(run_step(sequence, {"data": HOURS}, OUTPUTS, **common))
    assert [r["when"][11:] for r in split] == ["00:00:00Z", "01:00:00Z", "04:00:00Z", "05:00:00Z"]
    assert [(r["x_lag0"], r["n_lag0"], r["s_lag0"]) for r in split] == [
        (2, 3, "b"),
        (None, 3, "c"),
        (8, 4, "d"),
        (10, 5, "e"),
    ]
    forward = rows(run_step(sequence, {"data": HOURS}, OUTPUTS, gaps="forward", **common))
    assert [r["n_lag0"] for r in forward] == [3, 3, 3, 3, 4, 5]
    line = rows(run_step(sequence, {"data": HOURS}, OUTPUTS, gaps="interpolate", **common))
    assert [round(r["n_lag0"], 4) for r in line] == [3, 3, 3.3333, 3.6667, 4, 5]
    assert [r["s_lag0"] for r in line] == ["b", "c", "c", "c", "d", "e"]
    two = {**common, "window": 2, "columns": ["n"]}
    short = rows(run_step(sequence, {"data": HOURS}, OUTPUTS, gaps="forward", max_gap=1, **two))
    assert [(r["n_lag1"], r["n_lag0"]) for r in short] == [(3, 3), (4, 5)]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("mean", 2.0), ("sum", 4.0), ("min", 1.0), ("max", 3.0), ("first", 1.0), ("last", 3.0), ("count", 2)],
)
def test_aggregates(run_step: Any, aggregate: str, expected: float) -> None:
    data = {"t": [0.0, 1.0, 2.0, 7.0], "x": [1.0, 3.0, None, None]}
    ran = run_step(sequence, {"data": data}, OUTPUTS, time="t", every=5, window=1, aggregate=aggregate)
    assert [r["x_lag0"] for r in rows(ran)] == [expected, 0 if aggregate == "count" else None]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"time": "tt"}, 'time names the column "tt"'),
        ({"time": "bad"}, "holds texts that are no times"),
        ({"time": "gone"}, "has no time in 1 rows"),
        ({"time": "t", "every": "1h"}, "the times are numbers"),
        ({"time": "t", "every": 0.5}, "the times are whole numbers"),
        ({"time": "t", "label": "q"}, 'label names the column "q"'),
    ],
)
def test_refused(run_step: Any, params: dict[str, Any], message: str) -> None:
    data = {"t": [1, 2], "bad": ["yesterday", "today"], "gone": [1, None], "x": [1, 2]}
    with pytest.raises(StepError, match=message):
        run_step(sequence, {"data": data}, OUTPUTS, window=1, **params)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"window": 0}, "greater than or equal to 1"),
        ({"every": "1y"}, "is no duration"),
        ({"every": -1}, "above 0"),
        ({"gaps": "forward"}, "need every"),
        ({"every": 1, "max_gap": 3}, "splits at every gap"),
        ({"by": ["t"]}, "is the time"),
        ({"columns": ["t"]}, "passed through"),
    ],
)
def test_block_is_checked_at_plan(block: dict[str, Any], message: str) -> None:
    ref = ArtifactRef(parse("step.split.penguins"), "train", "Dataset")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=message):
        Sequence.model_validate({"inputs": {"data": ref}, "time": "t", "window": 2, **block})


def plainly(data: list[tuple[str, int, float]], s: SequenceSettings) -> list[tuple[Any, ...]]:
    """Windows of x by series g, row by row."""
    found = []
    for name in sorted({g for g, _, _ in data}):
        steps: dict[int, list[float]] = {}
        for _, t, x in (row for row in data if row[0] == name):
            steps.setdefault(t // int(s.every or 1), []).append(x)
        series: list[tuple[int, float] | None] = []
        for step in sorted(steps):
            value = sum(steps[step]) / len(steps[step])
            if series and series[-1] is not None:
                before, last = series[-1]
                missing = step - before - 1
                if missing and (s.gaps == "split" or (s.max_gap is not None and missing > int(s.max_gap))):
                    series.append(None)
                else:
                    for k in range(1, missing + 1):
                        line = last + (value - last) * k / (missing + 1)
                        series.append((before + k, line if s.gaps == "interpolate" else last))
            series.append((step, value))
        pieces: list[list[tuple[int, float]]] = [[]]
        for item in series:
            if item is None:
                pieces.append([])
            else:
                pieces[-1].append(item)
        for piece in pieces:
            for end in range(s.window - 1, len(piece) - s.horizon, s.stride):
                values = [x for _, x in piece[end - s.window + 1 : end + 1]]
                found.append((name, piece[end][0] * int(s.every or 1), *values, piece[end + s.horizon][1]))
    return found


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-20, 30), st.integers(-9, 9).map(float)), min_size=1),
    st.integers(1, 4),
    st.sampled_from(["split", "forward", "interpolate"]),
    st.sampled_from([None, 1, 2]),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)),
)
def test_windows_are_those_of_the_plain_way(
    data: list[tuple[str, int, float]], every: int, gaps: str, max_gap: int | None, sizes: tuple[int, int, int]
) -> None:
    window, stride, horizon = sizes
    given = {"time": "t", "by": ["g"], "every": every, "gaps": gaps, "window": window, "stride": stride}
    given |= {"label": "x", "horizon": horizon} | ({} if gaps == "split" else {"max_gap": max_gap})
    chosen = SequenceSettings.model_validate(given)
    table = pa.table({name: [row[at] for row in data] for at, name in enumerate("gtx")})
    plan = Plan(chosen, ("x",), {"g": "string", "t": "int", "x": "float"})
    got = [tuple(row.values()) for batch in windows(table, plan) for row in batch.to_pylist()]
    expected = plainly(data, chosen)
    assert len(got) == len(expected)
    for row, wanted in zip(got, expected, strict=True):
        assert row == pytest.approx(wanted)


def test_parts_and_compositions_give_the_same_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    source = DatasetOutput(tmp_path / "data", "data")
    count = 6000
    table = {"t": [i * 7919 % count for i in range(count)], "g": [f"g{i % 30}" for i in range(count)]}
    source.write(pa.table({**table, "x": [float(i % 97) for i in range(count)]}))
    source.close()
    params = SequenceSettings(time="t", by=["g"], window=3, label="x").model_dump()
    made, seen = {}, {}
    for way, (processing, rows_) in {
        "whole": ({}, 10**6),
        "parts": ({}, 1000),
        "beam": (DirectProcessing().options(), 1000),
    }.items():
        monkeypatch.setattr(running, "PART_ROWS", rows_)
        (tmp_path / way / "scratch").mkdir(parents=True)
        (tmp_path / way / "data").mkdir()
        output = DatasetOutput(tmp_path / way / "data", "data")
        data = Dataset(tmp_path / "data", "data")
        sequence(
            Job({"data": data}, {"data": output}, params, processing=processing, scratch=tmp_path / way / "scratch")
        )
        output.close()
        made[way] = scan_folder(output.path).digest
        rows_found = Dataset(output.path).arrow().to_pylist()
        seen[way] = sorted(tuple(row.values()) for row in rows_found)
    assert made["parts"] == made["beam"]
    assert seen["whole"] == seen["parts"]
    assert len(seen["whole"]) == count - 30 * 3
