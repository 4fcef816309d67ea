"""Turns an Arrow record batch into framed tf.train.Example records, without a Python call per cell.

Every row becomes the bytes that protobuf's deterministic serialisation gives for the Example with one value per
feature, keys in the order of their UTF-8 bytes, null = feature absent. (Python's protobuf deviates from C++ and Java
in one point: it writes a key before its own prefixes, "ab" before "a". This module does as C++ does.)

The work is done by column. All fields of bounded size (tags, lengths, keys, numbers) of a run of columns go into one
matrix of bytes, one row per record, with a second matrix that says which of them are used; compressing the first by
the second gives the bytes of all rows at once. String values are glued in between by Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.records import FOOTER, HEADER, boundaries, data_checksums, length_checksums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Size = Union[int, NDArray[np.int64]]

CHUNK_ROWS = 8192
"""Rows encoded at a time: the matrices of that many rows stay in the processor's cache."""


@dataclass(frozen=True)
class Encoded:
    """Framed records. Record i is `data[offsets[i]:offsets[i + 1]]`; `checksums[i]` is its data's masked CRC-32C."""

    data: bytes
    offsets: NDArray[np.int64]
    checksums: NDArray[np.uint32]

    @property
    def rows(self) -> int:
        return len(self.checksums)

    @classmethod
    def from_records(cls, data: bytes) -> Encoded:
        """Framed records as they stand in a file. Raises CorruptRecords."""
        starts, ends = boundaries(data)
        places = ends[:, None] + np.arange(FOOTER)
        checksums = np.frombuffer(data, dtype=np.uint8)[places].copy().view("<u4").reshape(-1)
        return cls(data, np.concatenate([starts - HEADER, [len(data)]]), checksums)


@dataclass
class _Field:
    """`width` bytes of each row: either the same for all (`constant`) or a matrix, of which `used` says what counts."""

    width: int
    constant: bytes = b""
    matrix: Optional[NDArray[np.uint8]] = None
    used: Optional[NDArray[np.bool_]] = None


@dataclass
class _Column:
    """One feature of every row: fields, then perhaps a string value. `size` is in bytes, before nulls are left out."""

    fields: List[_Field]
    size: Size
    present: Optional[NDArray[np.bool_]]
    value: Any = None


def encode(batch: pa.RecordBatch) -> Encoded:
    """Encode a batch whose columns are int64, float32, binary, string or their large forms; names in any order."""
    parts = [_encode_chunk(batch.slice(at, CHUNK_ROWS)) for at in range(0, batch.num_rows, CHUNK_ROWS)]
    if len(parts) == 1:
        return parts[0]
    sizes = [np.diff(part.offsets) for part in parts]
    offsets = np.zeros(batch.num_rows + 1, dtype=np.int64)
    if parts:
        np.cumsum(np.concatenate(sizes), out=offsets[1:])
    checksums = np.concatenate([part.checksums for part in parts]) if parts else np.zeros(0, dtype=np.uint32)
    return Encoded(b"".join(part.data for part in parts), offsets, checksums)


def _encode_chunk(batch: pa.RecordBatch) -> Encoded:
    rows = batch.num_rows
    keyed = sorted((name.encode("utf-8"), index) for index, name in enumerate(batch.schema.names))
    arrays = [(key, batch.column(index)) for key, index in keyed]
    columns = [_column(key, array) for key, array in arrays if array.null_count < rows]
    features = np.zeros(rows, dtype=np.int64)
    for column in columns:
        features += column.size if column.present is None else np.where(column.present, column.size, 0)
    outer, outer_size = _varint(features)
    lengths = features + 1 + outer_size
    frame = np.empty((rows, HEADER), dtype=np.uint8)
    frame[:, :8] = lengths.astype("<u8").view(np.uint8).reshape(rows, 8)
    frame[:, 8:] = length_checksums(lengths).astype("<u4").view(np.uint8).reshape(rows, 4)
    head = [_Field(HEADER, matrix=frame), _Field(1, constant=b"\x0a"), outer]
    data = _assemble(rows, head, columns)
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(lengths + (HEADER + FOOTER), out=offsets[1:])
    ends = offsets[1:] - FOOTER
    checksums = data_checksums(data, (offsets[:-1] + HEADER).tolist(), ends.tolist())
    whole = np.frombuffer(bytearray(data), dtype=np.uint8)
    whole[ends[:, None] + np.arange(FOOTER)] = checksums.astype("<u4").view(np.uint8).reshape(rows, FOOTER)
    return Encoded(whole.tobytes(), offsets, checksums)


def _assemble(rows: int, head: List[_Field], columns: List[_Column]) -> bytes:
    """The bytes of all rows, with zeros where the checksum of the data belongs."""
    pieces: List[Any] = []
    run: List[Tuple[List[_Field], Optional[NDArray[np.bool_]]]] = [(head, None)]
    for column in columns:
        run.append((column.fields, column.present))
        if column.value is not None:
            pieces += [_compress(rows, run), column.value]
            run = []
    run.append(([_Field(FOOTER, constant=bytes(FOOTER))], None))
    last = _compress(rows, run)
    if not pieces:
        return last[1].tobytes()
    arrays = [_binary(*piece) if isinstance(piece, tuple) else piece for piece in [*pieces, last]]
    joined = pc.binary_join_element_wise(
        *arrays, pa.scalar(b"", pa.large_binary()), null_handling="replace", null_replacement=b""
    )
    return bytes(joined.buffers()[2].to_pybytes())


def _compress(
    rows: int, run: List[Tuple[List[_Field], Optional[NDArray[np.bool_]]]]
) -> Tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Offsets and bytes of a run of fields, row after row."""
    template = b"".join(f.constant if f.matrix is None else bytes(f.width) for fields, _ in run for f in fields)
    width = len(template)
    matrix = np.empty((rows, width), dtype=np.uint8)
    matrix[:] = np.frombuffer(template, dtype=np.uint8)
    used: Optional[NDArray[np.bool_]] = None
    at = 0
    for fields, present in run:
        begin = at
        for field in fields:
            if field.matrix is not None:
                matrix[:, at : at + field.width] = field.matrix
            if field.used is not None:
                used = np.ones((rows, width), dtype=np.bool_) if used is None else used
                used[:, at : at + field.width] = field.used
            at += field.width
        if present is not None:
            used = np.ones((rows, width), dtype=np.bool_) if used is None else used
            used[:, begin:at] &= present[:, None]
    offsets = np.zeros(rows + 1, dtype=np.int64)
    if used is None:
        np.cumsum(np.full(rows, width, dtype=np.int64), out=offsets[1:])
        return offsets, matrix.reshape(-1)
    np.cumsum(np.count_nonzero(used, axis=1), out=offsets[1:])
    return offsets, matrix[used]


def _binary(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> Any:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def _column(key: bytes, array: Any) -> _Column:
    present = None if array.null_count == 0 else np.asarray(array.is_valid().to_numpy(zero_copy_only=False))
    kind = array.type
    if kind == pa.int64():
        return _int_column(key, array.fill_null(0).to_numpy(zero_copy_only=False), present)
    if kind == pa.float32():
        return _float_column(key, array.fill_null(0).to_numpy(zero_copy_only=False), present)
    return _bytes_column(key, array.cast(pa.large_binary()), present)


def _int_column(key: bytes, values: NDArray[np.int64], present: Optional[NDArray[np.bool_]]) -> _Column:
    value, size = _varint(values)
    lengths, total = _lengths(key, 0x1A, size)
    return _Column([*lengths, value], total, present)


def _float_column(key: bytes, values: NDArray[np.float32], present: Optional[NDArray[np.bool_]]) -> _Column:
    lengths, total = _lengths(key, 0x12, 4)
    raw = np.ascontiguousarray(values, dtype="<f4").view(np.uint8).reshape(len(values), 4)
    return _Column([*lengths, _Field(4, matrix=raw)], total, present)


def _bytes_column(key: bytes, array: Any, present: Optional[NDArray[np.bool_]]) -> _Column:
    raw = np.frombuffer(array.buffers()[1], dtype=np.int64)
    size = np.diff(raw[array.offset : array.offset + len(array) + 1])
    if present is not None:
        # A null's slot may hold bytes; they are not written, and must not widen the lengths either.
        size = np.where(present, size, 0)
    lengths, total = _lengths(key, 0x0A, size)
    return _Column(lengths, total, present, value=array)


def _lengths(key: bytes, tag: int, size: Size) -> Tuple[List[_Field], Size]:
    """Everything before a value of `size` bytes: map entry, key, feature, list, value; and the size of the whole."""
    named = b"\x0a" + _varint_bytes(len(key)) + key + b"\x12"
    value, value_size = _length(size)
    in_list = size + value_size + 1
    listed, listed_size = _length(in_list)
    in_feature = in_list + listed_size + 1
    feature, feature_size = _length(in_feature)
    in_entry = in_feature + feature_size + len(named)
    entry, entry_size = _length(in_entry)
    fields = [_constant(b"\x0a"), entry, _constant(named), feature, _constant(bytes([tag])), listed]
    return [*fields, _constant(b"\x0a"), value], in_entry + entry_size + 1


def _constant(data: bytes) -> _Field:
    return _Field(len(data), constant=data)


def _length(size: Size) -> Tuple[_Field, Size]:
    """A length as varint: a constant where all rows have the same."""
    if isinstance(size, np.ndarray):
        if len(size) and int(size.min()) != int(size.max()):
            return _varint(size)
        size = int(size[0]) if len(size) else 0
    text = _varint_bytes(size)
    return _constant(text), len(text)


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(values: NDArray[np.int64]) -> Tuple[_Field, Size]:
    """Varints of 64-bit values (negative ones in two's complement, ten bytes) and their sizes."""
    unsigned = values.view(np.uint64)
    top = int(unsigned.max()) if len(unsigned) else 0
    width = max(1, (top.bit_length() + 6) // 7)
    if width == 1:
        return _Field(1, matrix=unsigned.astype(np.uint8)[:, None]), 1
    if top < 1 << 32:
        narrow = unsigned.astype(np.uint32)
        return _wide_varint(narrow, width)
    return _wide_varint(unsigned, width)


def _wide_varint(values: NDArray[Any], width: int) -> Tuple[_Field, Size]:
    rows = len(values)
    matrix = np.empty((rows, width), dtype=np.uint8)
    used = np.ones((rows, width), dtype=np.bool_)
    size = np.ones(rows, dtype=np.int64)
    rest = values
    for at in range(width - 1):
        following = rest >> values.dtype.type(7)
        more = following != 0
        matrix[:, at] = (rest.astype(np.uint8) & np.uint8(0x7F)) | (more.view(np.uint8) << np.uint8(7))
        used[:, at + 1] = more
        size += more
        rest = following
    matrix[:, width - 1] = rest.astype(np.uint8)
    if bool(used.all()):
        return _Field(width, matrix=matrix), width
    return _Field(width, matrix=matrix, used=used), size
