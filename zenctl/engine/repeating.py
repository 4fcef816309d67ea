"""Compares what two runs of one job wrote, byte for byte, and says where they differ."""

from __future__ import annotations

from dataclasses import replace

from zenctl.digests import CHUNK
from zenctl.jobs.artifacts import TreeFile, blob_path, read_tree
from zenctl.jobs.result import JobError, JobResult
from zenctl.jobs.storage import Storage

MOST = 5
"""How many files that differ are named."""

HINT = (
    "What makes runs differ: a generator without a seed, the time, the order of a set or of a folder's files, threads. "
    "Mend that, or take `reproducible = true` away. Nothing of this run was recorded as a result."
)


def repeated(storage: Storage, first: JobResult, second: JobResult) -> JobResult:
    """The first result if the second wrote the same bytes, else a failed one that names the files."""
    if not second.ok:
        return replace(second, job_id=first.job_id)
    found = differences(storage, first, second)
    if not found:
        return first
    more = f"\n  and {len(found) - MOST} more" if len(found) > MOST else ""
    lines = "\n".join(f"  {line}" for line in found[:MOST])
    message = f"Two runs on the same inputs wrote other bytes:\n{lines}{more}"
    return replace(first, outputs={}, error=JobError("not_reproducible", message, hint=HINT))


def differences(storage: Storage, first: JobResult, second: JobResult) -> list[str]:
    """A line for each file of an output that differs between two results."""
    found = []
    for name in sorted(first.outputs.keys() | second.outputs.keys()):
        one, other = first.outputs.get(name), second.outputs.get(name)
        if one is None or other is None:
            found.append(f"{name}: written in one run only")
        elif one.digest != other.digest:
            files = {f.path: f for f in read_tree(storage, one.digest).files}
            others = {f.path: f for f in read_tree(storage, other.digest).files}
            found += [
                f"{name}: {path}: {_how(storage, files.get(path), others.get(path))}"
                for path in sorted(files.keys() | others.keys())
                if files.get(path) != others.get(path)
            ]
        elif one.properties != other.properties:
            found.append(f"{name}: the same files, but other values were logged")
    return found


def _how(storage: Storage, one: TreeFile | None, other: TreeFile | None) -> str:
    if one is None or other is None:
        return "written in one run only"
    if one.size != other.size:
        return f"{one.size:,} bytes in one run, {other.size:,} in the other"
    return f"{one.size:,} bytes, first difference at byte {_first_difference(storage, one, other):,}"


def _first_difference(storage: Storage, one: TreeFile, other: TreeFile) -> int:
    """The offset of the first byte that differs between two files of one size."""
    at = 0
    with storage.open(blob_path(one.sha256)) as left, storage.open(blob_path(other.sha256)) as right:
        while True:
            a, b = left.read(CHUNK), right.read(CHUNK)
            if a != b or not a:
                pairs = zip(a, b, strict=False)
                return at + next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
            at += len(a)
