"""Describes a dataset: its own statistics with histograms and quantiles, the schema, and a page that shows them.

Beside a baseline, another dataset, both are counted in the same bins, and the distance of each column is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zenctl.digests import canonical_json
from zenctl.sdk.snapshot import SCHEMA_FILE, STATISTICS_FILE
from zenctl.steps.data.composition import DatasetSource, as_dataset, fold
from zenctl.steps.data.quantiles import Lower, Quantiles, merge_lower
from zenctl.steps.statistics.drift import Drift, of_numbers, of_texts
from zenctl.steps.statistics.histograms import Histograms, LowerCounts, merge, ranges
from zenctl.steps.statistics.report import render

if TYPE_CHECKING:
    from zenctl.sdk import Dataset, Job
    from zenctl.steps.statistics.histograms import Counts

REPORT_FILE = "statistics.html"

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that are told."""

Features = dict[str, dict[str, Any]]


def statistics(job: Job) -> None:
    """Write outputs `statistics` (statistics.json, statistics.html) and `schema` (schema.json)."""
    data = as_dataset(job.inputs["data"])
    baseline = as_dataset(job.inputs["baseline"]) if "baseline" in job.inputs else None
    features = _recorded(data)
    bins = ranges(features)
    others: Features = {}
    if baseline is not None:
        others = _recorded(baseline)
        bins = _common(bins, ranges(others))
    _count(data, features, bins, job)
    document: dict[str, Any] = {"format": 1, "rows": data.num_rows, "features": features}
    if baseline is not None:
        _count(baseline, others, bins, job)
        document["baseline"] = {"rows": baseline.num_rows, "features": others}
        document["drift"] = drift(features, others)
    folder = job.outputs["statistics"].path
    (folder / STATISTICS_FILE).write_bytes(canonical_json(document) + b"\n")
    (folder / REPORT_FILE).write_text(render(document, data.schema), encoding="utf-8")
    (job.outputs["schema"].path / SCHEMA_FILE).write_bytes(data.schema.to_json())


def drift(features: Mapping[str, Mapping[str, Any]], others: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """How far each column that both have has moved; all the way where its type is another."""
    found: dict[str, Any] = {}
    for name, data in features.items():
        if name in others:
            is_number = data["type"] in ("int", "float")
            if is_number != (others[name]["type"] in ("int", "float")):
                moved = Drift(1.0)
            else:
                moved = (of_numbers if is_number else of_texts)(data, others[name])
            found[name] = moved.to_data()
    return found


def _recorded(data: Dataset) -> Features:
    return {name: dict(data.statistics[name]) for name in data.schema.names}


def _common(left: Mapping[str, tuple[float, float]], right: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """The ranges that hold the values of both."""
    found = {**right, **left}
    for name in left.keys() & right.keys():
        found[name] = (min(left[name][0], right[name][0]), max(left[name][1], right[name][1]))
    return found


def _count(data: Dataset, features: Features, bins: Mapping[str, tuple[float, float]], job: Job) -> None:
    """Add histograms and quantiles to the features that have numbers."""
    found = {name: bins[name] for name in ranges(features)}
    if not found:
        return
    histograms = Histograms(found, job.params["bins"])
    source = DatasetSource(data.path, data.name, tuple(found))
    empty: Counts = {}
    counts = fold(source, histograms, merge, empty, job, total=data.num_rows)
    quantiles = {name: Quantiles(counts[name][1], SHARES) for name in found}
    stretches = {name: one.stretches for name, one in quantiles.items()}
    none: Lower = {}
    lower = fold(source, LowerCounts(stretches), merge_lower, none, job)
    for name in found:
        features[name]["histogram"] = {"edges": histograms.edges(name), "counts": counts[name][0].tolist()}
        values = quantiles[name].values(lower[name])
        features[name]["quantiles"] = {f"{share:g}": value for share, value in zip(SHARES, values, strict=True)}
