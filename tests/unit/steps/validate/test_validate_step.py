"""The step validate: what it finds, what it lets pass, and what it sets aside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zenctl.addrs import parse
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema import ArtifactRef
from zenctl.sdk import Artifact, Dataset, Job, StepError
from zenctl.sdk.artifacts import output_type
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.statistics.run import statistics
from zenctl.steps.validate.inferring import infer
from zenctl.steps.validate.rules import Count, Rule, merge
from zenctl.steps.validate.run import validate
from zenctl.steps.validate.schema import VALIDATE, Validate, ValidateSettings
from zenctl_beam.direct import DirectProcessing

BEAM = DirectProcessing().options()
OUTPUTS = {"data": "Dataset", "anomalies": "Anomalies"}
ASIDE = {**OUTPUTS, "quarantine": "Dataset"}

DATA = {
    "id": [1, 2, 3, 4, 4, 6],
    "mass": [10.0, 20.0, None, 40.0, 5000.0, -1.0],
    "sex": ["m", "f", "m", "x", "x", "q"],
    "mail": ["a@b.c", "a@b", "none", None, "q@r.s", "u@v.w"],
}


def ref(type: str = "Dataset") -> ArtifactRef:
    return ArtifactRef(parse("step.split.penguins"), "train", type)  # type: ignore[arg-type]


def found(ran: Any) -> dict[tuple[str, str], dict[str, Any]]:
    document = json.loads((ran.outputs["anomalies"].path / "anomalies.json").read_text())
    return {(a["code"], a["column"]): a for a in document["anomalies"]}


def values(anomaly: Mapping[str, Any]) -> list[tuple[Any, int]]:
    return [(example["value"], example["rows"]) for example in anomaly["examples"]]


def test_what_breaks_a_rule_is_counted_with_examples(run_step: Any) -> None:
    feature = {
        "mass": {"type": "float", "min": 0, "max": 1000},
        "sex": {"domain": ["m", "f"]},
        "mail": {"pattern": r"[^@]+@[^@]+\.\w+", "presence": "optional"},
    }
    ran = run_step(validate, {"data": DATA}, OUTPUTS, feature=feature, unique=["id"], on_anomaly="warn")
    anomalies = found(ran)
    assert set(anomalies) == {
        ("missing_values", "mass"),
        ("out_of_range", "mass"),
        ("out_of_domain", "sex"),
        ("pattern_mismatch", "mail"),
        ("duplicate_keys", ""),
    }
    assert values(anomalies["out_of_range", "mass"]) == [(5000.0, 1), (-1.0, 1)]
    assert values(anomalies["out_of_domain", "sex"]) == [("x", 2), ("q", 1)]
    assert values(anomalies["pattern_mismatch", "mail"]) == [("a@b", 1), ("none", 1)]
    assert (anomalies["duplicate_keys", ""]["rows"], values(anomalies["duplicate_keys", ""])) == (2, [(4, 2)])
    [(summary, detail)] = ran.warned
    assert summary == "5 anomalies in 6 rows"
    assert "  - column \"sex\" has a value outside of its domain in 3 of 6 rows (50.0 %): 'x' (2), 'q'\n" in detail
    assert ran.artifact("data").num_rows == 6
    assert ran.outputs["anomalies"].properties()["codes"]["out_of_range"] == 1


def test_the_data_as_a_whole(run_step: Any) -> None:
    document = {"format": 1, "features": {"id": {}, "mass": {"type": "int"}, "sexx": {"type": "string"}}}
    with pytest.raises(StepError) as caught:
        run_step(validate, {"data": DATA}, OUTPUTS, schema=document, min_rows=7)
    assert caught.value.kind == "bad_data"
    for text in (
        "5 anomalies in 6 rows\n  - there are 6 rows, wanted at least 7\n",
        'column "mass" is float, expected was int',
        'column "sexx" is missing. Did you mean "sex"?',
        '  - column "sex" is new\n  - column "mail" is new',
    ):
        assert text in caught.value.message
    assert "zenctl state schema" in caught.value.hint


def test_a_share_of_missing_values_may_be_allowed(run_step: Any) -> None:
    ok = {"mass": {"max_missing": 0.2}}
    assert not found(run_step(validate, {"data": DATA}, OUTPUTS, feature=ok))
    with pytest.raises(StepError, match=r'"mass" has no value \(allowed are 10 %\) in 1 of 6 rows \(16.7 %\)'):
        run_step(validate, {"data": DATA}, OUTPUTS, feature={"mass": {"max_missing": 0.1}})


def test_what_passes_is_the_same_artifact(run_step: Any) -> None:
    ran = run_step(
        validate, {"data": DATA}, ASIDE, feature={"sex": {"domain": ["m", "f", "x", "q"]}}, on_anomaly="quarantine"
    )
    again = run_step(validate, {"data": ran.artifact("data")}, OUTPUTS, feature={"mass": {"presence": "optional"}})
    first, second = ran.outputs["data"].path, again.outputs["data"].path
    assert scan_folder(first).digest == scan_folder(second).digest
    assert (first / "shards/00000.tfrecord").samefile(second / "shards/00000.tfrecord")
    assert again.outputs["data"].properties() == {"rows": 6}
    assert not again.warned
    assert ran.artifact("quarantine").num_rows == 0
    assert ran.artifact("quarantine").schema.names == tuple(DATA)


def test_rows_that_do_not_pass_are_set_aside(run_step: Any) -> None:
    feature = {"mass": {"max": 1000}}
    ran = run_step(validate, {"data": DATA}, ASIDE, feature=feature, unique=["id", "sex"], on_anomaly="quarantine")
    assert ran.artifact("data").arrow().column("id").to_pylist() == [1, 2, 6]
    assert ran.artifact("quarantine").arrow().column("id").to_pylist() == [3, 4, 4]
    assert json.loads((ran.outputs["anomalies"].path / "anomalies.json").read_text())["quarantined"] == 3
    assert [summary for summary, _ in ran.warned] == ["3 anomalies in 6 rows, 3 of them set aside"]
    with pytest.raises(StepError, match='column "size" is missing'):
        run_step(validate, {"data": DATA}, ASIDE, feature={"size": {}}, on_anomaly="quarantine")


def test_a_diagnostic_lists_some_of_very_many_and_the_log_the_rest(
    run_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = {f"c{i:02}": [i] for i in range(23)}
    ran = run_step(validate, {"data": wide}, OUTPUTS, new_columns="refuse", on_anomaly="warn")
    [(summary, detail)] = ran.warned
    assert summary == "23 anomalies in 1 row"
    assert detail.splitlines()[-2:] == ['  - column "c19" is new', "  - and 3 more, which stand in the log"]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f'column "c{i}" is new' for i in (20, 21, 22)]
    with pytest.raises(StepError, match='column "c19" is new\n  - and 3 more') as caught:
        run_step(validate, {"data": wide}, OUTPUTS, new_columns="refuse")
    assert "c20" not in caught.value.message
    assert capsys.readouterr().out.splitlines() == printed


def test_the_schema_of_a_statistics_step(run_step: Any) -> None:
    described = run_step(statistics, {"data": DATA}, {"statistics": "Statistics", "schema": "Schema"}, bins=3)
    schema = Artifact(described.outputs["schema"].path, "schema")
    assert not found(run_step(validate, {"data": DATA, "schema": schema}, OUTPUTS))
    other = {**DATA, "sex": [1, 2, 3, 4, 5, 6], "id": [1, 2, 3, 4, 5, None]}
    with pytest.raises(StepError) as caught:
        run_step(validate, {"data": other, "schema": schema}, OUTPUTS)
    assert '"sex" is int, expected was string\n  - column "id" has no value in 1 of 6 rows' in caught.value.message
    merged = {"sex": {"type": "int"}, "id": {"max_missing": 0.5}}
    assert not found(run_step(validate, {"data": other, "schema": schema}, OUTPUTS, feature=merged))


def test_inferred_schemas_pass_their_own_data_and_know_domains(run_step: Any, tmp_path: Path) -> None:
    table = {"s": ["a", "b"] * 20, "t": [f"t{i}" for i in range(40)], "x": [float("nan"), 1.0] * 20, "n": [1] * 40}
    folder = tmp_path / "data"
    folder.mkdir()
    output = DatasetOutput(folder, "data")
    output.write(pa.table({**table, "empty": pa.nulls(40)}))
    output.close()
    data = Dataset(folder, "data")
    document = infer(data.schema, data.statistics)
    assert document["features"] == {
        "s": {"type": "string", "presence": "required", "domain": ["a", "b"]},
        "t": {"type": "string", "presence": "required"},
        "x": {"type": "float", "presence": "optional"},
        "n": {"type": "int", "presence": "required"},
        "empty": {"presence": "optional"},
    }
    text = json.dumps(document)
    block = Validate.model_validate({"inputs": {"data": ref()}, "schema": text})
    params = block.model_dump(exclude={"inputs"})
    assert params["schema"]["features"]["s"]["domain"] == ["a", "b"]
    assert not found(run_step(validate, {"data": data}, OUTPUTS, **params))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({}, "nothing is expected"),
        ({"schema": "{"}, 'write schema = file\\("schemas/NAME.json"\\)'),
        ({"schema": "[]"}, "JSON object"),
        ({"schema": '{"features": {"a": {"typ": "int"}}}'}, "typ"),
        ({"feature": {"a": {"min": 3, "max": 2}}}, "min 3 is above max 2"),
        ({"feature": {"a": {"pattern": "("}}}, "no regular expression"),
        ({"feature": {"a": {"domain": []}}}, "domain is empty"),
        ({"feature": {"a": {"presence": "required", "max_missing": 0.1}}}, "give one of them"),
        ({"schema": '{"features": {}}', "inputs": {"data": ref(), "schema": ref("Schema")}}, "not both"),
    ],
)
def test_block_is_checked_at_plan(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Validate.model_validate({"inputs": {"data": ref()}, **block})


def test_outputs() -> None:
    assert set(VALIDATE.outputs({"on_anomaly": "warn"})) == {"data", "anomalies"}
    assert set(VALIDATE.outputs({"on_anomaly": "quarantine"})) == {"data", "anomalies", "quarantine"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"feature": {"sex": {"min": 1}}}, "min and max are for numbers"),
        ({"feature": {"mass": {"domain": [1]}}}, "domain is for texts and whole numbers"),
        ({"feature": {"sex": {"domain": [1]}}}, "1 of its domain is none"),
        ({"feature": {"mass": {"pattern": "a"}}}, "pattern is for texts"),
        ({"unique": ["ids"]}, 'unique names the column "ids"'),
        ({"unique": ["mass"]}, "holds fractions"),
    ],
)
def test_rules_that_do_not_fit_the_column(run_step: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError, match=message):
        run_step(validate, {"data": DATA}, OUTPUTS, **params)


def test_without_rows(run_step: Any) -> None:
    empty = {"id": pa.array([], pa.int64())}
    with pytest.raises(StepError, match="there are 0 rows"):
        run_step(validate, {"data": empty}, OUTPUTS, feature={"id": {"type": "int"}})
    assert not found(
        run_step(validate, {"data": empty}, OUTPUTS, feature={"id": {"min": 1}}, min_rows=0, unique=["id"])
    )


def test_single_precision_bounds_are_inclusive(run_step: Any) -> None:
    assert not found(run_step(validate, {"data": {"x": [0.1, 0.2]}}, OUTPUTS, feature={"x": {"min": 0.1, "max": 0.2}}))


ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(-5, 5)), st.sampled_from([None, "a", "b", ""])), min_size=1)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.integers(0, 20))
def test_counting_does_not_depend_on_batches(rows: list[tuple[Any, Any]], cut: int) -> None:
    batch = pa.RecordBatch.from_arrays(
        [pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows], pa.string())], names=["n", "s"]
    )
    rules = (Rule("n", "out_of_range", least=-2, greatest=3), Rule("s", "out_of_domain", domain=("a",)))
    count = Count((*rules, Rule("n", "missing_values")))
    whole = count(batch)
    parts = merge(merge({}, count(batch.slice(cut))), count(batch.slice(0, cut)))
    assert parts == whole
    expected = sum(r[0] is not None and not -2 <= r[0] <= 3 for r in rows)
    assert (whole[rules[0]].rows if rules[0] in whole else 0) == expected


def test_both_compositions_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    source = DatasetOutput(tmp_path / "data", "data", cutter=Cutter(50_000, 20_000, 150_000))
    (tmp_path / "data").mkdir()
    n = rng.integers(0, 30_000, 20_000)
    source.write(pa.table({"n": n, "x": rng.normal(size=20_000), "s": [f"k{i}" for i in n]}))
    source.close()
    params = ValidateSettings.model_validate(
        {"feature": {"x": {"max": 2.0}, "s": {"pattern": "k[0-8].*"}}, "unique": ["n", "s"], "on_anomaly": "quarantine"}
    ).model_dump()
    digests = {}
    warned: list[tuple[str, str]] = []
    for way, processing in {"process": {}, "beam": BEAM}.items():
        made = {}
        for name, kind in ASIDE.items():
            (tmp_path / way / name).mkdir(parents=True)
            made[name] = output_type(kind)(tmp_path / way / name, name, kind)
        (tmp_path / way / "scratch").mkdir()
        inputs = {"data": Dataset(tmp_path / "data", "data")}
        scratch = tmp_path / way / "scratch"
        validate(
            Job(inputs, made, params, processing=processing, scratch=scratch, alert=lambda *said: warned.append(said))
        )
        for output in made.values():
            output.close()
        digests[way] = {name: scan_folder(output.path).digest for name, output in made.items()}
        counts = np.bincount(n)
        assert made["quarantine"].rows > int(counts[counts > 1].sum())
    assert digests["process"] == digests["beam"]
    assert len(warned) == 2
    assert warned[0] == warned[1]
