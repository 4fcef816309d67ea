"""Fitting and applying a transform over Arrow batches: what is learned, what comes out, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.sdk import StepError
from zenctl.steps.transform.applying import apply
from zenctl.steps.transform.fitting import fit
from zenctl.steps.transform.schema import FeatureRule
from zenctl.steps.transform.state import TransformState, read_state


def batch(**columns: list[Any]) -> Any:
    return pa.RecordBatch.from_pydict(columns)


def applied(state: TransformState, data: Any) -> dict[str, list[Any]]:
    result: dict[str, list[Any]] = apply(state, data).to_pydict()
    return result


PENGUINS = batch(
    species=["Adelie", "Gentoo", "Adelie", "Gentoo"],
    mass=[3000, None, 4000, 5000],
    bill=[40.0, 50.0, None, float("nan")],
    sex=["male", None, "female", "male"],
)


def test_defaults_by_type() -> None:
    state = fit([PENGUINS], {}, label="species")
    assert [(f.name, f.type, f.method) for f in state.features] == [
        ("mass", "float32", "z_score"),
        ("bill", "float32", "z_score"),
        ("sex", "string", "one_hot"),
    ]
    out = applied(state, PENGUINS)
    assert list(out) == ["mass", "bill", "sex", "species"]
    deviation = math.sqrt(2 / 3) * 1000
    assert out["mass"] == pytest.approx([-1000 / deviation, 0, 0, 1000 / deviation], rel=1e-6)
    assert out["bill"] == pytest.approx([-1, 1, 0, 0])
    assert state.feature("sex").vocabulary == ("male", "", "female")  # type: ignore[union-attr]
    assert out["sex"] == [1, 2, 3, 1]
    assert out["species"] == ["Adelie", "Gentoo", "Adelie", "Gentoo"]
    assert apply(state, PENGUINS).schema.field("mass").type == pa.float32()
    assert apply(state, PENGUINS).schema.field("sex").type == pa.int64()


def test_unseen_and_missing_values() -> None:
    state = fit([batch(c=["a", "a", "b"], n=[0, 10, 20])], {"c": FeatureRule(fill="b")})
    out = applied(state, batch(c=["zzz", None, "", "a"], n=[None, 10, -10, 1e39]))
    assert out["c"] == [0, 2, 2, 1]
    deviation = math.sqrt(200 / 3)
    assert out["n"] == pytest.approx([0, 0, -20 / deviation, 0], rel=1e-6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FeatureRule(method="min_max"), [0.0, 0.5, 1.0, 0.5]),
        (FeatureRule(method="min_max", fill="min"), [0.0, 0.5, 1.0, 0.0]),
        (FeatureRule(method="min_max", fill="max"), [0.0, 0.5, 1.0, 1.0]),
        (FeatureRule(method="identity", fill="zero"), [10.0, 20.0, 30.0, 0.0]),
        (FeatureRule(method="identity", fill=-1), [10.0, 20.0, 30.0, -1.0]),
        (FeatureRule(method="vocabulary"), [2, 3, 4, 1]),
        (FeatureRule(method="one_hot", fill=30), [2, 3, 1, 1]),
        (FeatureRule(method="vocabulary", max_size=1, fill=30), [0, 0, 1, 1]),
        (FeatureRule(method="vocabulary", min_count=2, fill=30), [0, 0, 1, 1]),
    ],
)
def test_rules_for_integers(rule: FeatureRule, expected: list[float]) -> None:
    data = batch(n=[10, 20, 30, None], keep=[1.0, 2.0, 3.0, 4.0])
    state = fit([data], {"n": rule})
    assert applied(state, data)["n"] == expected


def test_dropped_and_excluded_columns_leave() -> None:
    data = batch(a=[1, 2], b=[1, 2], id=["x", "y"], t=["p", None])
    state = fit(
        [data], {"b": FeatureRule(method="drop"), "t": FeatureRule(method="identity", fill="-")}, exclude=["id"]
    )
    assert applied(state, data) == {"a": [-1.0, 1.0], "t": ["p", "-"]}
    assert state.left_out == ("b", "id")


def test_many_different_texts_become_a_vocabulary() -> None:
    state = fit([batch(word=[f"w{i:03}" for i in range(65)])], {})
    assert state.features[0].method == "vocabulary"
    assert state.features[0].vocabulary[0] == "w000"


def test_columns_without_information(capsys: pytest.CaptureFixture[str]) -> None:
    data = batch(same=[0.1] * 3, nothing=pa.array([None] * 3, pa.float32()), untyped=pa.nulls(3), ok=[1, 2, 3])
    state = fit([data], {})
    out = applied(state, data)
    assert out["same"] == out["nothing"] == out["untyped"] == [0.0, 0.0, 0.0]
    printed = capsys.readouterr().out
    assert '"same": every row has the same value' in printed
    assert '"nothing": no row has a value' in printed


@pytest.mark.parametrize("rows", [[0.0, 1.5414283107572988e-44], [5e-40, -5e-40], [0.0, 1e-38]])
def test_a_spread_that_single_precision_cannot_hold_is_none(rows: list[float]) -> None:
    data = batch(n=pa.array(rows, pa.float32()))
    for method in ("z_score", "min_max"):
        state = fit([data], {"n": FeatureRule(method=method)})
        assert state.features[0].scale == 1.0
        assert applied(state, data)["n"] == pytest.approx([0.0, 0.0], abs=1e-37)


@pytest.mark.parametrize(
    "rows", [[999750.0, 999752.0, 999752.0], [1e6, 1e6, 1e6 + 0.25], [1.0, 1.0, 1.0000002384185791]]
)
def test_rows_close_together_far_from_zero_lie_around_zero(rows: list[float]) -> None:
    data = batch(n=pa.array(rows, pa.float32()))
    out = applied(fit([data], {}), data)["n"]
    assert abs(float(np.mean(out))) < 1e-2
    assert float(np.std(out)) == pytest.approx(1, rel=1e-2)


def test_example_is_a_complete_row() -> None:
    data = batch(n=[None, 1, 2], c=["a", None, "b"], y=[1, 2, 3])
    state = fit([data], {}, label="y")
    assert [f.example for f in state.features] == [2.0, "b"]
    state = fit([batch(n=[None, 1], c=["a", None])], {})
    assert [f.example for f in state.features] == [1.0, "a"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"rules": {"mas": FeatureRule()}}, 'column "mas" is not in', 'Did you mean "mass"?'),
        ({"exclude": ["sexx"]}, 'column "sexx" is not in', 'Did you mean "sex"?'),
        ({"label": "specie"}, 'label "specie" is not in', "species, mass, bill, sex"),
        ({"rules": {"sex": FeatureRule(method="z_score")}}, "z_score is for numbers", "one_hot"),
        ({"rules": {"bill": FeatureRule(method="one_hot")}}, "one_hot is for texts and integers", "z_score"),
        ({"rules": {"mass": FeatureRule(fill="median")}}, 'cannot be filled with "median"', "mean, min, max, zero"),
        ({"rules": {"sex": FeatureRule(min_count=3)}}, "no value occurs 3 times", "min_count"),
        ({"rules": {"sex": FeatureRule(fill=3)}}, "holds texts: fill must be one", ""),
        ({"exclude": ["species", "mass", "bill", "sex"]}, "no column", "Exclude fewer"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(StepError) as caught:
        fit([PENGUINS], **{"rules": {}, **arguments})
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_no_rows_and_what_is_not_a_value() -> None:
    with pytest.raises(StepError, match="no rows"):
        fit([], {})
    with pytest.raises(StepError, match="no rows"):
        fit([batch(a=pa.array([], pa.int64()))], {})
    with pytest.raises(StepError, match=r"list<item: int64>") as caught:
        fit([batch(tags=[[1], [2]])], {})
    assert 'exclude = ["tags"]' in caught.value.hint


def test_applying_to_other_columns_is_refused() -> None:
    state = fit([PENGUINS], {}, label="species")
    with pytest.raises(StepError, match='"sex" of input "eval" holds integers, but texts were expected'):
        apply(state, batch(mass=[1], bill=[1.0], sex=[3]), 'input "eval"')
    with pytest.raises(StepError, match='column "bill" is not in'):
        apply(state, batch(mass=[1], sex=["male"]))


def test_state_survives_its_json(tmp_path: Any) -> None:
    state = fit([PENGUINS], {"mass": FeatureRule(method="vocabulary")}, label="species", exclude=["bill"])
    assert TransformState.from_json(state.to_json()) == state
    (tmp_path / "transform.json").write_text('{"format": 99}')
    with pytest.raises(StepError, match="format 99"):
        read_state(tmp_path)
    with pytest.raises(StepError, match=r"no transform\.json"):
        read_state(tmp_path / "absent")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)),
            st.one_of(st.none(), st.sampled_from(["a", "b", "ü", ""])),
        ),
        min_size=1,
        max_size=40,
    ),
    st.data(),
)
def test_cutting_into_batches_does_not_matter(rows: list[tuple[Any, Any]], data: st.DataObject) -> None:
    numbers = pa.array([r[0] for r in rows], pa.float32())
    texts = pa.array([r[1] for r in rows], pa.string())
    whole = batch(n=numbers, c=texts)
    cut = data.draw(st.integers(0, len(rows)))
    one = fit([whole], {})
    two = fit([whole.slice(0, cut), whole.slice(cut)], {})
    assert one.features[1].vocabulary == two.features[1].vocabulary
    assert one.features[0].shift == pytest.approx(two.features[0].shift, rel=1e-6, abs=1e-3)
    assert one.features[0].scale == pytest.approx(two.features[0].scale, rel=1e-4, abs=1e-2)
    out = applied(one, whole)["n"]
    assert np.isfinite(out).all()
    assert abs(float(np.mean(out))) < 1e-2
