"""A bucket in memory, with versions and checksums as Google Cloud Storage gives them; it counts what is asked of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.checksums import google_checksum
from zenctl.jobs.stores.objects import Checksum, Found, ObjectStorage, Piece
from zenctl.jobs.stores.sources import Source


class MemoryBucket:
    """`objects` by key: content and version. `calls` are `list` for a page, and `read KEY START LENGTH`."""

    def __init__(self, uri: str = "gs://here", *, composite: bool = False) -> None:
        self._uri = uri
        self._composite = composite
        self._numbers = count(1)
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.calls: list[str] = []

    @property
    def uri(self) -> str:
        return self._uri

    @property
    def storage(self) -> ObjectStorage:
        return ObjectStorage(self)

    @property
    def bytes_read(self) -> int:
        return sum(int(call.split()[-1]) for call in self.calls if call.startswith("read"))

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data, str(next(self._numbers))

    def put_files(self, folder: Path, prefix: str = "") -> None:
        """All files of a folder, by their names below it."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(prefix + path.relative_to(folder).as_posix(), path.read_bytes())

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        self.calls.append(f"read {key} {start} {length}")
        if key not in self.objects or version not in ("", self.objects[key][1]):
            raise StorageError("NOT_FOUND", f"No such object: {key}")
        data, now = self.objects[key]
        checksum: Checksum | None = None
        return Piece(data[start : start + length], len(data), now, checksum)

    def head(self, key: str) -> Found | None:
        return self._listed(key) if key in self.objects else None

    def pages(self, prefix: str, most: int) -> Iterator[Sequence[Found]]:
        keys = sorted((key for key in self.objects if key.startswith(prefix)), key=lambda key: key.encode())
        for at in range(0, max(len(keys), 1), most):
            self.calls.append("list")
            yield [self._listed(key) for key in keys[at : at + most]]

    def create(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
        raise AssertionError("sources write nothing")

    def remove(self, key: str) -> None:
        del self.objects[key]

    def access(self, credentials: bool) -> Mapping[str, Any]:
        return {}

    def _listed(self, key: str) -> Found:
        data, version = self.objects[key]
        md5 = "" if self._composite else base64.b64encode(hashlib.md5(data).digest()).decode()
        return Found(key, len(data), 0.0, version, google_checksum(md5, "AAAAAA=="))
