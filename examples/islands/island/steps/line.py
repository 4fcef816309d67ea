"""Fits a line: weight by length of flippers."""

import numpy as np

from zenctl.sdk import Dataset


def fit(penguins: Dataset) -> dict:
    """The line of least squares; what a function returns is the output `result`, which expressions can use."""
    rows = list(penguins)
    lengths = np.array([row["flipper_length_mm"] for row in rows], dtype=float)
    weights = np.array([row["body_mass_g"] for row in rows], dtype=float)
    slope, intercept = np.polyfit(lengths, weights, 1)
    return {"slope": round(float(slope), 2), "intercept": round(float(intercept), 1), "penguins": len(rows)}
