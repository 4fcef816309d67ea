"""Compares the source that a step's record keeps with the source that is planned, file by file, for people to read."""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence

from zenctl.addrs import Address
from zenctl.digests import sha256_bytes
from zenctl.fingerprint.code import Closure
from zenctl.jobs.artifacts import code_path
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.state import Recorded
from zenctl.plans.actions import Reason, ReasonCode
from zenctl.plans.plan import Change, CodeDiff

MAX_BYTES = 256 << 10
"""A larger file is not compared line by line: that could take minutes."""

_MOVED = "moved from "


class _NoSource(Exception):
    """There is no recorded source to compare with; the message says why."""


def code_diffs(
    changes: Sequence[Change],
    closures: Mapping[Address, Closure],
    results: Mapping[Address, Recorded],
    storage: Storage | None,
) -> dict[str, CodeDiff]:
    """By address, what changed in the source of every step whose code did. A store that fails is a note, no error."""
    archives: dict[str, Mapping[str, bytes]] = {}
    found = {}
    for change in changes:
        reason = next((r for r in change.reasons if r.code is ReasonCode.CODE_CHANGED), None)
        closure, recorded = closures.get(change.addr), results.get(change.addr)
        if reason is None or closure is None or recorded is None:
            continue
        try:
            before = _recorded_source(recorded, storage, archives)
            found[change.address] = _diff(reason, before, closure.sources)
        except _NoSource as problem:
            found[change.address] = CodeDiff(note=str(problem))
    return found


def recorded_code_diff(before: Recorded, after: Recorded, reason: Reason, storage: Storage | None) -> CodeDiff:
    """What changed in a step's source between two records; `reason` names the files that count."""
    try:
        archives: dict[str, Mapping[str, bytes]] = {}
        return _diff(reason, *(_recorded_source(recorded, storage, archives) for recorded in (before, after)))
    except _NoSource as problem:
        return CodeDiff(note=str(problem))


def _diff(reason: Reason, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> CodeDiff:
    parts = {
        path: text
        for former, path in _paths(reason, before, after)
        if (text := unified(former, path, before.get(former), after.get(path)))
    }
    return CodeDiff(parts)


def unified(former: str, path: str, before: bytes | None, after: bytes | None) -> str:
    """A file's unified diff, as `patch -p1` takes it; "" if nothing differs. None is for a file that is not there."""
    if before == after:
        return ""
    head = f"--- {f'old/{former}' if before is not None else '/dev/null'}\n"
    head += f"+++ {f'new/{path}' if after is not None else '/dev/null'}\n"
    old, new = _lines(before), _lines(after)
    if old is None or new is None:
        return f"{head}Binary files differ\n"
    if max(len(before or b""), len(after or b"")) > MAX_BYTES:
        return f"{head}Files differ; they are too large to be compared line by line\n"
    # The first two lines name the files, which is said already.
    rows = list(difflib.unified_diff(old, new, n=3))[2:]
    return head + "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def _recorded_source(
    recorded: Recorded, storage: Storage | None, archives: dict[str, Mapping[str, bytes]]
) -> Mapping[str, bytes]:
    digest = recorded.components.get("code", {}).get("archive", "")
    if not digest:
        raise _NoSource(f"the record of apply {recorded.serial} keeps no source: an older version of zenctl made it")
    if digest not in archives:
        archives[digest] = _read(digest, recorded, storage)
    return archives[digest]


def _read(digest: str, recorded: Recorded, storage: Storage | None) -> Mapping[str, bytes]:
    what = f"the source of apply {recorded.serial}"
    if storage is None:
        raise _NoSource(f"{what} is not at hand: there is no artifact store")
    try:
        with storage.open(code_path(digest)) as stream:
            data = stream.read()
    except StorageError as problem:
        gone = "is not in the artifact store any more" if problem.kind == "NOT_FOUND" else f"cannot be read: {problem}"
        raise _NoSource(f"{what} {gone}") from problem
    if sha256_bytes(data) != digest:
        raise _NoSource(f"{what} is damaged in the artifact store ({code_path(digest)})")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _paths(reason: Reason, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The files that count, each with the path it had; where the record does not tell them, all there are."""
    named: Mapping[str, Mapping[str, str]] = reason.data.get("definitions") or {}
    for path in sorted(named or before.keys() | after.keys()):
        how = named.get(path, {}).get("", "")
        yield (how[len(_MOVED) :] if how.startswith(_MOVED) else path), path


def _lines(data: bytes | None) -> list[str] | None:
    """The lines with their ends; None for what is no text."""
    try:
        text = (data or b"").decode()
    except UnicodeDecodeError:
        return None
    # Only a newline ends a line: `str.splitlines` would end it at form feeds and carriage returns too.
    return None if "\0" in text else list(io.StringIO(text, newline="\n"))
