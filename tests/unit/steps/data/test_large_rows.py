"""A row of 100 MB in each kind of text: read as it is, in memory that does not grow beyond some copies of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

MEBIBYTES = 100
AROUND = {
    "csv": (b"a,b\n1,2\n1,", b"\n3,4\n"),
    "jsonl": (b'{"a":"1"}\n{"a":"', b'"}\n{"a":"3"}\n'),
    "json": (b'[{"a":"1"},{"a":"', b'"},{"a":"3"}]'),
    "txt": (b"one\n", b"\nthree\n"),
}
PROGRAM = """
import sys
from pathlib import Path
from zenctl.steps.csv.schema import CSV, Csv
from zenctl.steps.data.testing import SourceCase, job_of, observed, run
from zenctl.steps.jsonl.schema import JSON, JSONL, Json, Jsonl
from zenctl.steps.text.schema import TEXT, Text

def most():
    # Not `ru_maxrss`, which a program takes over from whoever started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) >> 10

root, kind = Path(sys.argv[1]), sys.argv[2]
types = {"csv": (CSV, Csv), "jsonl": (JSONL, Jsonl), "json": (JSON, Json), "txt": (TEXT, Text)}
type, model = types[kind]
case = SourceCase(type, model(path=f"f.{kind}"), root, lambda: None, lambda: None)
state = observed(case)
planned = most()
job = job_of(case, state, root / "out")
run(case, job)
job.outputs["data"].close()
print(job.outputs["data"].rows, planned, most())
"""


@pytest.mark.parametrize("kind", AROUND)
def test_a_large_row_is_read(tmp_path: Path, kind: str) -> None:
    before, after = AROUND[kind]
    (tmp_path / f"f.{kind}").write_bytes(before + b"x" * (MEBIBYTES << 20) + after)
    words = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path), kind]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    rows, planned, most = map(int, done.stdout.split())
    print(f"\n{kind}: plan {planned} MiB, snapshot {most} MiB", end="")
    assert rows == 3
    assert planned < 250
    assert most < 1024
