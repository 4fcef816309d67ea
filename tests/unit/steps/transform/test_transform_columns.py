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
        ({"rules": {"mass": FeatureRule(fill="middle")}}, 'cannot be filled with "middle"', "mean, median, mode"),
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


NINE = [4.0, 1.0, 2.0, 9.0, 16.0, 8.0, 32.0, 64.0, None]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FeatureRule(method="robust"), [(x - 8.5) / 16.5 for x in (4, 1, 2, 9, 16, 8, 32, 64, 17)]),
        (FeatureRule(method="identity", fill="median"), [4.0, 1.0, 2.0, 9.0, 16.0, 8.0, 32.0, 64.0, 8.5]),
        (FeatureRule(method="bucketise", boundaries=[2, 9]), [2, 1, 2, 3, 3, 2, 3, 3, 0]),
        (FeatureRule(method="bucketise", buckets=2), [1, 1, 1, 2, 2, 1, 2, 2, 0]),
        (FeatureRule(method="bucketise", boundaries=[2, 9], fill="median"), [2, 1, 2, 3, 3, 2, 3, 3, 2]),
    ],
)
def test_rules_for_numbers(rule: FeatureRule, expected: list[float]) -> None:
    data = batch(n=NINE)
    if rule.method == "robust":
        quartiles = np.quantile(NINE[:8], [0.25, 0.5, 0.75])  # type: ignore[arg-type]
        expected = [(x - quartiles[1]) / (quartiles[2] - quartiles[0]) for x in (4, 1, 2, 9, 16, 8, 32, 64, 17)]
    assert applied(fit([data], {"n": rule}), data)["n"] == pytest.approx(expected, rel=1e-6)


def test_logarithms_are_scaled_and_filled_as_such() -> None:
    data = batch(n=[-9.0, 0.0, 9.0, 99.0, None])
    out = applied(fit([data], {"n": FeatureRule(method="log")}), data)["n"]
    logs = np.array([-math.log(10), 0, math.log(10), math.log(100)])
    assert out[:4] == pytest.approx((logs - logs.mean()) / logs.std(), rel=1e-5, abs=1e-6)
    assert out[4] == pytest.approx(0, abs=1e-6)


def test_mode_stands_for_missing_values() -> None:
    data = batch(n=[3.0, 3.0, 5.0, None], s=["b", None, "b", "a"], i=[7, 7, None, 8])
    rules = {
        "n": FeatureRule(method="identity", fill="mode"),
        "s": FeatureRule(fill="mode"),
        "i": FeatureRule(method="one_hot", fill="mode"),
    }
    state = fit([data], rules)
    assert applied(state, data) == {"n": [3.0, 3.0, 5.0, 3.0], "s": [1, 1, 1, 2], "i": [1, 1, 1, 2]}


def test_rows_without_a_value_can_be_left_out() -> None:
    data = batch(n=[1.0, None, 3.0, 4.0], s=["a", "b", None, "a"], y=[1, 2, 3, 4])
    rules = {"n": FeatureRule(method="identity", missing="drop_row"), "s": FeatureRule(missing="drop_row")}
    assert applied(fit([data], rules, label="y"), data) == {"n": [1.0, 4.0], "s": [1, 1], "y": [1, 4]}


def test_hashes_and_buckets_for_values_not_kept() -> None:
    data = batch(s=["a", "a", "b", "c", None], i=[1, 2, 3, -4, None])
    rules = {"s": FeatureRule(method="vocabulary", max_size=1, buckets=3), "i": FeatureRule(method="hash", buckets=5)}
    state = fit([data], rules)
    out = applied(state, data)
    assert out["s"][:2] == [1, 1]
    assert set(out["s"][2:]) <= {2, 3, 4}
    assert all(1 <= index <= 5 for index in out["i"])
    assert (state.feature("s").size, state.feature("i").size) == (5, 6)  # type: ignore[union-attr]
    assert applied(state, batch(s=["c", "zz"], i=[-4, 1]))["s"][0] == out["s"][3]


def test_terms_of_texts() -> None:
    texts = ["The cat, the CAT!", "a cat sat", None, "", "Zürich"]
    rule = FeatureRule(method="n_grams", ngrams=2, min_count=2)
    state = fit([batch(t=texts)], {"t": rule})
    assert state.features[0].vocabulary == ("cat",)
    assert applied(state, batch(t=texts)) == {"t_0": [2.0, 1.0, 0.0, 0.0, 0.0]}
    state = fit([batch(t=texts)], {"t": FeatureRule(method="tf_idf", ngrams=2, max_size=2)})
    assert state.features[0].vocabulary == ("cat", "a")
    out = applied(state, batch(t=texts))
    weights = (math.log(6 / 3) + 1, math.log(6 / 2) + 1)
    assert out["t_0"] == pytest.approx([2 / 7 * weights[0], 1 / 5 * weights[0], 0, 0, 0])
    assert out["t_1"] == pytest.approx([0, 1 / 5 * weights[1], 0, 0, 0])
    with pytest.raises(StepError, match='both give a column "t_0"'):
        fit([batch(t=texts, t_0=[1] * 5)], {"t": rule})


def test_defaults_by_type_and_rules_over_them() -> None:
    data = batch(a=[1.0, 2.0, 5.0], b=[1, 2, 3], s=["x", "y", "x"], t=["p", "q", "p"])
    state = fit(
        [data],
        {"b": FeatureRule(fill=7), "t": FeatureRule(method="one_hot")},
        numbers=FeatureRule(method="min_max", fill="median"),
        texts=FeatureRule(method="hash", buckets=4),
    )
    assert [f.method for f in state.features] == ["min_max", "min_max", "hash", "one_hot"]
    assert [f.fill for f in state.features[:2]] == [2.0, 7.0]


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60)
@given(st.lists(FINITE, min_size=1, max_size=60), st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.9]), min_size=1))
def test_quantiles_are_exact(values: list[float], shares: list[float]) -> None:
    from zenctl.steps.data.quantiles import Quantiles, lower_counts, upper_counts

    array = np.array([*values, float("nan"), float("inf")], dtype=np.float32)
    wanted = Quantiles(upper_counts(array), tuple(shares))
    got = wanted.values(lower_counts(array, wanted.stretches))
    exact = sorted(float(np.float32(value)) for value in values)
    for share, value in zip(shares, got, strict=True):
        place = share * (len(exact) - 1)
        below, above = exact[math.floor(place)], exact[math.ceil(place)]
        assert value == pytest.approx(below + (above - below) * (place - math.floor(place)), rel=1e-9, abs=1e-45)


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
