"""Canonical JSON is one text for one value; digests see content only."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.digests import canonical_json, sha256_bytes, sha256_file, sha256_json, sha256_stream

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_canonical_json_keeps_the_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), plain, min_size=2, max_size=5))
def test_order_of_keys_does_not_count(value: dict[str, object]) -> None:
    assert canonical_json(dict(reversed(list(value.items())))) == canonical_json(value)


def test_one_and_one_point_zero_are_one_number() -> None:
    assert sha256_json({"epochs": 1}) == sha256_json({"epochs": 1.0})
    assert sha256_json(1) != sha256_json(True)
    assert sha256_json(1) != sha256_json("1")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {"a": object()}, b"bytes", {1, 2}])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json(value)


@given(st.binary(max_size=5000))
def test_streams_files_and_bytes_agree(data: bytes) -> None:
    assert sha256_stream(io.BytesIO(data)) == sha256_bytes(data)


def test_a_file_larger_than_one_chunk(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "f").write_bytes(data)
    assert sha256_file(tmp_path / "f") == sha256_bytes(data)
