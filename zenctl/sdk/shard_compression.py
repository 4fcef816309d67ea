"""Compresses shards, and reads them in the clear; what is compressed by one version of pyarrow has the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS = {"gzip": 6, "zstd": 3}


def compressed(data: bytes, kind: str) -> bytes:
    """The data as one gzip member, without time or name, or one Zstandard frame.

    By pyarrow's own copy of the libraries: that of a Python may be one of several, which give other bytes.
    """
    import pyarrow as pa

    return cast(bytes, pa.Codec(kind, _LEVELS[kind]).compress(data, asbytes=True))


def open_shard(path: Path, kind: str) -> BinaryIO:
    """The records of a shard as a stream, whatever it is compressed with. Raises OSError, also on reading damage."""
    if kind == "none":
        return open(path, "rb")
    import pyarrow as pa

    return cast(BinaryIO, pa.CompressedInputStream(pa.OSFile(str(path)), kind))


def records_of(path: Path, kind: str, block_bytes: int) -> "Any":
    """Yield arrays of the serialised records of a shard, for what cannot read its compression by itself."""
    import numpy as np

    from zenctl.sdk.records import read_blocks

    with open_shard(path, kind) as stream:
        for data, starts, ends in read_blocks(stream, max_records=8192, block_bytes=block_bytes, verify=False):
            found: NDArray[Any] = np.empty(len(starts), dtype=object)
            found[:] = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist())]  # noqa: B905
            yield found
