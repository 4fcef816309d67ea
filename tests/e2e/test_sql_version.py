"""An sql datasource with a version, through the command line: plan reads no rows, and says so in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.e2e.conftest import Project

CONFIGURATION = """
datasource "sql" "orders" {
  dialect       = "sqlite"
  database      = "shop.db"
  query         = "select id, word from orders"
  version_query = "select max(id) from orders"
}
"""


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_version_decides_whether_rows_are_read(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("main.zen.hcl", CONFIGURATION)
    execute(tmp_path / "shop.db", "create table orders (id integer, word text)", "insert into orders values (1, 'x')")
    said = project.ok("apply", "-auto-approve")
    assert "datasource.sql.orders: checked: its version" in said
    assert "[1 row" in said
    execute(tmp_path / "shop.db", "update orders set word = 'y'")
    assert "No changes" in project.ok("plan")
    execute(tmp_path / "shop.db", "insert into orders values (2, 'z')")
    said = project.ok("plan")
    assert "datasource.sql.orders will be read again" in said
    assert "data: content changed" in said
    assert "0 bytes" not in said
    execute(tmp_path / "shop.db", "drop table orders")
    assert "no such table: orders" in project.fails("plan")
