"""The sql datasource on real databases: SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PASSWORD, USER, running
from tests.unit.steps.data.remembering import Workspace
from zenctl.schema.block import fingerprinted
from zenctl.sdk import StepError
from zenctl.steps.data.testing import (
    SourceCase,
    SourceConformance,
    job_of,
    objections,
    observed,
    refusal,
    removal,
    snapshot,
    source_of,
)
from zenctl.steps.sql import ingest as ingesting
from zenctl.steps.sql.ingest import SqlSource
from zenctl.steps.sql.schema import SQL, Sql


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def fill(path: Path, rows: int = 250) -> None:
    execute(path, "create table t (id integer, word text, x real)")
    with closing(sqlite3.connect(path)) as connection:
        found = [(at, f"w{at % 7}", at / 8) for at in range(rows)]
        connection.executemany("insert into t values (?, ?, ?)", found)
        connection.commit()


def case_of(root: Path, **attributes: Any) -> SourceCase:
    given = {"dialect": "sqlite", "database": "f.db", "table": "t", **attributes}
    if "query" in attributes:
        given["table"] = ""
    return SourceCase(SQL, Sql.model_validate(given), root, lambda: None, removal(root / "f.db"))


@pytest.mark.parametrize("attributes", [{}, {"partition": "id", "partition_size": 40}], ids=["whole", "ranges"])
class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path, attributes: dict[str, Any]) -> SourceCase:
        fill(tmp_path / "f.db")
        path = tmp_path / "f.db"
        made = case_of(tmp_path, **attributes)
        change = lambda: execute(path, "update t set word = 'q' where id = 100")  # noqa: E731
        return SourceCase(SQL, made.model, tmp_path, change, removal(path))


def test_values_and_types(tmp_path: Path) -> None:
    execute(
        tmp_path / "f.db",
        "create table t (id integer, s text, b blob, x real, n text)",
        "insert into t values (2, 'a:b%c', x'ff00', 1, null), (1, null, null, 0.5, null)",
    )
    data = snapshot(case_of(tmp_path, query="select * from t where s like 'a:%' or s is null;"), tmp_path / "out")
    assert list(data) == [
        {"id": 1, "s": None, "b": None, "x": 0.5, "n": None},
        {"id": 2, "s": "a:b%c", "b": b"\xff\x00", "x": 1.0, "n": None},
    ]
    assert data.schema.types == {"id": "int", "s": "string", "b": "bytes", "x": "float", "n": "string"}


def test_a_column_that_mixes_types_must_be_declared(tmp_path: Path) -> None:
    execute(tmp_path / "f.db", "create table t (a)", "insert into t values (1), ('x')")
    assert 'source_database: column "a" holds int in some rows and string in others' in objections(case_of(tmp_path))
    rows = snapshot(case_of(tmp_path, types={"a": "string"}), tmp_path / "out")
    assert [row["a"] for row in rows] == ["1", "x"]
    problem = refusal(case_of(tmp_path, types={"a": "int"}), tmp_path / "bad")
    assert problem.message == """t: row 2: column "a" is declared as int, but holds 'x'"""


def test_rows_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "f.db", 300)
    execute(tmp_path / "f.db", "update t set word = 7", "update t set word = 'odd' where id in (5, 120)")
    space = Workspace(tmp_path)
    case = case_of(
        tmp_path, partition="id", partition_size=50, types={"word": "int"}, bad_rows="quarantine", max_bad_rows=2
    )
    state = observed(case)
    order = {"params": fingerprinted(case.model), "locations": state.locations, "expect": {"source": state.digest}}
    made = space.run(ingesting.ingest, "data", quarantine=True, **order)["data"]
    assert made.data.num_rows == 298
    assert {row["word"] for row in made.data} == {7}
    ids = [json.loads(row["text"])["id"] for row in space.kept]
    assert ids == [5, 120]
    assert [row["reason"] for row in space.kept] == ["""column "word" is declared as int, but holds 'odd'"""] * 2
    assert space.warned[0][0] == "2 of 300 rows left out"
    execute(tmp_path / "f.db", "update t set word = 'odd' where id = 299")
    state = observed(case)
    order |= {"expect": {"source": state.digest}}
    with pytest.raises(StepError, match="more than max_bad_rows = 2 rows are bad, the first: t: row "):
        space.run(ingesting.ingest, "data", quarantine=True, **order)


def test_numbers_beyond_64_bits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fill(tmp_path / "f.db", 3)
    monkeypatch.setattr("zenctl.steps.sql.values._PLAIN", set())
    monkeypatch.setattr("zenctl.steps.sql.values.plain", lambda value: 2**63 if value == 2 else value)
    assert 'source_database: column "id" holds 9223372036854775808' in objections(case_of(tmp_path))
    problem = refusal(case_of(tmp_path, types={"id": "int"}), tmp_path / "bad")
    assert problem.message.endswith('column "id" is declared as int, but holds 9223372036854775808')


def test_only_ranges_that_changed_are_read_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "f.db", 900)
    execute(tmp_path / "f.db", "insert into t values (null, 'none', 1)")
    space = Workspace(tmp_path)
    case = case_of(tmp_path, partition="id", partition_size=50)

    def take(**order: Any) -> Any:
        state = observed(case)
        order |= {"params": fingerprinted(case.model), "locations": state.locations}
        return space.run(ingesting.ingest, "data", expect={"source": state.digest}, **order)["data"]

    first = take()
    assert first.data.num_rows == 901
    read: list[int] = []
    original = SqlSource.read
    monkeypatch.setattr(SqlSource, "read", lambda self, part: (read.append(part), original(self, part))[1])
    execute(tmp_path / "f.db", "insert into t values (425, 'new', 0.5)", "delete from t where id = 430")
    again = take()
    assert 0 < len(set(read)) <= 6
    assert 0 < again.shards - again.reused <= 4
    assert take(remembers=False).digest == again.digest


def test_a_version_spares_plan_the_rows(tmp_path: Path) -> None:
    fill(tmp_path / "f.db")
    execute(tmp_path / "f.db", "create table v (at text)", "insert into v values ('one')")
    case = case_of(tmp_path, version_query="select at from v")
    before = observed(case)
    assert (before.rows, before.columns) == (None, {})
    execute(tmp_path / "f.db", "update t set word = 'q' where id = 1")
    assert observed(case).digest == before.digest
    job = job_of(case, before, tmp_path / "job")
    execute(tmp_path / "f.db", "update v set at = 'two'")
    assert observed(case).digest != before.digest
    with pytest.raises(StepError) as caught:
        source_of(case, job)
    assert caught.value.kind == "source_changed"
    assert snapshot(case, tmp_path / "out").num_rows == 250
    assert "version_query gives no value" in objections(case_of(tmp_path, version_query="select at from v where 1 = 0"))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"database": "none.db"}, "source_database: cannot read "),
        ({"table": "missing"}, "source_database: cannot read "),
        ({"query": "select nonsense"}, "source_database: cannot read "),
        ({"query": "delete from t"}, "source_database: cannot read "),
        ({"query": "select * from t where 1 = 0"}, "source_empty: there are no rows in the query's result"),
        ({"partition": "word"}, "source_database: partition names the column \"word\", which holds 'w0'"),
        ({"types": {"wrd": "int"}}, 'source_column: types names the column "wrd", which is not there'),
        (
            {"partition": "id", "partition_size": 1, "query": "select 1 as id union select 900000"},
            "makes 900,000 ranges",
        ),
    ],
)
def test_plan_tells_what_is_wrong(tmp_path: Path, attributes: dict[str, Any], said: str) -> None:
    fill(tmp_path / "f.db")
    assert said in objections(case_of(tmp_path, **attributes))
    assert not (tmp_path / "none.db").exists()


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    with running(request.param) as found:
        yield found


def server_case(server: Any, root: Path, **attributes: Any) -> tuple[SourceCase, Callable[..., None]]:
    """A table on a server, and what runs statements in its database."""
    name = server.database()

    def run(*statements: str) -> None:
        if server.type == "mysql":
            import pymysql

            given = {"host": "127.0.0.1", "port": server.port, "user": USER, "database": name}
            with (
                pymysql.connect(**given, password=PASSWORD.encode(), autocommit=True) as connection,
                connection.cursor() as cursor,
            ):
                for statement in statements:
                    cursor.execute(statement)
            return
        import psycopg

        where = {"host": "127.0.0.1", "port": server.port, "user": USER, "password": PASSWORD, "dbname": name}
        with psycopg.connect(**where, autocommit=True) as c:
            for statement in statements:
                c.execute(statement)  # type: ignore[call-overload]

    blob = "blob" if server.type == "mysql" else "bytea"
    run(
        "create table t (id bigint, word varchar(20), price decimal(12, 2), at timestamp(3) null, "
        f"b {blob}, yes boolean)",
        "insert into t values (2, 'ä%:', 1.50, '2024-02-29 12:30:15.125', 'raw', true)",
        "insert into t values (1, null, null, null, null, false)",
    )
    (root / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    given = {"dialect": server.type, "database": name, "port": server.port, "user": USER, "password": "file:password"}
    case = SourceCase(SQL, Sql.model_validate({**given, "table": "t", **attributes}), root, lambda: None, lambda: None)
    return case, run


def test_servers(server: Any, tmp_path: Path) -> None:
    case, run = server_case(server, tmp_path, partition="id", partition_size=2)
    data = snapshot(case, tmp_path / "out")
    assert list(data) == [
        {"id": 1, "word": None, "price": None, "at": None, "b": None, "yes": 0},
        {"id": 2, "word": "ä%:", "price": "1.50", "at": "2024-02-29T12:30:15.125000", "b": b"raw", "yes": 1},
    ]
    before = observed(case)
    run("insert into t (id, word) values (7, 'new')")
    after = observed(case)
    assert (before.rows, after.rows) == (2, 3)
    assert before.digest != after.digest
    with pytest.raises(StepError) as caught:
        source_of(case, job_of(case, before, tmp_path / "late"))
    assert caught.value.kind == "source_changed"


WRITES = {
    "mysql": (
        "create function poke() returns int begin insert into t (id) values (99); return 1; end",
        "select poke() as id",
    ),
    "postgresql": (
        "create function poke() returns int language sql as 'insert into t (id) values (99) returning 1'",
        "select poke() as id",
    ),
}


def test_a_query_changes_nothing_be_it_through_a_function(server: Any, tmp_path: Path) -> None:
    function, query = WRITES[server.type]
    case, run = server_case(server, tmp_path, table="", query=query)
    run(function)
    said = objections(case).lower()
    assert "source_database: cannot read" in said
    assert "read only" in said or "read-only" in said


def test_a_second_statement_is_refused() -> None:
    given = {"dialect": "postgresql", "database": "d"}
    for attributes in (
        {"query": "select 1) as a; commit; delete from t; select * from (select 1"},
        {"table": "t", "version_query": "select 1; drop table t;"},
    ):
        with pytest.raises(ValueError, match="a semicolon would begin another statement"):
            Sql.model_validate({**given, **attributes})
    assert Sql.model_validate({**given, "query": "select 1;"}).query == "select 1;"


def test_the_password_is_nowhere_but_where_it_is_kept(server: Any, tmp_path: Path) -> None:
    case, _ = server_case(server, tmp_path)
    state = observed(case)
    assert PASSWORD not in repr(state)
    source = source_of(case, job_of(case, state, tmp_path / "job"))
    assert PASSWORD not in repr(source)
    (tmp_path / "password").write_text("wrong")
    said = objections(case)
    assert "source_database: cannot read " in said
    assert "wrong" not in said.replace(str(tmp_path), "")
    (tmp_path / "password").unlink()
    assert "cannot read the password from file" not in objections(case)
    assert "cannot read the password from password: No such file" in objections(case)


def test_a_server_that_goes_away_in_the_middle(server: Any, tmp_path: Path) -> None:
    case, run = server_case(server, tmp_path)
    run("insert into t (id) values " + ", ".join(f"({at})" for at in range(30_000)))
    source = source_of(case, job_of(case, observed(case), tmp_path / "job"))
    batches = source.read(0)
    next(batches)
    server.stop()
    try:
        for rows in (batches, source.read(0)):
            with pytest.raises(StepError) as caught:
                list(rows)
            assert caught.value.kind == "source_changed"
            assert "cannot read" in caught.value.message
    finally:
        server.start()
    assert observed(case).rows == 30_002
