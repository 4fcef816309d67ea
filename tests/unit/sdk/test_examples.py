"""The columnar codec gives what protobuf and TensorFlow give, and takes back what it gave."""

from __future__ import annotations

import io
import math
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenctl.sdk.examples_decode import ForeignLayout, decode
from zenctl.sdk.examples_encode import encode
from zenctl.sdk.records import CorruptRecords, read_blocks, write_record

INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 127, 128, -1, 2**63 - 1, -(2**63)])
FLOAT32 = st.floats(width=32) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e-45])
TEXT = st.text(max_size=20) | st.integers(0, 20_000).map(lambda n: "é" * n)
VALUES = {"int": INT64, "float": FLOAT32, "string": TEXT, "bytes": st.binary(max_size=300)}
ARROW = {"int": pa.int64(), "float": pa.float32(), "string": pa.string(), "bytes": pa.binary()}


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, str], pa.RecordBatch]:
    names = draw(st.lists(st.text(max_size=12) | st.just("k" * 200), min_size=1, max_size=5, unique=True))
    types = {name: draw(st.sampled_from(sorted(VALUES))) for name in names}
    rows = draw(st.integers(0, 6))
    arrays = []
    for type in types.values():
        values = draw(st.lists(st.none() | VALUES[type], min_size=rows, max_size=rows))
        arrays.append(pa.array(values, ARROW[type]))
    return types, pa.RecordBatch.from_arrays(arrays, names=list(types))


def straight(types: dict[str, str], batch: pa.RecordBatch) -> list[bytes]:
    """Each row as TensorFlow's own protobuf class serialises it, keys in order of their bytes.

    Python's protobuf (upb) puts a key before its own prefixes ("ab" before "a"); C++ and Java do not. So entries are
    serialised one by one where a key is another's prefix.
    """
    import tensorflow as tf

    keys = sorted(types, key=str.encode)
    plain = not any(later.startswith(key) for key, later in pairwise(keys))
    made = []
    for row in batch.to_pylist():
        example = tf.train.Example()
        entries = b""
        for name in keys:
            value = row[name]
            if value is None:
                continue
            feature = tf.train.Feature()
            if types[name] == "int":
                feature.int64_list.value.append(value)
            elif types[name] == "float":
                feature.float_list.value.append(value)
            else:
                feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
            entries += tf.train.Features(feature={name: feature}).SerializeToString()
            example.features.feature[name].CopyFrom(feature)
        example.features.SetInParent()
        if plain:
            made.append(example.SerializeToString(deterministic=True))
        else:
            record = tf.train.Example(features=tf.train.Features()).SerializeToString()[:1] + varint(len(entries))
            made.append(record + entries)
            assert tf.train.Example.FromString(made[-1]).SerializeToString(deterministic=True) == (
                example.SerializeToString(deterministic=True)
            )
    return made


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def contents(data: bytes) -> list[bytes]:
    found = []
    for block, starts, ends in read_blocks(io.BytesIO(data), max_records=3, block_bytes=64):
        found += [block[start:end] for start, end in zip(starts, ends, strict=True)]
    return found


def same(left: pa.Array, right: pa.Array) -> bool:
    if pa.types.is_floating(left.type):
        bits = [[None if v is None else struct.pack("<f", v) for v in side.to_pylist()] for side in (left, right)]
        return bits[0] == bits[1]
    return bool(left.equals(right))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_bytes_are_those_of_protobuf_and_decode_back(case: tuple[dict[str, str], pa.RecordBatch]) -> None:
    types, batch = case
    encoded = encode(batch)
    assert contents(encoded.data) == straight(types, batch)
    assert encoded.offsets[-1] == len(encoded.data)
    blocks = list(read_blocks(io.BytesIO(encoded.data), max_records=100))
    assert sum(len(starts) for _, starts, _ in blocks) == batch.num_rows
    for data, starts, ends in blocks:
        back = decode(data, starts, ends, types)
        assert back.schema.names == list(types)
        for index, name in enumerate(types):
            assert same(back.column(index), batch.column(index)), name


def test_files_are_those_of_tensorflows_writer(tmp_path: Path) -> None:
    import tensorflow as tf

    rows = [{"a": i, "b": i / 3, "c": "x" * (i % 300), "d": None if i % 3 else i} for i in range(-500, 20_000, 7)]
    batch = pa.RecordBatch.from_pylist(rows).cast(
        pa.schema([("a", pa.int64()), ("b", pa.float32()), ("c", pa.string()), ("d", pa.int64())]), safe=False
    )
    with tf.io.TFRecordWriter(str(tmp_path / "straight")) as writer:
        for record in straight({"a": "int", "b": "float", "c": "string", "d": "int"}, batch):
            writer.write(record)
    assert encode(batch).data == (tmp_path / "straight").read_bytes()


def test_one_value_of_many_megabytes() -> None:
    big = "é" * 5_000_000
    batch = pa.RecordBatch.from_pydict({"text": pa.array([big, None, ""]), "n": pa.array([1, 2, 3])})
    encoded = encode(batch)
    (block,) = read_blocks(io.BytesIO(encoded.data), max_records=10, block_bytes=1 << 16)
    assert decode(*block, {"text": "string", "n": "int"}).to_pylist() == batch.to_pylist()


def test_the_bytes_of_a_slice_do_not_depend_on_what_surrounds_it() -> None:
    names = pa.array(["ab", None, "cde", "", "f"] * 5000)
    numbers = pa.array([1, 300, None, -4, 70_000] * 5000)
    batch = pa.RecordBatch.from_pydict({"s": names, "n": numbers})
    parts = [encode(batch.slice(at, 777)).data for at in range(0, batch.num_rows, 777)]
    assert b"".join(parts) == encode(batch).data


def test_a_null_slot_that_holds_bytes_is_not_written() -> None:
    buffers = pa.array(["abc", "hidden" * 100, "d"]).buffers()
    array = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), *buffers[1:]])
    assert encode(pa.RecordBatch.from_arrays([array], ["s"])).data == (
        encode(pa.RecordBatch.from_pydict({"s": ["abc", None, "d"]})).data
    )


def test_decoding_some_columns_only() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, None], "b": ["x", "y"], "c": pa.array([0.5, 1.5], pa.float32())})
    (block,) = read_blocks(io.BytesIO(encode(batch).data), max_records=10)
    types = {"a": "int", "b": "string", "c": "float"}
    assert decode(*block, types, ["c", "a"]).to_pylist() == [{"a": 1, "c": 0.5}, {"a": None, "c": 1.5}]


@pytest.mark.parametrize(
    ("types", "problem"),
    [
        ({"a": "int"}, "not in the schema"),
        ({"a": "float", "b": "string"}, "not of type float"),
        ({"a": "int", "b": "int"}, "not of type int"),
    ],
)
def test_records_that_do_not_fit_the_schema_are_refused(types: dict[str, str], problem: str) -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", "y"]})
    (block,) = read_blocks(io.BytesIO(encode(batch).data), max_records=10)
    with pytest.raises(ForeignLayout, match=problem):
        decode(*block, types)


def test_several_values_and_unsorted_keys_are_refused() -> None:
    import tensorflow as tf

    two = tf.train.Example()
    two.features.feature["a"].int64_list.value.extend([1, 2])
    unsorted = tf.train.Example.FromString(b"")
    unsorted.features.feature["a"].int64_list.value.append(1)
    entry = unsorted.features.SerializeToString()
    other = entry.replace(b"a", b"b", 1)
    foreign = b"\x0a" + bytes([len(entry) * 2]) + other + entry
    for record in (two.SerializeToString(), foreign, b"nonsense"):
        stream = io.BytesIO()
        write_record(stream, record)
        (block,) = read_blocks(io.BytesIO(stream.getvalue()), max_records=1)
        with pytest.raises(ForeignLayout):
            decode(*block, {"a": "int", "b": "int"})


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damage_is_an_error_and_never_a_crash(data: st.DataObject) -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, 2, 3], "s": ["x", None, "zz"]})
    damaged = bytearray(encode(batch).data)
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptRecords):
        list(read_blocks(io.BytesIO(bytes(damaged)), max_records=10))
    try:
        for block in read_blocks(io.BytesIO(bytes(damaged)), max_records=10, verify=False):
            decode(*block, {"a": "int", "s": "string"})
    except (CorruptRecords, ForeignLayout):
        pass


def test_an_empty_batch_is_no_bytes() -> None:
    encoded = encode(pa.RecordBatch.from_pydict({"a": pa.array([], pa.int64())}))
    assert (encoded.data, encoded.rows, encoded.offsets.tolist()) == (b"", 0, [0])
    assert encoded.checksums.dtype == np.uint32
