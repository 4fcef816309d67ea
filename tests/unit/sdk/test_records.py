"""TFRecord framing, against TensorFlow's reader and against damage."""

from __future__ import annotations

import io

import pytest

from zenctl.sdk.records import CorruptRecords, read_blocks, write_record

RECORDS = [b"", b"a", bytes(range(256)) * 50, b"last"]


def framed() -> bytes:
    stream = io.BytesIO()
    for record in RECORDS:
        write_record(stream, record)
    return stream.getvalue()


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("max_records", [1, 2, 100])
def test_blocks_of_any_size_hold_the_same_records(block_bytes: int, max_records: int) -> None:
    found = []
    for data, starts, ends in read_blocks(io.BytesIO(framed()), max_records=max_records, block_bytes=block_bytes):
        assert 0 < len(starts) <= max_records
        found += [data[start:end] for start, end in zip(starts, ends, strict=True)]
    assert found == RECORDS


def test_tensorflow_reads_them(tmp_path) -> None:
    import tensorflow as tf

    (tmp_path / "file").write_bytes(framed())
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / "file"))] == RECORDS


def test_a_cut_file_is_refused_at_every_place() -> None:
    whole = framed()
    boundaries = {0}
    for record in RECORDS:
        boundaries.add(max(boundaries) + 16 + len(record))
    for cut in [*range(1, 60), len(whole) - 1, len(whole) - 17]:
        if cut in boundaries:
            continue
        with pytest.raises(CorruptRecords, match="ends inside a record"):
            list(read_blocks(io.BytesIO(whole[:cut]), max_records=10))


def test_the_error_names_the_record_and_its_place() -> None:
    whole = bytearray(framed())
    whole[16 + 12] ^= 1
    with pytest.raises(CorruptRecords, match=r"checksum mismatch \(record 1, byte 16\)") as caught:
        list(read_blocks(io.BytesIO(bytes(whole)), max_records=1))
    assert (caught.value.record, caught.value.offset) == (1, 16)


def test_an_impossible_length_does_not_ask_for_memory() -> None:
    with pytest.raises(CorruptRecords, match="cannot have"):
        list(read_blocks(io.BytesIO(b"\xff" * 100), max_records=1))
