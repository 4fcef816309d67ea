"""Datasources other than csv, through the command line: plan, apply, a change, and what is said of bad data."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Project
from zenctl.sdk.records import write_record

CONFIGURATION = """
datasource "parquet" "rows" { path = "rows.parquet" }
datasource "jsonl" "rows" { path = "rows.jsonl" }
datasource "tfrecord" "rows" { path = "rows.tfrecord" }
datasource "text" "rows" { path = "rows.txt" }
datasource "images" "rows" { path = "images" }
datasource "sql" "rows" {
  dialect   = "sqlite"
  database  = "rows.db"
  table     = "rows"
  partition = "n"
}

step "split" "rows" {
  inputs = { data = datasource.parquet.rows }
  ratio  = { train = 0.8, eval = 0.2 }
}
"""
EXAMPLE = bytes.fromhex("0a0b0a090a016e12041a020a00")
"""tf.train.Example with the feature n = [0]."""


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes([0, 7]))) + chunk(b"IEND", b"")


def write_parquet(root: Path, rows: int) -> None:
    pq.write_table(pa.table({"n": range(rows), "word": [f"w{at % 9}" for at in range(rows)]}), root / "rows.parquet")


def write_lines(root: Path, *lines: str) -> None:
    (root / "rows.jsonl").write_text("\n".join([*(json.dumps({"n": at}) for at in range(50)), *lines]) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("main.zen.hcl", CONFIGURATION)
    made.write("rows.txt", "one\n\ntwo\n")
    write_parquet(tmp_path, 100)
    write_lines(tmp_path)
    with open(tmp_path / "rows.tfrecord", "wb") as stream:
        for _ in range(30):
            write_record(stream, EXAMPLE)
    with closing(sqlite3.connect(tmp_path / "rows.db")) as database:
        database.executescript("create table rows (n integer, word text); insert into rows values (1, 'x'), (2, 'y');")
    (tmp_path / "images/cat").mkdir(parents=True)
    (tmp_path / "images/cat/a.png").write_bytes(png())
    return made


def test_every_kind_of_source_is_planned_read_and_up_to_date(project: Project) -> None:
    said = project.ok("apply", "-auto-approve")
    for kind, rows in {
        "parquet": "100",
        "jsonl": "50",
        "tfrecord": "30",
        "text": "2",
        "images": "1",
        "sql": "2",
    }.items():
        assert f"datasource.{kind}.rows: checked: {rows} row" in said
        assert f"[{rows} row" in said.split(f"datasource.{kind}.rows: ran in")[1].splitlines()[0]
    assert "No changes" in project.ok("plan")

    write_parquet(project.root, 120)
    write_lines(project.root, '{"n": 1.5, "new": "x"}')
    said = project.ok("plan")
    assert "datasource.parquet.rows will be read again" in said
    assert "100 -> 120 rows" in said
    assert "datasource.jsonl.rows will be read again" in said
    assert "50 -> 51 rows" in said
    assert "column new is new, column n: int -> float" in said
    assert "datasource.text.rows will be" not in said

    write_lines(project.root, '{"n": 1,}')
    said = project.fails("apply", "-auto-approve")
    assert "rows.jsonl:51:9: Expecting property name" in said
    assert "120 rows" in said


def test_plan_tells_what_is_wrong_with_files(project: Project) -> None:
    pq.write_table(pa.table({"n": [1], "tags": [["a"]]}), project.root / "rows.parquet")
    (project.root / "images/cat/b.png").write_bytes(png()[:30])
    (project.root / "rows.tfrecord").write_bytes((project.root / "rows.tfrecord").read_bytes()[:-3])
    (project.root / "rows.jsonl").write_text('[{"n": 1}]')
    said = project.fails("plan")
    assert 'rows.parquet: column "tags" holds lists, structs or maps' in said
    assert "images/cat/b.png: the PNG image is cut off" in said
    assert "rows.tfrecord: it is cut off in record 30" in said
    assert "rows.jsonl:1:1: not an object" in said
