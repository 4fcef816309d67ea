"""Durations as users write them."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.durations import seconds, text_of_seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("90s", 90.0),
        ("30m", 1800.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("250ms", 0.25),
        (" 1m ", 60.0),
        (0, None),
        (-1, None),
        (True, None),
        (None, None),
        ("", None),
        ("soon", None),
        ("0s", None),
        ("1h 30m", None),
        ("m", None),
        ([], None),
    ],
)
def test_seconds(value: Any, expected: float | None) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.25, "250ms"), (1, "1s"), (90, "1m30s"), (5400, "1h30m"), (86400, "1d"), (93784, "1d2h"), (0, "0ms")],
)
def test_text_of_seconds(value: float, expected: str) -> None:
    assert text_of_seconds(value) == expected
    assert seconds(expected) == (int(value) // 3600 * 3600 if value > 86400 else value or None)
