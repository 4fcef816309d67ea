"""How far apart two distributions are, and how far chance alone takes them. Pure, and standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.lazy_dataclasses import dataclass


def distance(left: Sequence[float], right: Sequence[float]) -> float | None:
    """The Jensen-Shannon distance of two lists of counts, from 0 (equal shares) to 1 (nothing in common).

    None if one of the two has no rows.
    """
    sums = math.fsum(left), math.fsum(right)
    if not all(sums):
        return None
    divergence = 0.0
    for a, b in zip(left, right, strict=True):
        p, q = a / sums[0], b / sums[1]
        middle = (p + q) / 2
        divergence += sum(share * math.log2(share / middle) for share in (p, q) if share) / 2
    return math.sqrt(min(1.0, max(0.0, divergence)))


def chance(left: Sequence[float], right: Sequence[float]) -> float:
    """The distance to be expected of two samples of one distribution, so many rows each, in so many bins.

    The Jensen-Shannon divergence of such samples is about (bins - 1) (1 / rows + 1 / other rows) / (8 ln 2).
    """
    used = sum(1 for a, b in zip(left, right, strict=True) if a or b)
    sums = math.fsum(left), math.fsum(right)
    if not all(sums):
        return 0.0
    return math.sqrt(min(1.0, max(0, used - 1) * (1 / sums[0] + 1 / sums[1]) / (8 * math.log(2))))


@dataclass(frozen=True, slots=True)
class Drift:
    """`distance`, None where there is nothing to compare, and the distance that `chance` alone gives."""

    distance: float | None
    chance: float = 0.0

    def to_data(self) -> dict[str, float | None]:
        found = None if self.distance is None else round(self.distance, 6)
        return {"distance": found, "chance": round(self.chance, 6)}


def _of(left: Sequence[float], right: Sequence[float]) -> Drift:
    return Drift(distance(left, right), chance(left, right))


def of_numbers(data: Mapping[str, Any], baseline: Mapping[str, Any]) -> Drift:
    """Of two histograms over the same bins; missing values are a bin of their own."""
    if "histogram" not in data or "histogram" not in baseline:
        return _presence(data, baseline)
    left = [*data["histogram"]["counts"], data["missing"] + data.get("nan", 0)]
    right = [*baseline["histogram"]["counts"], baseline["missing"] + baseline.get("nan", 0)]
    return _of(left, right)


def of_texts(data: Mapping[str, Any], baseline: Mapping[str, Any]) -> Drift:
    """Of the values that both list; what is not listed, and what is missing, are two more."""
    if not data.get("top") or not baseline.get("top"):
        return _presence(data, baseline)
    counts = [{entry["value"]: entry["count"] for entry in one["top"]} for one in (data, baseline)]
    # A value that one of the two does not list may still be in it, unless it lists all it has.
    complete = [one.get("unique") == len(one["top"]) for one in (data, baseline)]
    both = set(counts[0]) & set(counts[1])
    names = sorted(set(counts[0]) | set(counts[1]) if all(complete) else both)
    sides = []
    for one, known in zip((data, baseline), counts, strict=True):
        listed = [known.get(name, 0) for name in names]
        sides.append([*listed, one["count"] - sum(listed), one["missing"]])
    return _of(*sides)


def _presence(data: Mapping[str, Any], baseline: Mapping[str, Any]) -> Drift:
    return _of(*([one["count"], one["missing"]] for one in (data, baseline)))
