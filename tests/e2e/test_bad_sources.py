"""Sources that are bad in every way: told with file and row, all at once, and nothing of them is left behind."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.e2e.conftest import Project

GOOD_CSV = "n,word\n" + "".join(f"{at},w{at % 7}\n" for at in range(300))
GOOD_LINES = "".join(f'{{"n": {at}, "word": "w"}}\n' for at in range(300))


def parquet(*numbers: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": pa.array(numbers, pa.uint64())}), sink)
    return bytes(sink.getvalue())


PLAN = [
    # (type, file, its bytes, what plan says)
    ("csv", "cut.csv.gz", gzip.compress(GOOD_CSV.encode())[:-20], "cut.csv.gz: its gzip data is cut off"),
    ("jsonl", "cut.jsonl.gz", gzip.compress(GOOD_LINES.encode())[:-20], "cut.jsonl.gz: its gzip data is cut off"),
    ("text", "cut.txt.zst", zstandard.compress(GOOD_CSV.encode())[:-20], "its Zstandard data is cut off"),
    ("text", "more.txt.gz", gzip.compress(b"text\n") + b"more", "something that is no gzip follows its gzip data"),
    ("csv", "utf16.csv", GOOD_CSV.encode("utf-16"), "not a CSV file in UTF-8 but UTF-16"),
    ("jsonl", "utf16.jsonl", GOOD_LINES.encode("utf-16"), "not JSON lines in UTF-8 but UTF-16"),
    ("text", "nul.txt", b"text\0text\n", "binary: it holds NUL bytes"),
    ("csv", "nul.csv", b"n,\0\n1,2\n", "nul.csv:1: the first line holds NUL bytes"),
    ("parquet", "cut.parquet", parquet(1, 2)[:-5], "cut.parquet: "),
    ("json", "text.json", b"n,word\n", "text.json:1: not an array of objects"),
]

APPLY = [
    # (type, file, its bytes, attributes, what apply says)
    ("csv", "ragged.csv", GOOD_CSV.encode() + b"1,2,3\n", "", "ragged.csv:302 has 3 values instead of 2"),
    ("csv", "nul.csv", GOOD_CSV.encode() + b"1,a\0b\n", "", "nul.csv:302 holds a NUL byte"),
    ("csv", "latin.csv", GOOD_CSV.encode() + "1,é\n".encode("latin-1"), "", "latin.csv:302 is not UTF-8: byte 0xe9"),
    ("csv", "packed.csv.gz", gzip.compress(GOOD_CSV.encode() + b"1\n"), "", "packed.csv.gz:302 has 1 value"),
    (
        "csv",
        "typed.csv",
        GOOD_CSV.encode() + b"one,w\n",
        'types = { n = "int" }',
        """typed.csv:302: column "n" is declared as int, but holds 'one'""",
    ),
    ("jsonl", "mixed.jsonl", (GOOD_LINES + '{"n": "one"}').encode(), "", 'mixed.jsonl:301: "n" holds text here, but a'),
    ("jsonl", "nul.jsonl", GOOD_LINES.encode() + b'{"n": "\0"}', "", "nul.jsonl:301:"),
    ("jsonl", "latin.jsonl", GOOD_LINES.encode() + b'{"word": "\xe9"}', "", "latin.jsonl:301:"),
    ("json", "cut.json", json.dumps([{"n": at} for at in range(9)]).encode()[:-3], "", "cut off in element 9"),
    ("json", "twice.json", b'[{"n": 1},\n{"n": 2, "n": 3}]', "", "twice.json:2: element 2: the key"),
    ("text", "latin.txt", b"text\n" * 300 + b"\xe9\n", "", "latin.txt:301: not UTF-8: byte 0xe9"),
    ("text", "nul.txt", b"text\n" * 20_000 + b"a\0b\n", "", "nul.txt:20001: it holds a NUL byte"),
    ("parquet", "large.parquet", parquet(1, 2, 2**64 - 1), "", "large.parquet: row 3:"),
]


def blocks(sources: list[tuple[str, str, str]]) -> str:
    """A datasource for each type, file and further attributes."""
    texts = [
        f'datasource "{kind}" "{file.replace(".", "_")}" {{\n  path = "{file}"\n  {more}\n}}\n'
        for kind, file, more in sources
    ]
    return "".join(['zenctl { project = "bad" }\n', *texts])


def left_behind(project: Project) -> list[str]:
    """What apply must not leave: snapshots, and files of jobs."""
    home = project.root / ".zenctl"
    found = [*home.glob("artifacts/trees/**/*"), *home.glob("artifacts/blobs/**/*"), *home.glob("work/*")]
    return [str(path) for path in found if path.is_file()]


def test_plan_tells_all_at_once(project: Project) -> None:
    for _, file, data, _ in PLAN:
        (project.root / file).write_bytes(data)
    project.write("main.zen.hcl", blocks([(kind, file, "") for kind, file, _, _ in PLAN]))
    said = " ".join(project.fails("plan").replace("│", " ").split())
    for _, _, _, expected in PLAN:
        assert expected in said
    assert said.count("Error:") == len(PLAN)
    assert not left_behind(project)


def test_apply_tells_the_row_and_records_nothing(project: Project) -> None:
    for _, file, data, _, _ in APPLY:
        (project.root / file).write_bytes(data)
    project.write("main.zen.hcl", blocks([(kind, file, more) for kind, file, _, more, _ in APPLY]))
    said = " ".join(project.fails("apply", "-auto-approve").split())
    for _, _, _, _, expected in APPLY:
        assert expected in said
    assert said.count("Error:") == len(APPLY)
    assert f"{len(APPLY)} failed" in said
    assert project.ok("state", "list").strip() == ""
    assert not left_behind(project)


@pytest.mark.parametrize("policy", ["skip", "quarantine"])
def test_bad_rows_are_left_out_and_counted(project: Project, policy: str) -> None:
    (project.root / "f.csv.gz").write_bytes(gzip.compress(GOOD_CSV.encode() + b"1,2,3\nx,y\n"))
    more = f'bad_rows = "{policy}"\n  types = {{ n = "int" }}'
    outputs = 'output "left_out" { value = datasource.csv.f_csv_gz.quarantine.rows }\n'
    text = blocks([("csv", "f.csv.gz", more)]) + (outputs if policy == "quarantine" else "")
    project.write("main.zen.hcl", text)
    said = " ".join(project.ok("apply", "-auto-approve").split())
    assert "Warning: datasource.csv.f_csv_gz: 2 of 302 rows left out" in said
    assert "The first: f.csv.gz:302: has 3 values instead of 2: '1,2,3'." in said
    shown = " ".join(project.ok("state", "show", "datasource.csv.f_csv_gz").split())
    assert "bad_rows 2" in shown
    assert "2 of 302 rows left out" in shown
    project.ok("plan", "-detailed-exitcode")
    if policy == "quarantine":
        assert project.ok("output", "-raw", "left_out") == "2"
        files = [path for path in (project.root / ".zenctl/artifacts/blobs").glob("*/*") if path.stat().st_size < 400]
        kept = [path.read_text() for path in files if path.read_bytes().startswith(b'{"file": "f.csv.gz"')]
        assert [json.loads(line)["line"] for line in kept[0].splitlines()] == [302, 303]
    project.edit("main.zen.hcl", f'bad_rows = "{policy}"', f'bad_rows = "{policy}"\n  max_bad_rows = 1')
    assert "more than max_bad_rows = 1 rows are bad" in " ".join(project.fails("apply", "-auto-approve").split())


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder that everyone may enter, with files that only root may read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="locked-") as folder:
        os.chmod(folder, 0o755)
        for name, data in {
            "f.csv": GOOD_CSV.encode(),
            "f.jsonl": GOOD_LINES.encode(),
            "f.json": b"[{}]",
            "f.txt": b"text",
            "f.parquet": parquet(1),
            "f.tfrecord": b"",
        }.items():
            path = Path(folder, name)
            path.write_bytes(data)
            path.chmod(0o600)
        yield Path(folder)


DENIED = """
import os, sys
from pathlib import Path
from zenctl.diagnostics import DiagnosticError
from zenctl.steps.csv import observe as csv
from zenctl.steps.data.testing import MemoryCache
from zenctl.steps.jsonl import observe as jsonl, observe_json as json
from zenctl.steps.parquet import observe as parquet
from zenctl.steps.text import observe as text
from zenctl.steps.tfrecord import observe as tfrecord
from zenctl.steps.csv.schema import Csv
from zenctl.steps.jsonl.schema import Json, Jsonl
from zenctl.steps.parquet.schema import Parquet
from zenctl.steps.text.schema import Text
from zenctl.steps.tfrecord.schema import TfRecord

os.setgroups([])
os.setgid(65534)
os.setuid(65534)
kinds = [(csv, Csv, "csv"), (jsonl, Jsonl, "jsonl"), (json, Json, "json"), (text, Text, "txt")]
for module, model, ending in [*kinds, (parquet, Parquet, "parquet"), (tfrecord, TfRecord, "tfrecord")]:
    try:
        module.observe(model(path=f"f.{ending}"), Path(sys.argv[1]), MemoryCache())
    except DiagnosticError as problem:
        print(*(f"{found.code}: {found.summary}" for found in problem.diagnostics))
"""


def test_files_that_may_not_be_read(locked: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DENIED, str(locked)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    endings = ("csv", "jsonl", "json", "txt", "parquet", "tfrecord")
    expected = [f"source_unreadable: cannot read f.{ending}: permission denied" for ending in endings]
    assert done.stdout.splitlines() == expected
