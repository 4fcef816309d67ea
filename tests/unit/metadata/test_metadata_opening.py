"""Opening the store a configuration names: defaults, paths, missing, damaged and unknown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.opening import open_store
from zenctl.metadata.state import read_state
from zenctl.metadata.store import Execution, ExecutionState, StoreError, Transition, Where

ONE = Transition(executions=(Execution("Train", "j", ExecutionState.RUNNING),))


def test_the_default_database_lies_in_the_data_folder(tmp_path: Path) -> None:
    store = open_store("sqlite", {}, tmp_path / ".zenctl", create=True)
    store.commit(ONE)
    store.close()
    assert (tmp_path / ".zenctl" / "metadata.db").stat().st_size > 0
    again = open_store("sqlite", {"path": None}, tmp_path / ".zenctl", create=False)
    assert [e.name for e in again.executions(Where())] == ["j"]
    again.close()


@pytest.mark.parametrize("absolute", [False, True])
def test_a_path_is_relative_to_the_configuration(tmp_path: Path, absolute: bool) -> None:
    path = tmp_path / "shared store" / "m.db"
    config = {"path": str(path) if absolute else "shared store/m.db"}
    open_store("sqlite", config, tmp_path / ".zenctl", create=True).close()
    assert path.is_file()
    assert not (tmp_path / ".zenctl").exists()


def test_a_relative_data_folder_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite", {}, Path(".zenctl"), create=True)
    os.chdir("/")
    store.commit(ONE)
    store.close()
    assert (tmp_path / ".zenctl" / "metadata.db").is_file()


@pytest.mark.parametrize("empty_file", [False, True])
def test_a_missing_store_reads_as_empty_and_is_not_made(tmp_path: Path, empty_file: bool) -> None:
    if empty_file:
        (tmp_path / ".zenctl").mkdir()
        (tmp_path / ".zenctl" / "metadata.db").touch()
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    store = open_store("sqlite", {}, tmp_path / ".zenctl", create=False)
    assert read_state(store, "p", "w").results == {}
    with pytest.raises(StoreError, match="reading only"):
        acquire(store, "p", "w", Holder.here())
    store.close()
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before


def test_an_interrupted_making_is_made_good(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").touch()
    store = open_store("sqlite", {}, tmp_path, create=True)
    written = store.commit(ONE)
    store.close()
    again = open_store("sqlite", {}, tmp_path, create=False)
    assert [e.id for e in again.executions_by_id(written.execution_ids)] == list(written.execution_ids)
    assert sum(map(len, (written.context_ids, written.execution_ids, written.artifact_ids))) > 0
    again.close()


def test_a_damaged_store_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_text("not a database " * 1000)
    for create in (True, False):
        with pytest.raises(StoreError, match="damaged") as caught:
            open_store("sqlite", {}, tmp_path, create=create)
        assert "backup" in caught.value.hint


def test_an_unknown_type_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match='Did you mean "sqlite"') as caught:
        open_store("sqlit", {}, tmp_path, create=True)
    assert "sqlite" in caught.value.hint


def test_a_missing_store_costs_no_import_of_ml_metadata_and_prints_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zenctl.metadata.opening import open_store\n"
        "open_store('sqlite', {}, Path(sys.argv[1]), create=False)\n"
        "assert 'ml_metadata' not in sys.modules\n"
        "open_store('sqlite', {}, Path(sys.argv[1]), create=True).close()\n"
        "open_store('sqlite', {}, Path(sys.argv[1]), create=False).close()\n"
        "assert 'ml_metadata' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "d")], capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
