"""Data in which two classes and a number follow from the features, with gaps in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def rows() -> dict[str, Any]:
    """300 rows: x, n (integers), colour, and what follows from them: kind (text), price (number)."""
    random = np.random.default_rng(3)
    x = random.normal(size=300).astype(np.float32)
    n = random.integers(0, 100, 300)
    colour = random.choice(["red", "green", "blue"], 300)
    kind = np.where(x + (colour == "red") > 0.5, "high", "low")
    price = 1000 + 50 * x + n + 20.0 * (colour == "blue")
    return {
        "x": [None if i % 29 == 0 else float(v) for i, v in enumerate(x)],
        "n": [None if i % 31 == 0 else int(v) for i, v in enumerate(n)],
        "colour": [None if i % 37 == 0 else str(v) for i, v in enumerate(colour)],
        "kind": [str(v) for v in kind],
        "price": [float(v) for v in price],
    }
