"""Remembers what was seen of data files while they stay the same, so that plan need not read them again."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.lazy_dataclasses import dataclass

FORMAT = 1
"""Version of the cache file's form; another one is not read."""

SETTLE_NS = 2_000_000_000
"""A file changed this shortly before it is looked at may change again without its time showing it (as in git)."""

MAX_ENTRIES = 10_000

MAX_KEPT = 64
"""Most sources whose rows are kept; the oldest go first."""

_ROW = 12
"""Bytes of one row in what `keep_rows` takes: 8 of its digest, 4 of its length."""


@dataclass(frozen=True, slots=True)
class RowsDifference:
    """How two sources differ, row by row. A row that goes where another comes counts as changed, as rows have no keys.

    Bytes are those of the rows that came, and of those that went, changed ones included.
    """

    added: int
    removed: int
    changed: int
    bytes_added: int
    bytes_removed: int


def rows_difference(before: bytes, after: bytes) -> RowsDifference:
    """Compare the rows that `keep_rows` was given of two sources; their order does not count."""
    old, new = _counted(before), _counted(after)
    gone, come = old - new, new - old
    changed = min(gone.total(), come.total())
    lost, won = (sum(int.from_bytes(row[8:], "big") * n for row, n in rows.items()) for rows in (gone, come))
    return RowsDifference(come.total() - changed, gone.total() - changed, changed, won, lost)


def _counted(rows: bytes) -> Counter[bytes]:
    return Counter(rows[at : at + _ROW] for at in range(0, len(rows), _ROW))


class FileCache:
    """Remembers facts about files in one JSON file; losing it, or damage to it, costs only time.

    A file is known by its path, size, times (modification and inode change) and inode number. What changed less than
    two seconds before the cache was opened is never remembered, so facts are always about the content at the time.
    Implements `zenctl.schema.SourceCache`. Nothing is written before `save`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened_ns = time.time_ns()
        self._entries: dict[str, dict[str, Any]] = _load(path)
        self._used: set[str] = set()
        self._changed = False

    def get(self, path: Path) -> Mapping[str, Any] | None:
        """What was put for the file as it is now, or None."""
        key = os.path.abspath(path)
        entry = self._entries.get(key)
        if entry is None or entry.get("stamp") != self._stamp(key):
            return None
        self._used.add(key)
        facts = entry.get("facts")
        return facts if isinstance(facts, dict) else None

    def put(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Remember plain JSON facts about the file as it is now, seen since the cache was opened."""
        key = os.path.abspath(path)
        stamp = self._stamp(key)
        if stamp is None:
            self._changed |= self._entries.pop(key, None) is not None
            return
        self._entries[key] = {"stamp": stamp, "facts": dict(facts)}
        self._used.add(key)
        self._changed = True

    def get_object(self, uri: str, version: str) -> Mapping[str, Any] | None:
        """What was put for this version of an object of a bucket, or None."""
        entry = self._entries.get(uri)
        if entry is None or entry.get("stamp") != version:
            return None
        self._used.add(uri)
        facts = entry.get("facts")
        return facts if isinstance(facts, dict) else None

    def put_object(self, uri: str, version: str, facts: Mapping[str, Any]) -> None:
        """Remember plain JSON facts about this version of an object: it never becomes another."""
        self._entries[uri] = {"stamp": version, "facts": dict(facts)}
        self._used.add(uri)
        self._changed = True

    def keep_rows(self, digest: str, form: str, rows: bytes) -> None:
        """Keep a source's rows beside the cache; a folder that cannot be written to is left alone."""
        path = self._rows_path(digest, form)
        if not path.exists():
            keep_file(path, rows, MAX_KEPT)

    def difference(self, before: str, after: str, form: str = "") -> RowsDifference | None:
        """How two sources differ row by row, read in a form, or any; None where the rows of one are not known here."""
        if not form:
            kept = self._path.parent / "rows"
            forms = {path.name[len(before) + 1 :] for path in kept.glob(f"{before}-*")} if before else set()
            found = (self.difference(before, after, one) for one in sorted(forms))
            return next((difference for difference in found if difference is not None), None)
        try:
            rows = [self._rows_path(digest, form).read_bytes() for digest in (before, after)]
        except OSError:
            return None
        return rows_difference(rows[0], rows[1])

    def _rows_path(self, digest: str, form: str) -> Path:
        return self._path.parent / "rows" / f"{digest}-{form}"

    def save(self) -> None:
        """Write the cache, whole or not at all; a folder that cannot be written to is left alone."""
        if not self._changed:
            return
        entries = self._entries
        if len(entries) > MAX_ENTRIES:
            entries = {key: entry for key, entry in entries.items() if key in self._used}
        text = json.dumps({"format": FORMAT, "files": entries}, sort_keys=True)
        try:
            replace_file(self._path, text.encode())
        except OSError:
            # Plan must work in a read-only checkout.
            return
        self._changed = False

    def _stamp(self, key: str) -> list[int] | None:
        """What a file is known by; None if it is not there or changed too recently."""
        try:
            found = os.stat(key)
        except OSError:
            return None
        if max(found.st_mtime_ns, found.st_ctime_ns) > self._opened_ns - SETTLE_NS:
            return None
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def keep_file(path: Path, data: bytes, most: int) -> None:
    """Write a file of a cache folder, and remove the oldest of more than `most`; a read-only folder is left alone."""
    try:
        replace_file(path, data)
        kept = sorted(path.parent.iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
        for old in kept[:-most]:
            old.unlink(missing_ok=True)
    except OSError:
        # Plan must work in a read-only checkout, and beside another plan.
        return


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in place at once, so that a reader sees the old or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _load(path: Path) -> dict[str, dict[str, Any]]:
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict) or raw.get("format") != FORMAT or not isinstance(raw.get("files"), dict):
        return {}
    return {key: entry for key, entry in raw["files"].items() if isinstance(entry, dict)}
