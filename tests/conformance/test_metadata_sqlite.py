"""MlmdStore on SQLite passes the conformance suite, and shares its file with other processes and with time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.conformance.metadata_store import HEAD, HOSTILE, MetadataStoreConformance, artifact, execution, fence
from zenctl.metadata import types
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection, registration
from zenctl.metadata.store import Context, Event, EventType, StoreError, Transition, Where
from zenctl.metadata.types import TABLE, TypeTable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "m#%41?.db"


@pytest.fixture
def store(path: Path) -> Iterator[MlmdStore]:
    store = MlmdStore(SqliteConnection(path, create=True))
    yield store
    store.close()


def raw(path: Path) -> metadata_store.MetadataStore:
    """MLMD itself, as another program would open it."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = 3
    return metadata_store.MetadataStore(config)


def run(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


class TestMlmdStore(MetadataStoreConformance):
    pass


# ---------------------------------------------------------------- opening


def test_what_was_written_is_there_after_reopening(path: Path, store: MlmdStore) -> None:
    store.commit(
        Transition(
            create_contexts=(fence(HOSTILE[3]),),
            executions=(execution("j", head=HEAD, error="".join(HOSTILE)),),
            artifacts=(artifact("d"),),
            events=(Event(0, 0, EventType.OUTPUT, "data"),),
        )
    )
    store.close()
    for create in (True, False):
        again = MlmdStore(SqliteConnection(path, create=create))
        [e] = again.executions(Where(properties={"head": HEAD}))
        assert e.properties == {"head": HEAD, "error": "".join(HOSTILE)}
        assert [event.key for event in again.events(execution_ids=[e.id])] == ["data"]
        assert again.context("Transition", HOSTILE[3]) is not None
        again.close()


def test_opening_again_registers_nothing(path: Path, store: MlmdStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    call = metadata_store.MetadataStore._call

    def counted(self: object, method: str, *args: object, **kwargs: object) -> object:
        asked.append(method)
        return call(self, method, *args, **kwargs)

    monkeypatch.setattr(metadata_store.MetadataStore, "_call", counted)
    for create in (True, False):
        MlmdStore(SqliteConnection(path, create=create)).close()
    assert asked == ["GetContextByTypeAndName"] * 2


def test_a_read_only_store_writes_nothing(path: Path, store: MlmdStore) -> None:
    store.commit(Transition(executions=(execution("j"),)))
    before, listing = path.read_bytes(), sorted(os.listdir(path.parent))
    reader = MlmdStore(SqliteConnection(path, create=False))
    assert len(reader.executions(Where())) == 1
    with pytest.raises(StoreError, match="reading only"):
        reader.commit(Transition(executions=(execution("k"),)))
    reader.close()
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == listing


def test_a_read_only_file_in_a_read_only_folder_can_be_read(path: Path, store: MlmdStore) -> None:
    store.commit(Transition(executions=(execution("j"),)))
    store.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        reader = MlmdStore(SqliteConnection(path, create=False))
        assert len(reader.executions(Where())) == 1
        reader.close()
    finally:
        path.parent.chmod(0o755)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("damage", ["text", "middle", "short", "folder"])
def test_a_damaged_database_is_an_error_that_helps(path: Path, store: MlmdStore, damage: str, create: bool) -> None:
    store.commit(Transition(executions=tuple(execution(f"j{i}") for i in range(50))))
    store.close()
    whole = path.read_bytes()
    path.unlink()
    if damage == "text":
        path.write_text("this is no database\n" * 500)
    elif damage == "middle":
        path.write_bytes(whole[:4096] + b"\x5a" * (len(whole) - 4096))
    elif damage == "short":
        path.write_bytes(whole[:9000])
    else:
        path.mkdir()
    with pytest.raises(StoreError) as caught:
        MlmdStore(SqliteConnection(path, create=create))
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert "CREATE TABLE" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        MlmdStore(SqliteConnection(tmp_path / "file" / "metadata.db", create=True))


def test_a_newer_format_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "FORMAT", types.FORMAT + 1)
    MlmdStore(SqliteConnection(path, create=True)).close()
    monkeypatch.undo()
    for create in (True, False):
        with pytest.raises(StoreError, match=r"newer zenctl \(format 2; this one reads up to 1\)") as caught:
            MlmdStore(SqliteConnection(path, create=create))
        assert "Update zenctl" in caught.value.hint


def test_a_store_of_an_older_table_grows_and_the_older_one_keeps_working(path: Path) -> None:
    older = TypeTable(
        executions={"Train": {"head": str}},
        artifacts={"Dataset": {"digest": str}},
        contexts={"Store": {"format": int, "types": str}},
    )
    old = MlmdStore(SqliteConnection(path, create=True), table=older)
    old.commit(Transition(executions=(execution("j", head=HEAD),), artifacts=(artifact("d"),)))
    old.close()

    reader = MlmdStore(SqliteConnection(path, create=False))
    assert [e.name for e in reader.executions(Where(properties={"head": HEAD}))] == ["j"]
    assert reader.executions(Where(type="Evaluate")) == []
    assert reader.executions(Where(properties={"attempt": HEAD})) == []
    assert reader.contexts("Apply", {"workspace_key": HEAD}) == []
    assert reader.context("Apply", "x") is None
    reader.close()

    new = MlmdStore(SqliteConnection(path, create=True))
    [e] = new.executions(Where(properties={"head": HEAD}))
    new.commit(Transition(executions=(execution("k", "Evaluate", attempt=HEAD, serial=3),)))
    new.close()

    old = MlmdStore(SqliteConnection(path, create=True), table=older)
    assert [e.name for e in old.executions(Where())] == ["j", "k"]
    [k] = old.executions(Where(name="k"))
    old.commit(Transition(executions=(k,)))
    assert old.executions(Where(name="k"))[0].properties == {"attempt": HEAD, "serial": 3}
    old.close()
    assert e.name == "j"


def test_another_programs_records_are_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = raw(path)
    type_id = other.put_execution_type(pb.ExecutionType(name="Trainer", properties={"head": pb.STRING}))
    theirs = pb.Execution(type_id=type_id, name="theirs")
    theirs.properties["head"].string_value = HEAD
    [theirs_id] = other.put_executions([theirs])
    reader = MlmdStore(SqliteConnection(path, create=False))
    assert reader.executions(Where()) == []
    assert reader.executions(Where(properties={"head": HEAD})) == []
    reader.close()
    store = MlmdStore(SqliteConnection(path, create=True))
    store.commit(Transition(executions=(execution("ours", head=HEAD),)))
    assert [e.name for e in store.executions(Where(properties={"head": HEAD}))] == ["ours"]
    assert [e.name for e in store.executions(Where())] == ["ours"]
    assert store.executions_by_id([theirs_id]) == []
    store.close()


def test_other_readers_of_mlmd_understand_it(path: Path, store: MlmdStore) -> None:
    store.commit(
        Transition(
            create_contexts=(Context("Apply", "p/w/1"),),
            executions=(execution("train-1"),),
            artifacts=(artifact("m", "Model"),),
            events=(Event(0, 0, EventType.OUTPUT, "model"),),
        )
    )
    other = raw(path)
    assert other.get_execution_type("zenctl.Train").base_type == pb.ExecutionType.TRAIN
    assert other.get_artifact_type("zenctl.Model").base_type == pb.ArtifactType.MODEL
    context = other.get_context_by_type_and_name("zenctl.Apply", "p/w/1")
    assert [e.name for e in other.get_executions_by_context(context.id)] == ["train-1"]
    assert [a.uri for a in other.get_artifacts_by_context(context.id)] == ["trees/m"]
    assert {t.name for t in other.get_artifact_types()} >= {f"zenctl.{name}" for name in TABLE.artifacts}


# ---------------------------------------------------------------- several processes

WRITER = """
import sys
from pathlib import Path
from tests.conformance.metadata_store import execution, fence
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
from zenctl.metadata.store import AlreadyExists, Transition
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = MlmdStore(SqliteConnection(path, create=True))
print("ready", flush=True)
sys.stdin.readline()
wins = 0
for i in range(count):
    store.commit(Transition(executions=(execution(f"{name}-{i}"),)))
    try:
        store.commit(Transition(create_contexts=(fence(f"f{i}"),), executions=(execution(f"{name}-win-{i}"),)))
        wins += 1
    except AlreadyExists:
        pass
print(wins, flush=True)
"""


def test_two_processes_commit_at_once_while_a_third_reads(path: Path) -> None:
    rounds = 60
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    reader = MlmdStore(SqliteConnection(path, create=False))
    seen = 0
    while any(writer.poll() is None for writer in writers):
        now = len(reader.executions(Where(type="Train")))
        assert now >= seen
        seen = now
    reader.close()
    wins = 0
    for writer in writers:
        out, err = writer.communicate(timeout=240)
        assert (writer.returncode, err) == (0, "")
        wins += int(out)
    assert wins == rounds
    store = MlmdStore(SqliteConnection(path, create=False))
    assert len(store.executions(Where())) == 3 * rounds
    store.close()


KILLED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("pragma cache_size = 5")
db.execute("begin immediate")
db.execute("delete from Execution")
db.execute("create table junk (x)")
for i in range(2000):
    db.execute("insert into junk values (?)", ("x" * 1000,))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("create", [True, False])
def test_a_writer_killed_halfway_is_rolled_back(path: Path, store: MlmdStore, create: bool) -> None:
    store.commit(Transition(executions=(execution("j"),)))
    store.close()
    run(KILLED, path).communicate(timeout=240)
    assert Path(f"{path}-journal").stat().st_size > 0
    again = MlmdStore(SqliteConnection(path, create=create))
    assert [e.name for e in again.executions(Where())] == ["j"]
    again.close()


HELD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin exclusive")
print("held", flush=True)
sys.stdin.readline()
db.execute("rollback")
"""


def test_a_reader_waits_for_a_commit_that_shuts_it_out(
    path: Path, store: MlmdStore, capfd: pytest.CaptureFixture[str]
) -> None:
    store.commit(Transition(executions=(execution("j"),)))
    holder = subprocess.Popen(
        [sys.executable, "-c", HELD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    tries = 0
    get = store._connection._mlmd.get_executions

    def let_go(options: object) -> object:
        nonlocal tries
        tries += 1
        if tries == 3:
            holder.communicate("go\n", timeout=240)
        return get(options)

    store._connection._mlmd.get_executions = let_go
    assert [e.name for e in store.executions(Where())] == ["j"]
    assert tries >= 3
    assert capfd.readouterr().err == ""


def test_a_database_that_cannot_be_written_says_so_in_a_few_words(
    path: Path, store: MlmdStore, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = MlmdStore(SqliteConnection(path, create=False))
    # A file that another user may only read opens as this connection does: without complaint.
    reader._connection.read_only = False
    with pytest.raises(StoreError) as failure:
        reader.commit(Transition(create_contexts=(fence("f"),), executions=(execution("j"),)))
    assert str(failure.value) == (
        f"the metadata database {path} cannot be written (attempt to write a readonly database)"
    )
    assert "permissions" in failure.value.hint
    assert capfd.readouterr().err == ""


def test_a_database_of_a_newer_ml_metadata_says_so(path: Path, store: MlmdStore) -> None:
    store.close()
    change = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('update MLMDEnv set schema_version = 99')"
    )
    subprocess.run([sys.executable, "-c", f"{change}; db.commit()", str(path)], check=True)
    for create in (False, True):
        with pytest.raises(StoreError, match=r"was written by a newer ML Metadata \(its form is 99") as failure:
            MlmdStore(SqliteConnection(path, create=create))
        assert "zenctl" in failure.value.hint


FULL = """
import pathlib, resource, sys
from tests.conformance.metadata_store import execution
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
from zenctl.metadata.store import StoreError, Transition, Where

path = pathlib.Path(sys.argv[1])
store = MlmdStore(SqliteConnection(path, create=True))
most = resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, most))
for attempt in range(2):
    try:
        store.commit(Transition(executions=tuple(execution(f"big {i}") for i in range(400))))
    except StoreError as problem:
        assert "cannot be written" in str(problem), problem
        assert store.executions(Where()) == []
    else:
        raise AssertionError("it was written")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.commit(Transition(executions=(execution("after"),)))
assert [e.name for e in store.executions(Where())] == ["after"]
"""


def test_after_a_full_disk_it_goes_on(path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_database_that_stays_busy_is_an_error(
    path: Path, store: MlmdStore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("zenctl.metadata.mlmd.connection.BUSY_SECONDS", 0.05)
    holder = subprocess.Popen(
        [sys.executable, "-c", HELD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match="metadata database"):
        store.executions(Where())
    with pytest.raises(StoreError, match="metadata database"):
        store.commit(Transition(executions=(execution("j"),)))
    holder.communicate("go\n", timeout=240)
    store.commit(Transition(executions=(execution("j"),)))
    assert capfd.readouterr().err == ""


def test_the_turn_to_write_is_waited_for_and_then_an_error(
    path: Path, store: MlmdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire();"
        "print('held', flush=True); sys.stdin.readline()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, f"{path}.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    monkeypatch.setattr("zenctl.metadata.mlmd.connection.BUSY_SECONDS", 0.05)
    with pytest.raises(StoreError, match="another process has been writing"):
        store.commit(Transition(executions=(execution("j"),)))
    holder.communicate("go\n", timeout=240)
    store.commit(Transition(executions=(execution("j"),)))


def test_the_port_imports_no_ml_metadata() -> None:
    code = (
        "import sys, zenctl.metadata.store, zenctl.metadata.state, zenctl.metadata.memory\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('ml_metadata', 'grpc', 'google', 'filelock', 'psutil')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_copied_store_is_the_same_store(path: Path, store: MlmdStore, tmp_path: Path) -> None:
    store.commit(Transition(executions=(execution("j", head=HEAD),)))
    store.close()
    shutil.copy(path, tmp_path / "moved.db")
    moved = MlmdStore(SqliteConnection(tmp_path / "moved.db", create=False))
    assert [e.name for e in moved.executions(Where(properties={"head": HEAD}))] == ["j"]
    moved.close()


def test_the_record_of_types_names_every_type(path: Path, store: MlmdStore) -> None:
    record = raw(path).get_context_by_type_and_name("zenctl.Store", "store")
    assert record.properties["format"].int_value == types.FORMAT
    types_recorded = json.loads(record.properties["types"].string_value)
    assert set(types_recorded["executions"]) == set(TABLE.executions)
    assert types_recorded["artifacts"]["Dataset"]["properties"] == {
        "digest": "str",
        "bytes": "int",
        "properties": "str",
    }
