"""Reads every byte of stored artifacts, and says which objects are missing or not what their digest says."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from typing import cast

from zenctl.diagnostics import DiagnosticError, error
from zenctl.digests import CHUNK
from zenctl.jobs.artifacts import CorruptArtifact, Tree, blob_path, code_path, read_tree, tree_path
from zenctl.jobs.storage import Storage, StorageError
from zenctl.lazy_dataclasses import dataclass

CODE = "code"
"""What stands for the type of a code archive, which is no artifact of ML Metadata."""

WORKERS = min(16, 4 * (os.cpu_count() or 1))
"""Threads that read at once: hashing needs a core each, and a remote store more of them than there are cores."""

Told = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True)
class Named:
    """Something stored that records name: an artifact by its tree's digest, or a code archive by its own.

    `named_by` are outputs (`step.train.fit.model`), or inputs where no output of the scope is the same.
    """

    digest: str
    type: str
    named_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is, in bytes."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A stored object that is missing or corrupt. Sizes are in bytes; None is not known, or not there.

    `file` is its path in the artifact; empty for the list of the artifact's files itself.
    """

    kind: str
    artifact: Named
    file: str
    path: str
    expected_size: int | None
    found_size: int | None
    expected_digest: str
    found_digest: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read, and what is wrong with it. `bytes` are those of files; each object is read once.

    `removed` are the objects that were deleted because they are corrupt.
    """

    artifacts: int
    files: int
    bytes: int
    seconds: float
    faults: tuple[Fault, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not self.faults


@dataclass(frozen=True, slots=True)
class _Object:
    """One object to read, and every artifact and file that it is."""

    path: str
    digest: str
    size: int | None
    users: list[tuple[Named, str]] = field(default_factory=list, hash=False)


def verify(storage: Storage, named: Mapping[str, Named], told: Told) -> Verified:
    """Read all of it, several objects at once. `named` is by digest. Raises DiagnosticError if the store refuses."""
    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="zenctl-verify") as pool:
        try:
            trees = list(pool.map(lambda item: _tree(storage, item), named.values()))
            objects, faults = _objects(zip(named.values(), trees, strict=True))
            counted = _Counted(sum(_size(storage, item) for item in objects), told)
            found = list(pool.map(lambda item: _checked(storage, item, counted), objects))
        except StorageError as problem:
            summary = f"The artifact store cannot be read: {problem}"
            raise DiagnosticError(
                error("artifact_store", summary, problem.hint or "Check that it is reachable.")
            ) from problem
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    faults += [fault for several in found for fault in several]
    faults.sort(key=lambda fault: (fault.artifact.named_by, fault.file))
    return Verified(len(named), len(objects), counted.done, time.monotonic() - began, tuple(faults))


def remove_corrupt(storage: Storage, verified: Verified) -> Verified:
    """Delete what was proved to be corrupt: every later look finds it missing. Raises DiagnosticError."""
    paths = tuple(dict.fromkeys(fault.path for fault in verified.faults if fault.kind == "corrupt"))
    try:
        for path in paths:
            storage.delete(path)
    except StorageError as problem:
        summary = f"The {problem.summary}"
        raise DiagnosticError(
            error("artifact_store", summary, problem.hint or "Check that it may be written.")
        ) from problem
    return replace(verified, removed=paths)


class _Counted:
    """Adds up what several threads have read, and tells it."""

    def __init__(self, total: int, told: Told) -> None:
        self.done = 0
        self._total = total
        self._told = told
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.done += count
            self._told(Progress(self.done, self._total))


def _tree(storage: Storage, item: Named) -> Tree | Fault | None:
    """The files of an artifact, or what is wrong with their list; None for a code archive, which is one object."""
    if item.type == CODE:
        return None
    path = tree_path(item.digest)
    try:
        return read_tree(storage, item.digest)
    except CorruptArtifact as problem:
        size, digest = (None, None) if problem.missing else _read(storage, path, lambda _: None)
        return Fault("missing" if problem.missing else "corrupt", item, "", path, None, size, item.digest, digest)
    except OSError:
        # The disk gives an error instead of the bytes.
        return Fault("corrupt", item, "", path, None, None, item.digest, None)


def _objects(found: Iterator[tuple[Named, Tree | Fault | None]]) -> tuple[list[_Object], list[Fault]]:
    """Every object once, and the lists of files that are not to be trusted."""
    objects: dict[str, _Object] = {}
    faults = []
    for item, tree in found:
        if isinstance(tree, Fault):
            faults.append(tree)
            continue
        files = tree.files if tree is not None else ()
        wanted = [(_Object(blob_path(file.sha256), file.sha256, file.size), file.path) for file in files]
        if tree is None:
            wanted = [(_Object(code_path(item.digest), item.digest, None), "")]
        for stored, name in wanted:
            objects.setdefault(stored.path, stored).users.append((item, name))
    return list(objects.values()), faults


def _size(storage: Storage, item: _Object) -> int:
    """How much there is to read of an object."""
    there = storage.stat(item.path) if item.size is None else None
    return item.size or (there.size if there is not None else 0)


def _checked(storage: Storage, item: _Object, counted: _Counted) -> list[Fault]:
    """What is wrong with one object: a fault for each artifact that has it."""
    kind, size, digest = "corrupt", cast("int | None", None), cast("str | None", None)
    try:
        size, digest = _read(storage, item.path, counted.add)
    except StorageError as problem:
        if problem.kind != "NOT_FOUND":
            raise
        kind = "missing"
    except OSError:
        # The disk gives an error instead of the bytes.
        pass
    if digest == item.digest:
        return []
    return [Fault(kind, n, file, item.path, item.size, size, item.digest, digest) for n, file in item.users]


def _read(storage: Storage, path: str, count: Callable[[int], None]) -> tuple[int, str]:
    """Size and digest of what is stored."""
    hasher, size = hashlib.sha256(), 0
    with storage.open(path) as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            size += len(chunk)
            count(len(chunk))
    return size, hasher.hexdigest()
