"""MlmdStore passes the conformance suite on MariaDB, PostgreSQL and over gRPC, and shares them with others and time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import make_certificates
from tests.conformance.metadata_store import (
    HEAD,
    HOSTILE,
    LONG,
    MetadataStoreConformance,
    artifact,
    execution,
    fence,
)
from tests.servers import ENCRYPTED, PASSWORD, USER, DatabaseServer, MariaDb
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.migration import Holdings, content, migrate
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection, registration
from zenctl.metadata.mlmd.connection import Connection
from zenctl.metadata.mlmd.remote import Remote, RemoteConnection
from zenctl.metadata.mlmd.serving import MetadataServer
from zenctl.metadata.opening import open_store
from zenctl.metadata.servers import ServerAddress
from zenctl.metadata.state import read_state
from zenctl.metadata.store import (
    AlreadyExists,
    Context,
    Event,
    EventType,
    ExecutionState,
    MetadataStore,
    StoreError,
    Transition,
    Where,
)

BOTH = ["mysql", "postgresql"]


@pytest.fixture(params=BOTH)
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    found: DatabaseServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def config(server: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    return {**server.config(server.database()), "password": "env:PASSWORD"}


def opened(server: DatabaseServer, config: dict[str, Any], folder: Path, *, create: bool = True) -> MetadataStore:
    return open_store(server.type, config, folder / ".zenctl", create=create)


class TestOnServers(MetadataStoreConformance):
    @pytest.fixture
    def store(self, server: DatabaseServer, config: dict[str, Any], tmp_path: Path) -> Iterator[MetadataStore]:
        store = opened(server, config, tmp_path)
        yield store
        store.close()


class TestOverGrpc(MetadataStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[MlmdStore]:
        connection = SqliteConnection(tmp_path / "metadata.db", create=True)
        served = MetadataServer(connection, ServerAddress(port=0))
        store = MlmdStore(RemoteConnection(Remote("127.0.0.1", served.port), create=True))
        yield store
        store.close()
        served.stop()


# ---------------------------------------------------------------- copying


def test_a_copy_on_a_server_and_back_is_the_same(
    server: DatabaseServer, config: dict[str, Any], tmp_path: Path
) -> None:
    source, target, back = MemoryStore(), opened(server, config, tmp_path), MemoryStore()
    strange = {"error": HOSTILE[0] + HOSTILE[6] + HOSTILE[7], "attributes": LONG, "project": "p", "serial": 1}
    run = replace(execution("Job", **strange), state=ExecutionState.COMPLETE)
    made = artifact("a" * 64, properties=HOSTILE[2])
    source.commit(Transition((Context("Workspace", "p/Größe", {"project": "p", "workspace": "Größe"}), fence("f"))))
    source.commit(Transition(executions=(run,), artifacts=(made,), events=(Event(0, 0, EventType.OUTPUT, "rows"),)))
    source.commit(Transition(executions=(replace(run, name="job"),)))  # told apart by its case alone
    there = migrate(source, target, lambda *_: None)
    assert there.written == 5
    assert migrate(source, target, lambda *_: None).written == 0
    assert migrate(target, back, lambda *_: None).content == there.content
    assert content(back, Holdings.read(back)) == content(source, Holdings.read(source))
    target.close()


# ---------------------------------------------------------------- opening


def test_reading_makes_no_table(server: DatabaseServer, config: dict[str, Any], tmp_path: Path) -> None:
    store = opened(server, config, tmp_path, create=False)
    assert isinstance(store, MemoryStore)
    assert store.executions(Where()) == []
    missing = {**config, "database": f"{config['database']}_missing"}
    assert isinstance(opened(server, missing, tmp_path, create=False), MemoryStore)
    assert isinstance(opened(server, config, tmp_path, create=False), MemoryStore)


def test_a_missing_database_is_made(server: DatabaseServer, config: dict[str, Any], tmp_path: Path) -> None:
    missing = {**config, "database": f"{config['database']}_new"}
    store = opened(server, missing, tmp_path)
    store.commit(Transition(executions=(execution("j", head=HEAD),)))
    store.close()
    again = opened(server, missing, tmp_path, create=False)
    assert [e.name for e in again.executions(Where(properties={"head": HEAD}))] == ["j"]
    with pytest.raises(StoreError, match="opened for reading only"):
        again.commit(Transition(executions=(execution("k"),)))
    again.close()


def test_a_wrong_password_and_a_server_that_is_down_are_told_apart(
    server: DatabaseServer, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for create in (False, True):
        monkeypatch.setenv("PASSWORD", "wrong-one")
        with pytest.raises(StoreError, match=f"does not let {USER} in") as refused:
            opened(server, config, tmp_path, create=create)
        assert "config metadata set" in refused.value.hint
        assert "wrong-one" not in str(refused.value) + refused.value.hint
        with pytest.raises(StoreError, match=r"cannot be reached: .*refused"):
            opened(server, {**config, "port": 1}, tmp_path, create=create)
        monkeypatch.delenv("PASSWORD")
        with pytest.raises(StoreError, match="environment variable PASSWORD is not set"):
            opened(server, config, tmp_path, create=create)


def test_nothing_of_ml_metadata_reaches_stderr(
    server: DatabaseServer, config: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = opened(server, config, tmp_path)
    store.commit(Transition(create_contexts=(fence("f"),)))
    with pytest.raises(StoreError):
        store.commit(Transition(create_contexts=(fence("f"),)))
    store.close()
    assert capfd.readouterr() == ("", "")


def test_the_connection_is_encrypted_and_the_server_checked(
    server: DatabaseServer, config: dict[str, Any], tmp_path: Path
) -> None:
    """By zenctl's own look at the server and by ML Metadata; MLMD's PostgreSQL client cannot, which is told."""
    encrypted = {**config, "user": ENCRYPTED}
    with pytest.raises(StoreError, match=f"does not let {ENCRYPTED} in"):
        opened(server, encrypted, tmp_path)
    if server.type == "postgresql":
        return
    store = opened(server, {**encrypted, "ssl_ca": f"{server.folder}/ca.pem"}, tmp_path)
    store.commit(Transition(executions=(execution("j", head=HEAD),)))
    store.close()
    # Another authority than that of the server's certificate.
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other").authority
    with pytest.raises(StoreError, match="certificate"):
        opened(server, {**encrypted, "ssl_ca": str(other)}, tmp_path, create=False)


def test_a_grpc_server_speaks_tls(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    connection = SqliteConnection(tmp_path / "metadata.db", create=True)
    address = ServerAddress(port=0, certificate=made.server.read_bytes(), key=made.key.read_bytes())
    served = MetadataServer(connection, address)
    config = {"host": "127.0.0.1", "port": served.port}
    store = open_store("grpc", {**config, "ssl_ca": "ca.pem"}, tmp_path / ".zenctl", create=True)
    store.commit(Transition(executions=(execution("j"),)))
    store.close()
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other").authority
    wrongs: list[dict[str, str]] = [{}, {"ssl_ca": str(other)}]
    for wrong in wrongs:
        with pytest.raises(StoreError, match="cannot be reached"):
            open_store("grpc", {**config, **wrong}, tmp_path / ".zenctl", create=True)
    served.stop()


# ---------------------------------------------------------------- what a read costs


def test_reading_what_has_a_property_reads_no_whole_table(
    mysql: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLMD's page of the first hundred of many, in the order of their ids, would walk all that is older."""
    assert isinstance(mysql, MariaDb)
    monkeypatch.setenv("PASSWORD", PASSWORD)
    config = {**mysql.config(mysql.database()), "password": "env:PASSWORD"}
    store = opened(mysql, config, tmp_path)
    store.commit(Transition(executions=tuple(execution(f"j{number}") for number in range(100))))
    double = (
        "insert into Execution (type_id, last_known_state, name, create_time_since_epoch, "
        "last_update_time_since_epoch) select type_id, last_known_state, concat(name, '-', %d), 0, 0 from Execution",
        "insert ignore into ExecutionProperty (execution_id, name, is_custom_property, string_value) "
        "select e.id, p.name, p.is_custom_property, p.string_value from Execution e "
        "join Execution f on f.name = 'j1' join ExecutionProperty p on p.execution_id = f.id",
    )
    copies = [double[0] % doubling for doubling in range(9)]
    heads = (
        "insert into ExecutionProperty (execution_id, name, is_custom_property, string_value) "
        f"select id, 'head', false, '{HEAD}' from Execution order by id desc limit 10000"
    )
    mysql.run(f"use {config['database']}", *copies, double[1], heads, "analyze table ExecutionProperty")
    count = "show global status like 'Handler_read%'"

    def read() -> int:
        return sum(int(row[1]) for row in mysql.run(count))

    before, past = read(), 100 * 2**9
    found = store.executions(Where(properties={"head": HEAD}))
    assert len(found) == 10_000
    assert read() - before < 8 * len(found) < 2 * past
    store.close()


def test_reading_the_state_reads_no_earlier_applies(
    mysql: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(mysql, MariaDb)
    monkeypatch.setenv("PASSWORD", PASSWORD)
    config = {**mysql.config(mysql.database()), "password": "env:PASSWORD"}
    store = opened(mysql, config, tmp_path)
    acquire(store, "p", "w", Holder.here()).finish("complete", {"n": 1})
    first = store.context("Apply", "p/w/1")
    assert first is not None
    past, far = 5000, 1_000_000
    mysql.run(
        f"use {config['database']}",
        "insert into Context (id, type_id, name, create_time_since_epoch, last_update_time_since_epoch) "
        f"select {far} + seq, type_id, concat('p/w/', seq, substr(name, 6)), 0, 0 "
        f"from Context, seq_2_to_{past} where id = {first.id}",
        "insert into ContextProperty (context_id, name, is_custom_property, int_value, double_value, string_value) "
        f"select {far} + seq, name, is_custom_property, if(name like '%serial', seq, int_value), double_value, "
        f"string_value from ContextProperty, seq_2_to_{past} where context_id = {first.id}",
        "analyze table Context, ContextProperty",
    )
    # This one finds the others as those of an older zenctl, which moves no record of them on.
    acquire(store, "p", "w", Holder.here()).finish("complete")
    count = "show global status like 'Handler_read%'"

    def read() -> int:
        return sum(int(row[1]) for row in mysql.run(count))

    before = read()
    state = read_state(store, "p", "w")
    taken = acquire(store, "p", "w", Holder.here())
    assert read() - before < past // 5
    taken.finish("complete")
    assert (state.serial, state.outputs, taken.serial) == (past + 1, {"n": 1}, past + 2)
    store.close()


def test_reading_by_ids_reads_no_whole_table(
    mysql: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the server's statistics are older than most of the rows, as they are after many came at once."""
    assert isinstance(mysql, MariaDb)
    monkeypatch.setenv("PASSWORD", PASSWORD)
    config = {**mysql.config(mysql.database()), "password": "env:PASSWORD"}
    store = opened(mysql, config, tmp_path)
    tables = ("Event", "EventPath", "Artifact", "ArtifactProperty", "Execution", "ExecutionProperty")
    use = f"use {config['database']}"
    mysql.run(use, *(f"alter table {table} stats_auto_recalc = 0" for table in tables))
    numbers = range(300)
    executions = tuple(execution(f"j{number}") for number in numbers)
    artifacts = tuple(artifact(f"{number:064x}") for number in numbers)
    events = tuple(Event(number, number, EventType.OUTPUT, "rows") for number in numbers)
    made = store.commit(Transition(executions=executions, artifacts=artifacts, events=events))
    copies = []
    for doubling in range(5):
        shift = f"{1000 * 2**doubling}"
        copies += [
            f"insert into Event (artifact_id, execution_id, type) select artifact_id + {shift}, "
            f"execution_id + {shift}, type from Event",
            "insert into EventPath (event_id, is_index_step, step_key) "
            f"select event_id + {shift}, is_index_step, step_key from EventPath",
            "insert into ArtifactProperty (artifact_id, name, is_custom_property, string_value) "
            f"select artifact_id + {shift}, name, is_custom_property, string_value from ArtifactProperty",
        ]
    mysql.run(use, *copies)
    count, past = "show global status like 'Handler_read_rnd_next'", len(numbers) * 2**5
    before = int(mysql.run(count)[0][1])
    assert len(store.events(execution_ids=made.execution_ids)) == len(numbers)
    assert len(store.artifacts_by_id(made.artifact_ids)) == len(numbers)
    assert int(mysql.run(count)[0][1]) - before < past / 2
    store.close()


# ---------------------------------------------------------------- several processes, and time

OPENER = """
import json, sys
from pathlib import Path
from tests.conformance.metadata_store import execution, fence
from zenctl.metadata.opening import open_store
from zenctl.metadata.store import AlreadyExists, Transition
type, config, folder, name = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
print("ready", flush=True)
sys.stdin.readline()
store = open_store(type, config, folder / ".zenctl", create=True)
wins = 0
for i in range(30):
    store.commit(Transition(executions=(execution(f"{name}-{i}"),)))
    try:
        store.commit(Transition(create_contexts=(fence(f"f{i}"),), executions=(execution(f"{name}-win-{i}"),)))
        wins += 1
    except AlreadyExists:
        pass
print(wins, flush=True)
"""


def test_processes_that_make_the_tables_at_once_do_not_collide(
    server: DatabaseServer, config: dict[str, Any], tmp_path: Path
) -> None:
    import json

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, server.type, json.dumps(config), str(tmp_path), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in "abc"
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    wins = 0
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert (process.returncode, err) == (0, "")
        wins += int(out)
    assert wins == 30
    store = opened(server, config, tmp_path, create=False)
    assert len(store.executions(Where())) == 3 * 30 + 30
    store.close()


def test_a_server_that_is_started_again_is_waited_for(
    server: DatabaseServer, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    store = opened(server, config, tmp_path)
    store.commit(Transition(executions=(execution("before"),)))
    server.stop()
    try:
        monkeypatch.setattr("zenctl.metadata.mlmd.connection.BUSY_SECONDS", 0.2)
        with pytest.raises(StoreError, match="cannot be reached"):
            store.commit(Transition(executions=(execution("lost"),)))
        assert "waiting for it" in caplog.text
        monkeypatch.undo()
    finally:
        server.start()
    monkeypatch.setenv("PASSWORD", PASSWORD)
    store.commit(Transition(create_contexts=(fence("f"),), executions=(execution("after"),)))
    assert [e.name for e in store.executions(Where())] == ["before", "after"]
    store.close()


def test_a_reader_needs_no_right_to_write(server: DatabaseServer, config: dict[str, Any], tmp_path: Path) -> None:
    store = opened(server, config, tmp_path)
    store.commit(Transition(executions=(execution("j", head=HEAD),)))
    store.close()
    database = config["database"]
    if server.type == "mysql":
        server.run(  # type: ignore[attr-defined]
            "create user if not exists reader@'127.0.0.1' identified by 'r'",
            "create user if not exists reader@localhost identified by 'r'",
            f"grant select on {database}.* to reader@'127.0.0.1'",
            f"grant select on {database}.* to reader@localhost",
        )
    else:
        if not server.run("select 1 from pg_roles where rolname = 'reader'"):  # type: ignore[attr-defined]
            server.run("create role reader login password 'r'")  # type: ignore[attr-defined]
        server.run("grant pg_read_all_data to reader")  # type: ignore[attr-defined]
    secret = tmp_path / "password"
    secret.write_text("r\n")
    reader = opened(server, {**config, "user": "reader", "password": "file:password"}, tmp_path, create=False)
    assert [e.name for e in reader.executions(Where(properties={"head": HEAD}))] == ["j"]
    reader.close()


def test_a_store_keeps_its_dialect_whoever_opens_it(tmp_path: Path) -> None:
    """What was written over gRPC is found in the file, and the other way round."""
    connection = SqliteConnection(tmp_path / "metadata.db", create=True)
    served = MetadataServer(connection, ServerAddress(port=0))
    remote = MlmdStore(RemoteConnection(Remote("127.0.0.1", served.port), create=True))
    remote.commit(Transition(create_contexts=(fence("A"),)))
    local = MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=True))
    assert local.context("Transition", "A") is not None
    with pytest.raises(AlreadyExists):
        local.commit(Transition(create_contexts=(fence("A"),)))
    local.commit(Transition(create_contexts=(fence("a"),)))
    assert remote.context("Transition", "a") is not None
    for store in (local, remote):
        store.close()
    served.stop()


def test_two_that_register_at_once_over_grpc_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = MetadataServer(SqliteConnection(tmp_path / "metadata.db", create=True), ServerAddress(port=0))
    look = registration._record
    looks = 0

    def other_was_faster(connection: Connection) -> Any:
        """The other registers all between this one's looks, and this one has not seen it."""
        nonlocal looks
        looks += 1
        found = look(connection)
        if looks == 3:  # the look before the record is put
            monkeypatch.undo()
            MlmdStore(RemoteConnection(Remote("127.0.0.1", served.port), create=True)).close()
        return found

    monkeypatch.setattr(registration, "_record", other_was_faster)
    store = MlmdStore(RemoteConnection(Remote("127.0.0.1", served.port), create=True))
    assert looks == 3
    store.commit(Transition(executions=(execution("j"),)))
    store.close()
    served.stop()


@pytest.mark.parametrize("letter", ["x", "%", "ä"])
def test_a_long_refusal_arrives(tmp_path: Path, letter: str) -> None:
    # Not before zenctl.metadata.mlmd, which tells ML Metadata's C++ to be quiet.
    from ml_metadata import errors
    from ml_metadata.metadata_store import metadata_store as mlmd
    from ml_metadata.proto import metadata_store_pb2 as pb

    served = MetadataServer(SqliteConnection(tmp_path / "metadata.db", create=True), ServerAddress(port=0))
    client = mlmd.MetadataStore(pb.MetadataStoreClientConfig(host="127.0.0.1", port=served.port))
    kind = pb.ExecutionType(name="Long", properties={f"{letter * 20}{number}": pb.STRING for number in range(1000)})
    client.put_execution_type(kind)
    with pytest.raises(errors.AlreadyExistsError, match="Type already exists with different properties"):
        client.put_execution_type(pb.ExecutionType(name="Long", properties={"other": pb.INT}))
    served.stop()


def test_a_server_that_only_reads_refuses_to_write(tmp_path: Path) -> None:
    MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=True)).close()
    served = MetadataServer(SqliteConnection(tmp_path / "metadata.db", create=False), ServerAddress(port=0))
    store = MlmdStore(RemoteConnection(Remote("127.0.0.1", served.port), create=True))
    assert store.executions(Where()) == []
    with pytest.raises(StoreError, match=r"may only be read from: .*-read-only") as refused:
        store.commit(Transition(executions=(execution("j"),)))
    assert refused.value.hint
    store.close()
    served.stop()


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    first = MetadataServer(SqliteConnection(tmp_path / "a.db", create=True), ServerAddress(port=0))
    with pytest.raises(StoreError, match="cannot listen on"):
        MetadataServer(SqliteConnection(tmp_path / "b.db", create=True), ServerAddress(port=first.port))
    first.stop()
