"""Sizes as people write them, and what is said of what a job needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.jobs.resources import Resources, memory_bytes, memory_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MiB", 512 << 20),
        ("4GB", 4 * 10**9),
        ("2 Gi", 2 << 30),
        ("1.5G", 1_500_000_000),
        ("1024", 1024),
        ("100B", 100),
        ("0", None),
        ("-1G", None),
        ("4 gigabytes", None),
        ("4g", None),
        ("", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert memory_bytes(text) == size


@given(st.integers(1, 1 << 50))
def test_a_size_is_told_to_five_percent(size: int) -> None:
    said = memory_bytes(memory_text(size))
    assert said is not None
    assert abs(said - size) <= size * 0.05


def test_needs_in_words() -> None:
    assert str(Resources(2, 4 << 30, 1)) == "2 CPUs, 4 GiB of memory, 1 GPU"
    assert str(Resources(0.5)) == "0.5 CPU"
    assert str(Resources()) == "nothing"
