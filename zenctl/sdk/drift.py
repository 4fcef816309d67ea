"""Drift: how far the columns of a data set have moved, from the statistics of two snapshots. Standard library only."""

from __future__ import annotations

import math
from typing import Any, Collection, Dict, List, Mapping, Tuple

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.distribution import from_data, greatest_gap

SHOWN_VALUES = 5


@dataclass(frozen=True)
class FeatureDrift:
    """How a column has moved.

    `distance` goes from 0 to 1: of numbers the Kolmogorov-Smirnov statistic, of texts the Jensen-Shannon distance (to
    the base of 2) of their most frequent values, all others taken together; `measure` says which. It is that of the
    shares of missing values, if these differ by more. It is 1, and `change` says why, for a column that is `new`,
    `gone`, or of another `type`. `missing` are shares of rows, before and after. `come` and `went` are some values that
    are among the most frequent on one side, and known not to be on the other at all.
    """

    name: str
    distance: float
    measure: str
    change: str = ""
    missing: Tuple[float, float] = (0.0, 0.0)
    mean: Tuple[float, float] = (math.nan, math.nan)
    come: Tuple[str, ...] = ()
    went: Tuple[str, ...] = ()


def drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> List[FeatureDrift]:
    """The columns of two statistics.json that differ, the farthest first; ties in the order of names."""
    rows = int(before["rows"]), int(after["rows"])
    old, new = before["features"], after["features"]
    found = []
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            found.append(FeatureDrift(name, 1.0, "", "new" if name not in old else "gone"))
        else:
            found.append(_feature(name, old[name], new[name], rows))
    return sorted((item for item in found if item.distance > 0 or item.come or item.went), key=_order)


def _order(item: FeatureDrift) -> Tuple[float, str]:
    return -item.distance, item.name


def _feature(name: str, old: Mapping[str, Any], new: Mapping[str, Any], rows: Tuple[int, int]) -> FeatureDrift:
    missing = old["missing"] / max(1, rows[0]), new["missing"] / max(1, rows[1])
    numbers = {"int", "float"}
    if old["type"] != new["type"] and not {old["type"], new["type"]} <= numbers:
        return FeatureDrift(name, 1.0, "", f"{old['type']} -> {new['type']}", missing)
    change = f"{old['type']} -> {new['type']}" if old["type"] != new["type"] else ""
    come: Tuple[str, ...] = ()
    went: Tuple[str, ...] = ()
    mean = (math.nan, math.nan)
    if "distribution" in old and "distribution" in new:
        distance, measure = greatest_gap(from_data(old["distribution"]), from_data(new["distribution"])), "KS"
        mean = (float(old.get("mean", math.nan)), float(new.get("mean", math.nan)))
    elif "top" in old and "top" in new:
        distance, measure = _divergence(old, new), "JS"
        come, went = _only(new, old), _only(old, new)
    else:
        distance, measure = 0.0, ""
    apart = abs(missing[0] - missing[1])
    if apart > distance:
        distance, measure = apart, "missing"
    return FeatureDrift(name, distance, measure, change, missing, mean, come, went)


def _divergence(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """The Jensen-Shannon distance of the values that either side lists; the rest of each side is one value more."""
    counts = [{entry["value"]: int(entry["count"]) for entry in data["top"]} for data in (old, new)]
    # What one side lists and the other does not may hide in the rest there, unless that side lists all it has.
    known = {value for value in counts[0] if value in counts[1] or _is_listed(new)}
    known |= {value for value in counts[1] if value in counts[0] or _is_listed(old)}
    left, right = (_shares(of, int(data["count"]), known) for of, data in zip(counts, (old, new)))  # noqa: B905
    # Summed exactly: sets of texts have another order in each process, and the last bit must not tell.
    pairs = [(left.get(value, 0.0), right.get(value, 0.0)) for value in {*left, *right}]
    total = math.fsum(share * math.log2(share / ((p + q) / 2)) / 2 for p, q in pairs for share in (p, q) if share > 0)
    return math.sqrt(min(1.0, max(0.0, total)))


def _shares(counts: Mapping[Any, int], number: int, known: Collection[Any]) -> Dict[Any, float]:
    shares: Dict[Any, float] = {value: counts.get(value, 0) / max(1, number) for value in known}
    # No text is the key of the rest.
    shares[None] = max(0.0, 1.0 - math.fsum(shares.values())) if number else 0.0
    return shares


def _is_listed(data: Mapping[str, Any]) -> bool:
    """Whether the most frequent values are all that there are."""
    return data.get("unique") == len(data["top"])


def _only(data: Mapping[str, Any], other: Mapping[str, Any]) -> Tuple[str, ...]:
    if not _is_listed(other):
        return ()
    known = {entry["value"] for entry in other["top"]}
    return tuple(entry["value"] for entry in data["top"] if entry["value"] not in known)[:SHOWN_VALUES]
