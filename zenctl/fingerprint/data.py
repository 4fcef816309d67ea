"""Looks at data files cheaply: digest, size and CSV rows in one pass, and a cache of what was seen."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenctl.digests import CHUNK

FORMAT = 1
"""Version of the cache file's form; another one is not read."""

SETTLE_NS = 2_000_000_000
"""A file changed this shortly before it is looked at may change again without its time showing it (as in git)."""

MAX_ENTRIES = 10_000

_BLANK_LINE = b"\n\n"
_CONTENT = bytes(set(range(256)) - set(b'\n"'))
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file's content: digest, bytes, and records if it was read as CSV (the header not counted), else None."""

    digest: str
    bytes: int
    rows: int | None = None


def scan_file(path: Path, *, csv: bool = False, header: bool = True) -> FileFacts:
    """Read a file once. Raises OSError."""
    hasher = hashlib.sha256()
    counter = RowCounter() if csv else None
    size = 0
    with open(path, "rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            size += len(chunk)
            if counter is not None:
                counter.update(chunk)
    rows = None if counter is None else max(counter.finish() - int(header), 0)
    return FileFacts(hasher.hexdigest(), size, rows)


class RowCounter:
    """Counts the records of RFC 4180 text given in chunks of any size, without parsing it.

    A line end inside quotes belongs to its field; a doubled quote closes and opens again, which comes to the same.
    Lines end with LF, CRLF or CR; empty ones are no records; the last one needs no end.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._quoted = False
        self._open = False
        self._begun = False
        self._carry = b""

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""
        chunk = self._carry + chunk if self._carry else chunk
        self._carry = b""
        if not self._begun:
            if len(chunk) < len(_MARK) and _MARK.startswith(chunk):
                self._carry = chunk
                return
            self._begun = True
            # A byte order mark is no content of a first line that is empty otherwise.
            chunk = chunk[len(_MARK) :] if chunk.startswith(_MARK) else chunk
        if b"\r" in chunk:
            if chunk.endswith(b"\r"):
                # Its LF may come with the next chunk.
                chunk, self._carry = chunk[:-1], b"\r"
            if chunk.count(b"\r") == chunk.count(b"\r\n"):
                # The usual case; deleting is several times faster than replacing.
                chunk = chunk.translate(None, b"\r")
            else:
                chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._lines(chunk)

    def finish(self) -> int:
        """The number of records, the header's included."""
        self._begun = True
        self._lines(self._carry.replace(b"\r", b"\n"))
        self._carry = b""
        return self._rows + int(self._open)

    def _lines(self, text: bytes) -> None:
        if b'"' not in text:
            self._plain(text)
        elif _BLANK_LINE in text:
            for index, part in enumerate(text.split(b'"')):
                if index:
                    self._toggle()
                self._plain(part)
        else:
            self._dense(text)

    def _dense(self, text: bytes) -> None:
        """Text with quotes and no empty line inside: only line ends and quotes matter, pairs of quotes do not."""
        if text.startswith(b"\n") and not self._open and not self._quoted:
            self._rows -= 1
        skeleton = text.translate(None, _CONTENT)
        while b'""' in skeleton:
            skeleton = skeleton.replace(b'""', b"")
        for index, part in enumerate(skeleton.split(b'"')):
            if index:
                self._quoted = not self._quoted
            if not self._quoted:
                self._rows += len(part)
        self._open = self._quoted or not text.endswith(b"\n")

    def _toggle(self) -> None:
        self._quoted = not self._quoted
        self._open = True

    def _plain(self, text: bytes) -> None:
        """Text without quotes: its records are its line ends less those that end an empty line."""
        if self._quoted or not text:
            return
        while _BLANK_LINE in text:
            text = text.replace(_BLANK_LINE, b"\n")
        # What is left has no empty line but perhaps the first.
        self._rows += text.count(b"\n") - int(text.startswith(b"\n") and not self._open)
        self._open = not text.endswith(b"\n")


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
