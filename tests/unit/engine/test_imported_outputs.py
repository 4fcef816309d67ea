"""Paths of outputs as they are typed, and files made elsewhere that become a job's outputs or are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zenctl.diagnostics import DiagnosticError
from zenctl.engine.imported_outputs import pair_outputs, store_imported
from zenctl.jobs.artifacts import check_tree, read_tree, store_folder
from zenctl.jobs.spec import OutputSpec
from zenctl.jobs.storage import FolderStorage

ONE = {"model": OutputSpec("Model")}
TWO = {"model": OutputSpec("Model"), "metrics": OutputSpec("Metrics")}


def codes(problem: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [diagnostic.code for diagnostic in problem.value.diagnostics]


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "artifacts")


def stored(storage: FolderStorage, tmp_path: Path, spec: OutputSpec, path: Path) -> tuple[dict[str, object], list[str]]:
    """The properties of an imported output, and the files of its artifact."""
    result = store_imported(storage, {"it": spec}, {"it": path}, tmp_path / "work")["it"]
    check_tree(storage, result.digest)
    return dict(result.properties), [file.path for file in read_tree(storage, result.digest).files]


@pytest.mark.parametrize(
    ("texts", "outputs", "found"),
    [
        (["old/model"], ONE, {"model": "old/model"}),
        (["model=old/model"], ONE, {"model": "old/model"}),
        (["runs/lr=0.1"], ONE, {"model": "runs/lr=0.1"}),
        (["metrics=m.json", "model=a=b"], TWO, {"metrics": "m.json", "model": "a=b"}),
    ],
)
def test_each_output_has_its_path(texts: list[str], outputs: dict[str, OutputSpec], found: dict[str, str]) -> None:
    assert pair_outputs(texts, outputs, "step.python.fit") == found


@pytest.mark.parametrize(
    ("texts", "outputs", "code"),
    [
        (["modle=x"], ONE, "unknown_output"),
        (["model=x", "model=y"], ONE, "duplicate"),
        (["model="], ONE, "bad_argument"),
        (["x", "y"], TWO, "bad_argument"),
        (["model=x"], TWO, "output_missing"),
    ],
)
def test_other_words_are_refused(texts: list[str], outputs: dict[str, OutputSpec], code: str) -> None:
    with pytest.raises(DiagnosticError) as problem:
        pair_outputs(texts, outputs, "step.python.fit")
    assert set(codes(problem)) == {code}


def test_a_bare_path_with_an_equals_sign_that_is_there_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=1").mkdir()
    assert pair_outputs(["lr=1"], ONE, "step.python.fit") == {"model": "lr=1"}


def test_a_folder_is_stored_as_a_run_would_have_and_left_as_it_was(storage: FolderStorage, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text("graph")
    (model / "fingerprint.pb").write_text("random")
    (model / "variables" / "data").write_text("weights")
    (model / "alias").symlink_to("saved_model.pb")
    names = ["alias", "saved_model.pb", "variables/data"]
    assert stored(storage, tmp_path, OutputSpec("Model"), model) == ({}, names)
    assert (model / "fingerprint.pb").exists()
    assert not list((tmp_path / "work").iterdir())


def test_metrics_are_read_and_written_in_the_form_of_a_run(storage: FolderStorage, tmp_path: Path) -> None:
    file, folder = tmp_path / "mine.json", tmp_path / "folder"
    file.write_text('{ "loss": 0.5,\n "runs": [1, 2] }')
    values = {"loss": 0.5, "runs": [1, 2]}
    assert stored(storage, tmp_path, OutputSpec("Metrics"), file) == (values, ["metrics.json"])
    folder.mkdir()
    (folder / "metrics.json").write_text(file.read_text())
    again = store_imported(storage, {"it": OutputSpec("Metrics")}, {"it": folder}, tmp_path / "work")["it"]
    first = store_imported(storage, {"it": OutputSpec("Metrics")}, {"it": file}, tmp_path / "work")["it"]
    assert again == first


def test_a_returned_value_has_the_artifact_that_a_run_gives_it(storage: FolderStorage, tmp_path: Path) -> None:
    spec = OutputSpec("Artifact", returned=True)
    file, folder = tmp_path / "seven.json", tmp_path / "run"
    file.write_text(" 7\n")
    folder.mkdir()
    (folder / "result.json").write_text('{"value":7}\n')
    results = [store_imported(storage, {"it": spec}, {"it": path}, tmp_path / "work")["it"] for path in (file, folder)]
    assert [dict(result.properties) for result in results] == [{"value": 7}, {"value": 7}]
    assert {result.digest for result in results} == {store_folder(storage, folder).digest}


@pytest.mark.parametrize(
    ("spec", "name", "content", "said"),
    [
        (OutputSpec("Model"), "m.keras", "text", "m.keras is no Keras archive"),
        (OutputSpec("Model"), "m.bin", "", "there is nothing in it"),
        (OutputSpec("Metrics"), "m.json", "[1]", "metrics are one JSON object"),
        (OutputSpec("Metrics"), "m.json", "{}", "it holds no metric"),
        (OutputSpec("Metrics"), "m.json", '{"loss": NaN}', "only finite numbers"),
        (OutputSpec("Metrics"), "m.json", "{", "Expecting"),
        (OutputSpec("Artifact", returned=True), "v.json", "null", "it holds null"),
        (OutputSpec("Dataset"), "d.csv", "a,b\n", "does not hold a Dataset"),
    ],
)
def test_what_an_output_is_not_is_refused(
    storage: FolderStorage, tmp_path: Path, spec: OutputSpec, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DiagnosticError, match=said) as problem:
        stored(storage, tmp_path, spec, tmp_path / name)
    assert codes(problem) == ["bad_import"]
    assert str(tmp_path) not in json.dumps([d.summary + d.detail for d in problem.value.diagnostics])
    assert not storage.stat("trees")
    assert not list((tmp_path / "work").iterdir())


def test_a_link_out_of_the_folder_is_refused(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").write_text("a")
    (tmp_path / "model" / "b").symlink_to(tmp_path / "secret")
    with pytest.raises(DiagnosticError, match="b is a link to a place outside of the artifact"):
        stored(storage, tmp_path, OutputSpec("Model"), tmp_path / "model")
