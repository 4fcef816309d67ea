"""What words name: an address, an apply of one, a digest, a URI, a folder with a result's files, an endpoint's URL."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.naming import find_named, find_recorded
from zenctl.jobs.artifacts import scan_folder, tree_path
from zenctl.metadata.artifacts import OutputRecord
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.records import RecordedArtifact
from zenctl.metadata.workspaces import create_workspace
from zenctl.plans.actions import Components
from zenctl.runner.models import normalise

CSV, FIT, SERVE = DatasourceAddr("csv", "rows"), StepAddr("train", "fit"), EndpointAddr("local", "fit")
URL = "http://127.0.0.1:8501/v1/models/fit"

Name = Callable[..., str]


def model(folder: Path, saved: str) -> Path:
    """A model's folder as it is saved: the time of saving is in it."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("metadata.json", f'{{"keras_version": "3", "date_saved": "{saved}"}}')
        archive.writestr("weights", "0123")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """Two applies of a pipeline in `default`, and an endpoint of the workspace `pr-1`."""
    store = MemoryStore()
    kept = model(tmp_path / "kept", "2026-01-01")
    normalise(kept)
    digest = scan_folder(kept).digest
    for content in ("a" * 64, "ab" + "0" * 62):
        recorder = Recorder(store, acquire(store, "p", "default", Holder.here("zenctl apply")))
        rows = recorder.start(CSV, f"rows-{content[:2]}-{recorder.serial}", "Process", Components("csv/1"), "", {})
        made = recorder.complete(rows, {"data": OutputRecord("Dataset", content, tree_path(content))})
        fit = recorder.start(FIT, f"fit-{recorder.serial}", "Train", Components("train/1"), "", {"train": made["data"]})
        given = recorder.complete(fit, {"model": OutputRecord("Model", digest, tree_path(digest))})["model"]
        recorder.endpoint(SERVE, Components("endpoint.local/1"), {"url": URL}, {"model": given})
        recorder.finish("complete")
    create_workspace(store, "p", "pr-1")
    preview = Recorder(store, acquire(store, "p", "pr-1", Holder.here("zenctl apply")))
    served = {"model": RecordedArtifact(given.id, "Model", given.uri, given.digest)}
    preview.endpoint(SERVE, Components("endpoint.local/1"), {"url": "http://127.0.0.1:9000/v1/models/fit"}, served)
    preview.finish("complete")
    return store


@pytest.fixture
def name(store: MemoryStore, tmp_path: Path) -> Iterator[Name]:
    """The address, apply and workspace that words lead to."""

    def find(words: str, workspace: str = "default") -> str:
        found = find_named(store, "p", workspace, words, tmp_path).recorded
        return f"{found.addr}@{found.serial} {found.workspace}"

    yield find
    store.close()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("step.train.fit", "step.train.fit@2 default"),
        ("step.train.fit@1", "step.train.fit@1 default"),
        ("a" * 64, "datasource.csv.rows@1 default"),
        ("AAAAAAAA", "datasource.csv.rows@1 default"),
        ("ab0000", "datasource.csv.rows@2 default"),
        (tree_path("a" * 64), "datasource.csv.rows@1 default"),
        ("gs://bucket/prefix/" + tree_path("a" * 64), "datasource.csv.rows@1 default"),
        (URL, "endpoint.local.fit@2 default"),
        (f"{URL}:predict", "endpoint.local.fit@2 default"),
        ("http://localhost:8501", "endpoint.local.fit@2 default"),
        ("HTTP://127.0.0.1:8501/", "endpoint.local.fit@2 default"),
        ("localhost:8501", "endpoint.local.fit@2 default"),
        ("http://127.0.0.1:9000/v1/models/fit", "endpoint.local.fit@1 pr-1"),
    ],
)
def test_what_is_named(name: Name, words: str, found: str) -> None:
    assert name(words) == found


def test_a_models_folder_as_it_was_saved_or_kept(name: Name, tmp_path: Path) -> None:
    assert name("kept") == "step.train.fit@2 default"
    model(tmp_path / "elsewhere" / "again", "2026-02-02")
    assert name("elsewhere/again") == "step.train.fit@2 default"
    assert name(str(tmp_path / "elsewhere" / "again")) == "step.train.fit@2 default"
    assert name("elsewhere/again/model.keras") == "step.train.fit@2 default"
    # What was given stays as it is.
    with zipfile.ZipFile(tmp_path / "elsewhere" / "again" / "model.keras") as archive:
        assert b"2026-02-02" in archive.read("metadata.json")


def test_how_it_was_found_is_said(store: MemoryStore, tmp_path: Path) -> None:
    because = find_named(store, "p", "default", "kept", tmp_path).because
    assert because.endswith(" is its output model; 1 more record has the same content")
    assert find_named(store, "p", "default", "step.train.fit", tmp_path).because == ""
    elsewhere = find_named(store, "p", "default", "http://127.0.0.1:9000", tmp_path).because
    assert elsewhere.endswith("is its URL in workspace pr-1")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("step.train.fit@7", "not_recorded", "results of apply 1, 2"),
        ("step.train.other@1", "not_recorded", "It has no results"),
        ("step.train.fti", "not_recorded", 'Did you mean "step.train.fit"?'),
        ("a", "bad_address", "Give an address"),
        ("./nothing/here", "unknown_record", "no file or folder ./nothing/here"),
        ("abcdef012345", "unknown_record", "Nothing recorded is an artifact abcdef012345"),
        (tree_path("c" * 64), "unknown_record", "zenctl config metadata get"),
        ("http://127.0.0.1:8502", "unknown_record", URL),
        ("http://127.0.0.1:8501/v1/models/fitness", "unknown_record", "No recorded endpoint"),
        ("empty", "unknown_record", "exactly these files"),
    ],
)
def test_what_names_nothing(name: Name, tmp_path: Path, words: str, code: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DiagnosticError) as caught:
        name(words)
    [problem] = caught.value.diagnostics
    assert problem.code == code
    assert said in f"{problem.summary}\n{problem.detail}"


def test_a_url_that_several_endpoints_are_below(store: MemoryStore, tmp_path: Path) -> None:
    recorder = Recorder(store, acquire(store, "p", "default", Holder.here("zenctl apply")))
    other = EndpointAddr("local", "fitness")
    recorder.endpoint(other, Components("endpoint.local/1"), {"url": f"{URL}ness"}, {})
    assert find_named(store, "p", "default", f"{URL}ness/versions/1", tmp_path).recorded.addr == other
    assert find_named(store, "p", "default", URL, tmp_path).recorded.addr == SERVE
    with pytest.raises(DiagnosticError, match="2 recorded endpoints are below") as caught:
        find_named(store, "p", "default", "http://127.0.0.1:8501", tmp_path)
    assert f"{URL}ness  endpoint.local.fitness" in caught.value.diagnostics[0].detail


def test_digits_that_several_artifacts_begin_with(store: MemoryStore, tmp_path: Path) -> None:
    recorder = Recorder(store, acquire(store, "p", "default", Holder.here("zenctl apply")))
    run = recorder.start(CSV, "more", "Process", Components("csv/1"), "", {})
    content = "ab" + "0" * 61 + "1"
    recorder.complete(run, {"data": OutputRecord("Dataset", content, tree_path(content))})
    with pytest.raises(DiagnosticError, match="2 artifacts begin with ab0000") as caught:
        find_named(store, "p", "default", "ab0000", tmp_path)
    assert content in caught.value.diagnostics[0].detail


def test_only_results_where_only_these_will_do(store: MemoryStore) -> None:
    recorder = Recorder(store, acquire(store, "p", "default", Holder.here("zenctl apply")))
    failed = recorder.start(FIT, "fails", "Train", Components("train/1"), "", {})
    recorder.fail(failed, "broken")
    assert find_recorded(store, "p", "default", "step.train.fit").execution_id == failed
    assert find_recorded(store, "p", "default", "step.train.fit@3").execution_id == failed
    assert find_recorded(store, "p", "default", "step.train.fit", results_only=True).serial == 2
    with pytest.raises(DiagnosticError, match="recorded no result"):
        find_recorded(store, "p", "default", "step.train.fit@3", results_only=True)
