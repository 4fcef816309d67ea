"""Writes encoded records into shards that are cut at content-defined places, hashing as it goes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, List, Optional, Tuple

import numpy as np

from zenctl.sdk.examples_encode import Encoded
from zenctl.sdk.shard_compression import compressed
from zenctl.sdk.snapshot import Cutter, Manifest, Shard, shard_name


class ShardWriter:
    """Appends records to `folder/shards`; the division into calls of `append` does not show in the files.

    A shard that is known can be named instead of written, where one begins.
    """

    def __init__(self, folder: Path, cutter: Cutter, compression: str = "none") -> None:
        self._folder = folder
        self._cutter = cutter
        self._compression = compression
        self._shards: List[Shard] = []
        self._stream: Optional[BinaryIO] = None
        self._hasher = hashlib.sha256()
        self._rows = 0
        self._bytes = 0
        self.total_rows = 0
        (folder / "shards").mkdir(parents=True, exist_ok=True)

    @property
    def between(self) -> bool:
        """Whether the next record begins a shard."""
        return self._stream is None

    @property
    def shards(self) -> Tuple[Shard, ...]:
        """The shards that are finished."""
        return tuple(self._shards)

    def refer(self, shard: Shard) -> str:
        """Take a shard that lies elsewhere for the next one; gives its path in the artifact."""
        if not self.between:
            raise ValueError("a shard is open")
        self._shards.append(shard)
        self.total_rows += shard.rows
        return shard_name(len(self._shards) - 1, self._compression)

    def cut(self) -> None:
        """End the shard here."""
        self._finish_shard()

    def append(self, encoded: Encoded, start: int = 0, *, one: bool = False) -> int:
        """Add records in order, from number `start` on; with `one` up to where a shard ends at most.

        Gives the number of the first record that was not taken.
        """
        offsets = encoded.offsets
        sizes = np.diff(offsets)
        # checksum / 2**32 < size / mean, in whole numbers that stay below 2**63 for records up to 2 GiB.
        limit = np.minimum(sizes, self._cutter.mean) * ((1 << 32) // self._cutter.mean)
        cuts = np.flatnonzero(encoded.checksums.astype(np.int64) < limit) + 1
        at, rows = start, encoded.rows
        while at < rows:
            base = int(offsets[at]) - self._bytes
            first = int(np.searchsorted(offsets, base + self._cutter.minimum))
            later = cuts[np.searchsorted(cuts, max(first, at + 1)) :]
            wanted = int(later[0]) if len(later) else rows + 1
            most = int(np.searchsorted(offsets, base + self._cutter.maximum, side="right")) - 1
            if most <= at and self._bytes == 0:
                most = at + 1
            end = min(wanted, most, rows)
            if end > at:
                self._write(encoded.data[int(offsets[at]) : int(offsets[end])], end - at)
            whole = end in (wanted, at) or end == most < rows
            at = end
            if whole:
                self._finish_shard()
                if one:
                    break
        return at

    def close(self) -> Manifest:
        """Finish the last shard."""
        self._finish_shard()
        return Manifest(tuple(self._shards), self._compression)

    def abandon(self) -> None:
        """Close the open file; what was written is worthless."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write(self, data: bytes, rows: int) -> None:
        if self._stream is None:
            self._stream = open(self._folder / shard_name(len(self._shards)), "wb")  # noqa: SIM115
        self._stream.write(data)
        self._hasher.update(data)
        self._rows += rows
        self._bytes += len(data)
        self.total_rows += rows

    def _finish_shard(self) -> None:
        if self._stream is None:
            return
        self._stream.close()
        self._stream = None
        if self._compression == "none":
            self._shards.append(Shard(self._rows, self._bytes, self._hasher.hexdigest()))
        else:
            self._shards.append(self._compress())
        self._hasher = hashlib.sha256()
        self._rows = self._bytes = 0

    def _compress(self) -> Shard:
        """Put the compressed file in the place of the shard that was written; it fits into memory."""
        plain = self._folder / shard_name(len(self._shards))
        data = compressed(plain.read_bytes(), self._compression)
        plain.unlink()
        (self._folder / shard_name(len(self._shards), self._compression)).write_bytes(data)
        return Shard(self._rows, len(data), hashlib.sha256(data).hexdigest(), self._hasher.hexdigest())
