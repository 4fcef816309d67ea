"""How checkpoints of a step lie in a store: content-addressed pieces, and numbered sets that list them, each put once.

`checkpoints/KEY/pieces/SHA256` is a part of a file, `checkpoints/KEY/sets/NUMBER-JOB.json` the files of one moment. A
job may read and create, and no more: a set is put when all of its pieces are there, so what is named is whole, and
nothing is ever written a second time. Only zenctl deletes.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple

from zenctl.digests import canonical_json, sha256_bytes, sha256_json
from zenctl.jobs.artifacts import folder_files
from zenctl.jobs.storage import ObjectInfo, Storage, StorageError, check_path, each
from zenctl.lazy_dataclasses import dataclass

CHECKPOINTS = "checkpoints/"
"""Where they lie."""

PIECE = 8 << 20
"""Most bytes of a piece. Of a large file that changes in places only the pieces that changed are sent."""

AT_ONCE = 8
"""Pieces that are fetched before they are written: what they take of memory is bounded so."""

KEPT = 2
"""Sets of each job that stay when older ones are pruned: the newest, and one for the case that it is damaged."""

Stamp = Tuple[int, int, int]


@dataclass(frozen=True)
class Piecemeal:
    """One file of a checkpoint: its POSIX path in the folder, bytes, and the digests of its pieces in order."""

    path: str
    size: int
    pieces: Tuple[str, ...]


@dataclass(frozen=True)
class CheckpointSet:
    """The files of one moment, by the job that saved them. Of two sets the one with the higher number is newer."""

    number: int
    job_id: str
    files: Tuple[Piecemeal, ...]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


class Moving(Exception):
    """A file changed while it was read: what was read is of no one moment."""


def checkpoint_key(project: str, workspace: str, fingerprint: str) -> str:
    """What attempts at one result have in common. Another workspace's checkpoints are never read: a checkpoint cannot
    be checked against its inputs, so whoever could write one there would decide what comes out here.
    """
    return sha256_json([project, workspace, fingerprint])


def key_of(path: str) -> str:
    """The key of the checkpoints that an object of the store belongs to."""
    return path[len(CHECKPOINTS) :].partition("/")[0]


def stamps(folder: Path) -> Dict[str, Stamp]:
    """What the system says of each file of a folder unread; StorageError for what is no file."""
    found: Dict[str, Stamp] = {}
    for name, path in folder_files(folder):
        try:
            seen = os.stat(path)
        except FileNotFoundError:
            continue
        found[name] = (seen.st_ino, seen.st_size, seen.st_mtime_ns)
    return found


def discard(storage: Storage, key: str) -> None:
    """Delete all checkpoints of a key: sets first, so that none is left that lacks a piece."""
    for part in ("sets/", "pieces/"):
        for info in storage.list(f"{CHECKPOINTS}{key}/{part}"):
            storage.delete(info.path)


class CheckpointStore:
    """The checkpoints of one key, as a job sees them. Every method may raise StorageError."""

    def __init__(self, storage: Storage, key: str, job_id: str) -> None:
        self._storage = storage
        self._base = f"{CHECKPOINTS}{key}/"
        self._job_id = job_id
        self._number = 0
        self._there: Dict[str, None] = {}

    def restore(self, target: Path) -> Optional[CheckpointSet]:
        """Lay the newest set that is whole out in an empty folder; None if there is none.

        A set that lacks a piece, or has another one than it names, is passed over for the next older one.
        """
        for info in self._sets():
            self._number = max(self._number, _number(info.path))
            found = self._read(info.path)
            if found is not None and self._fetch(found, target):
                self._there = dict.fromkeys(_pieces(found))
                return found
        _empty(target)
        return None

    def save(self, folder: Path) -> CheckpointSet:
        """Put the files of a folder as a new set. Moving if one of them changed meanwhile: nothing is kept then."""
        before = stamps(folder)
        files = tuple(each(self._storage, lambda name: self._put(name, folder / name), sorted(before)))
        if stamps(folder) != before:
            raise Moving(str(folder))
        self._number += 1
        made = CheckpointSet(self._number, self._job_id, files)
        listed = [{"path": f.path, "size": f.size, "pieces": list(f.pieces)} for f in files]
        data = canonical_json({"format": 1, "job_id": self._job_id, "files": listed})
        self._storage.put(f"{self._base}sets/{self._number:08d}-{self._job_id}.json", data)
        # What only an earlier set had may be pruned by now: it is looked for again.
        self._there = dict.fromkeys(_pieces(made))
        return made

    def prune(self) -> None:
        """Delete what is older than the newest sets of each job. For zenctl: a job itself may not.

        Pieces that no set names yet stay if they are younger than these: a job may be about to name them.
        """
        kept: Dict[str, List[ObjectInfo]] = {}
        old: List[ObjectInfo] = []
        for info in self._sets():
            mine = kept.setdefault(_job(info.path), [])
            (mine if len(mine) < KEPT else old).append(info)
        if not old:
            return
        named = {piece for several in kept.values() for info in several for piece in _pieces(self._read(info.path))}
        since = min(info.modified for several in kept.values() for info in several)
        for info in old:
            self._storage.delete(info.path)
        for info in self._storage.list(f"{self._base}pieces/"):
            if info.path.rpartition("/")[2] not in named and info.modified < since:
                self._storage.delete(info.path)

    def _sets(self) -> List[ObjectInfo]:
        """Newest first."""
        found = list(self._storage.list(f"{self._base}sets/"))
        return sorted(found, key=lambda info: (_number(info.path), info.modified), reverse=True)

    def _read(self, path: str) -> Optional[CheckpointSet]:
        """None for what is gone, or no set."""
        try:
            with self._storage.open(path) as stream:
                raw = json.loads(stream.read())
            files = [Piecemeal(check_path(f["path"]), int(f["size"]), tuple(f["pieces"])) for f in raw["files"]]
            return CheckpointSet(_number(path), str(raw["job_id"]), tuple(files)) if raw["format"] == 1 else None
        except StorageError as problem:
            if problem.kind not in ("NOT_FOUND", "INVALID"):
                raise
            return None
        except (ValueError, KeyError, TypeError):
            return None

    def _fetch(self, found: CheckpointSet, target: Path) -> bool:
        """Whether every file could be laid out as it was."""
        _empty(target)
        for file in found.files:
            place = target / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with open(place, "xb") as writer:
                for at in range(0, len(file.pieces), AT_ONCE):
                    for data in each(self._storage, self._piece, file.pieces[at : at + AT_ONCE]):
                        if data is None:
                            return False
                        writer.write(data)
            if place.stat().st_size != file.size:
                return False
        return True

    def _piece(self, digest: str) -> Optional[bytes]:
        try:
            with self._storage.open(f"{self._base}pieces/{digest}") as stream:
                data = stream.read()
        except StorageError as problem:
            if problem.kind != "NOT_FOUND":
                raise
            return None
        return data if sha256_bytes(data) == digest else None

    def _put(self, name: str, path: Path) -> Piecemeal:
        """What is put is what was hashed, whatever the code does to the file at the same time."""
        digests: List[str] = []
        size = 0
        try:
            with open(path, "rb") as reader:
                for data in _parts(reader):
                    digest = sha256_bytes(data)
                    if digest not in self._there:
                        self._storage.put(f"{self._base}pieces/{digest}", data)
                    digests.append(digest)
                    size += len(data)
        except FileNotFoundError as gone:
            raise Moving(name) from gone
        return Piecemeal(name, size, tuple(digests))


def _parts(reader: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: reader.read(PIECE), b"")


def _pieces(found: Optional[CheckpointSet]) -> List[str]:
    return [piece for file in found.files for piece in file.pieces] if found is not None else []


def _number(path: str) -> int:
    text = path.rpartition("/")[2].partition("-")[0]
    return int(text) if text.isdigit() else 0


def _job(path: str) -> str:
    return path.rpartition("/")[2].partition("-")[2]


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
