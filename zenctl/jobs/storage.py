"""Storage: the few things zenctl asks of a place that keeps artifacts, and the local folder that does them."""

from __future__ import annotations

import errno
import os
import stat as stat_module
import tempfile
from pathlib import Path
from typing import (
    Any,
    BinaryIO,
    Callable,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Protocol,
    TypeVar,
    Union,
    runtime_checkable,
)

from zenctl.lazy_dataclasses import dataclass

T = TypeVar("T")
R = TypeVar("R")

TEMPORARY = ".put-"
"""What the name of a file begins with that is not whole yet."""


class StorageError(Exception):
    """The store refused. `kind` is NOT_FOUND, UNAUTHORIZED, NO_SPACE, TRANSIENT or INVALID.

    `hint` says what to do, where the store knows; `retry_after` are the seconds that it asks one to wait.
    """

    def __init__(self, kind: str, message: str, hint: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.hint = hint
        self.retry_after = retry_after

    @property
    def summary(self) -> str:
        """The error as a sentence about the store, without its article: what may pass is no refusal."""
        return f"artifact store {'failed' if self.kind == 'TRANSIENT' else 'refused'}: {self}"


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object: its path relative to the store, its size in bytes, and when it was written (Unix time)."""

    path: str
    size: int
    modified: float


class Storage(Protocol):
    """A place for immutable objects under relative POSIX paths. Every method may be repeated after a crash."""

    @property
    def uri(self) -> str:
        """Where it is, as a job reaches it: `file:///...`, `gs://bucket/prefix`."""
        ...

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        """A binary stream of the object's bytes from `offset`. StorageError(NOT_FOUND) if it is not there."""
        ...

    def put(self, path: str, source: Union[bytes, Path], *, overwrite: bool = False) -> bool:
        """Store bytes or a local file, all or nothing, durably. False if it is there already and was left as it is."""
        ...

    def stat(self, path: str) -> Optional[ObjectInfo]:
        """What is stored at the path, or None."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose path begins with `prefix`, sorted by path."""
        ...

    def delete(self, path: str) -> None:
        """Remove the object; one that is not there is success."""
        ...


@runtime_checkable
class Staged(Protocol):
    """What a Storage can do besides, if a write that was interrupted leaves something that `list` does not show."""

    def leftovers(self) -> Iterator[ObjectInfo]:
        """What interrupted writes left, and those that go on have; `delete` removes it by its path."""
        ...


@runtime_checkable
class Distant(Protocol):
    """What a Storage says besides if it is reached over a network: calls take long there, and need credentials."""

    @property
    def workers(self) -> int:
        """How many calls at a time pay off."""
        ...

    def access(self, credentials: bool) -> Mapping[str, Any]:
        """What a job must be told, besides the URI, to reach the store: plain JSON, see `stores.opening`.

        With `credentials` there are short-lived ones in it, for a job on this machine: never to be written anywhere.
        """
        ...


def each(storage: Storage, call: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The call's results in the order of the items; of a distant store several are under way at once.

    The first error ends it: what has not begun by then does not begin.
    """
    workers = storage.workers if isinstance(storage, Distant) else 1
    wanted = list(items)
    if workers == 1 or len(wanted) < 2:
        yield from map(call, wanted)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(workers, len(wanted)), thread_name_prefix="zenctl-store") as pool:
        try:
            yield from pool.map(call, wanted)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def check_path(path: str) -> str:
    """The path itself if it is a clean relative POSIX path that cannot leave its root; else StorageError(INVALID)."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or "\0" in path or any(p in ("", ".", "..") for p in parts):
        raise StorageError("INVALID", f"{path!r} is not a relative path inside the store")
    return path


class FolderStorage:
    """Artifacts in a folder of this machine. Objects are written beside their place, synced, and linked into it."""

    def __init__(self, root: Union[str, Path]) -> None:
        self.root = Path(root)

    @property
    def uri(self) -> str:
        return self.root.absolute().as_uri()

    def local_path(self, path: str) -> Path:
        """Where the object's bytes lie. Callers must not write there."""
        return self.root / check_path(path)

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        try:
            stream = open(self.local_path(path), "rb")  # noqa: SIM115 - the caller closes it
        except IsADirectoryError as error:
            raise StorageError("NOT_FOUND", f"{path} is a folder, not an object") from error
        except OSError as error:
            raise _storage_error(error, path) from error
        stream.seek(offset)
        return stream

    def put(self, path: str, source: Union[bytes, Path], *, overwrite: bool = False) -> bool:
        target = self.local_path(path)
        if not overwrite and os.path.lexists(target):
            return False
        temporary = ""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=target.parent)
            with os.fdopen(handle, "wb") as stream:
                if isinstance(source, bytes):
                    stream.write(source)
                else:
                    with open(source, "rb") as reader:
                        _copy(reader, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o444)
            if overwrite or not _link(temporary, target):
                os.replace(temporary, target)
                temporary = ""
            _sync_folder(target.parent)
            return True
        except FileExistsError:
            if os.path.lexists(target):
                return False
            raise StorageError("INVALID", f"{path} would lie under an object") from None
        except OSError as error:
            raise _storage_error(error, path) from error
        finally:
            if temporary:
                os.unlink(temporary)

    def stat(self, path: str) -> Optional[ObjectInfo]:
        try:
            found = os.stat(self.local_path(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _storage_error(error, path) from error
        return ObjectInfo(path, found.st_size, found.st_mtime) if stat_module.S_ISREG(found.st_mode) else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(self._found(prefix, temporary=False))

    def leftovers(self) -> Iterator[ObjectInfo]:
        return iter(self._found("", temporary=True))

    def _found(self, prefix: str, *, temporary: bool) -> List[ObjectInfo]:
        parent = prefix.rpartition("/")[0]
        folder = self.root / (check_path(parent) if parent else "")
        found = []
        for where, _, names in os.walk(folder):
            for name in names:
                path = Path(where, name).relative_to(self.root).as_posix()
                if path.startswith(prefix) and name.startswith(TEMPORARY) is temporary:
                    info = self.stat(path)
                    if info:
                        found.append(info)
        return sorted(found, key=lambda info: info.path)

    def delete(self, path: str) -> None:
        try:
            self.local_path(path).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _storage_error(error, path) from error


def _link(source: str, target: Path) -> bool:
    """Give the file its name only if the name is free (FileExistsError); False where there are no hard links."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        return False
    return True


def _copy(reader: BinaryIO, writer: BinaryIO) -> None:
    while True:
        chunk = reader.read(1 << 20)
        if not chunk:
            return
        writer.write(chunk)


def _sync_folder(folder: Path) -> None:
    # The directory entry itself must survive a power cut, else a recorded artifact could be gone after one.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _storage_error(error: OSError, path: str) -> StorageError:
    kinds = {
        errno.ENOENT: "NOT_FOUND",
        errno.ENOTDIR: "NOT_FOUND",
        errno.EACCES: "UNAUTHORIZED",
        errno.EPERM: "UNAUTHORIZED",
        errno.EROFS: "UNAUTHORIZED",
        errno.ENOSPC: "NO_SPACE",
        errno.EDQUOT: "NO_SPACE",
    }
    return StorageError(kinds.get(error.errno or 0, "TRANSIENT"), f"{path}: {error.strerror or error}")
