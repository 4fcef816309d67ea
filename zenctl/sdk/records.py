"""TFRecord framing: length, masked CRC-32C of the length, data, masked CRC-32C of the data, for every record.

The format is TensorFlow's: an 8-byte little-endian length, a 4-byte masked checksum of these 8 bytes, the data, and a
4-byte masked checksum of the data. Checksums of one record cost one call into C; everything around them is vectorised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Iterator, Sequence, Tuple

import google_crc32c
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER = 12
"""Bytes before a record's data."""
FOOTER = 4
"""Bytes after a record's data."""
PADDING = 32
"""Zero bytes after the last record of a block, so that a decoder may look a few bytes ahead of it."""
MAX_RECORD = 1 << 40
"""A length beyond this is damage, not data."""

_MASK_DELTA = np.uint32(0xA282EAD8)


class CorruptRecords(Exception):
    """The bytes are not TFRecords. `offset` is the place of the bad record in its file, `record` its number from 0."""

    def __init__(self, message: str, *, offset: int, record: int) -> None:
        super().__init__(f"{message} (record {record}, byte {offset})")
        self.offset = offset
        self.record = record


def mask(checksums: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """TensorFlow's mask of CRC-32C values, so that data which holds checksums does not weaken them."""
    return np.asarray(((checksums >> np.uint32(15)) | (checksums << np.uint32(17))) + _MASK_DELTA, dtype=np.uint32)


def length_checksums(lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Masked checksum of each length; computed once for each distinct length, of which there are few."""
    distinct, places = np.unique(lengths, return_inverse=True)
    raw = distinct.astype("<u8").tobytes()
    value = google_crc32c.value
    found = [value(raw[i : i + 8]) for i in range(0, len(raw), 8)]
    return np.asarray(mask(np.array(found, dtype=np.uint32))[places.reshape(-1)], dtype=np.uint32)


def data_checksums(data: bytes, starts: Sequence[int], ends: Sequence[int]) -> NDArray[np.uint32]:
    """Masked checksum of each stretch `data[start:end]`. Lists of Python integers are fastest."""
    value = google_crc32c.value
    found = [value(data[start:end]) for start, end in zip(starts, ends)]  # noqa: B905 - Python 3.9
    return mask(np.array(found, dtype=np.uint32))


def write_record(stream: BinaryIO, data: bytes) -> None:
    """Write one record. For many rows use `examples_encode.encode`, which is a hundred times faster."""
    size = np.array([len(data)], dtype=np.int64)
    stream.write(size.astype("<u8").tobytes() + length_checksums(size).astype("<u4").tobytes())
    stream.write(data + data_checksums(data, [0], [len(data)]).astype("<u4").tobytes())


def read_blocks(
    stream: BinaryIO, *, max_records: int, block_bytes: int = 8 << 20, verify: bool = True
) -> Iterator[Tuple[bytes, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield `(data, starts, ends)` of up to `max_records` records: record i's content is `data[starts[i]:ends[i]]`.

    `data` ends with PADDING zero bytes. With `verify` both checksums of each record are compared. Raises
    CorruptRecords for wrong checksums, an impossible length, and a file that ends inside a record.
    """
    base, number, at = 0, 0, 0
    held = b""
    while True:
        starts, lengths, used = _scan(held, at, max_records, base, number)
        if not starts:
            # Reading at least as much again keeps the cost of a record that is larger than a block linear.
            chunk = stream.read(max(block_bytes, len(held) - at))
            if not chunk:
                if at < len(held):
                    raise CorruptRecords("the file ends inside a record", offset=base + at, record=number)
                return
            held, base, at = held[at:] + chunk, base + at, 0
            continue
        first = np.array(starts, dtype=np.int64) - at
        size = np.array(lengths, dtype=np.int64)
        data = held[at:used] + bytes(PADDING)
        if verify:
            _verify(data, first, size, base + at, number)
        yield data, first, first + size
        at = used
        number += len(starts)


def boundaries(data: bytes) -> Tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the contents of all records in `data`. Raises CorruptRecords."""
    starts, lengths, used = _scan(data, 0, len(data), 0, 0)
    if used != len(data):
        raise CorruptRecords("the file ends inside a record", offset=used, record=len(starts))
    first = np.array(starts, dtype=np.int64)
    return first, first + np.array(lengths, dtype=np.int64)


def _scan(data: bytes, position: int, limit: int, base: int, number: int) -> Tuple[list[int], list[int], int]:
    """Starts and lengths of the whole records in `data` from `position` on, at most `limit`, and where they end."""
    starts: list[int] = []
    lengths: list[int] = []
    end = len(data)
    from_bytes = int.from_bytes
    while len(starts) < limit and position + HEADER <= end:
        length = from_bytes(data[position : position + 8], "little")
        if length > MAX_RECORD:
            where = {"offset": base + position, "record": number + len(starts)}
            raise CorruptRecords(f"a record cannot have {length} bytes", **where)
        following = position + HEADER + length + FOOTER
        if following > end:
            break
        starts.append(position + HEADER)
        lengths.append(length)
        position = following
    return starts, lengths, position


def _verify(data: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64], base: int, number: int) -> None:
    raw = np.frombuffer(data, dtype=np.uint8)
    places = np.arange(4, dtype=np.int64)
    ends = starts + lengths
    of_length = raw[(starts - FOOTER)[:, None] + places].copy().view("<u4").reshape(-1)
    of_data = raw[ends[:, None] + places].copy().view("<u4").reshape(-1)
    wrong = of_length != length_checksums(lengths)
    if not wrong.any():
        wrong = of_data != data_checksums(data, starts.tolist(), ends.tolist())
    if wrong.any():
        bad = int(np.argmax(wrong))
        raise CorruptRecords("checksum mismatch", offset=base + int(starts[bad]) - HEADER, record=number + bad)
