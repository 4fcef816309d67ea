"""Reads a zip of unknown origin from memory: every name and size is checked before a byte of it is unpacked."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib

from zenctl.jobs.storage import StorageError, check_path

MAX_FILES = 100_000
"""Most entries that are read."""


class ZipProblem(Exception):
    """The zip is refused. `kind` is `damaged`, `too_large` or `unsafe`; the message says what is wrong with it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def members(data: bytes, limit: int) -> dict[str, bytes]:
    """The files of a zip by name, `limit` bytes at most; raises ZipProblem.

    Refused are names that lead out of the folder they would be unpacked to, links and other special files, two entries
    of one name, encrypted ones, more than MAX_FILES, and more than `limit` bytes. What the zip says of an entry's size
    bounds what is read of it, and its checksum must be right.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check(entries, limit)
            return {entry.filename: archive.read(entry) for entry in entries if not entry.is_dir()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as problem:
        raise ZipProblem("damaged", f"a part of it is damaged or missing ({problem})") from problem


def _check(entries: list[zipfile.ZipInfo], limit: int) -> None:
    if len(entries) > MAX_FILES:
        raise ZipProblem("too_large", f"it holds {len(entries):,} files, more than {MAX_FILES:,}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limit:
        raise ZipProblem("too_large", f"it unpacks to {unpacked:,} bytes, more than {limit:,}")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename[:-1] if entry.is_dir() else entry.filename
        try:
            check_path(name)
        except StorageError as problem:
            raise ZipProblem("unsafe", f"a path in it leads elsewhere: {entry.filename!r}") from problem
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ZipProblem("unsafe", f"{entry.filename!r} in it is a link or another special file")
        if entry.flag_bits & 0x1:
            raise ZipProblem("unsafe", f"{entry.filename!r} in it is encrypted")
        if name in seen:
            raise ZipProblem("unsafe", f"{entry.filename!r} is in it twice")
        seen.add(name)
