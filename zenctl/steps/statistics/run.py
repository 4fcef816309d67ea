"""Describes a dataset: its own statistics with histograms, the schema, and a page that shows both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zenctl.digests import canonical_json
from zenctl.sdk.snapshot import SCHEMA_FILE, STATISTICS_FILE
from zenctl.steps.data.composition import DatasetSource, as_dataset, fold
from zenctl.steps.statistics.histograms import Histograms, merge, ranges
from zenctl.steps.statistics.report import render

if TYPE_CHECKING:
    from zenctl.sdk import Job
    from zenctl.steps.statistics.histograms import Counts

REPORT_FILE = "statistics.html"


def statistics(job: Job) -> None:
    """Write outputs `statistics` (statistics.json, statistics.html) and `schema` (schema.json)."""
    data = as_dataset(job.inputs["data"])
    features: dict[str, Any] = {name: dict(data.statistics[name]) for name in data.schema.names}
    found = ranges(features)
    if found:
        histograms = Histograms(found, job.params["bins"])
        source = DatasetSource(data.path, data.name, tuple(found))
        empty: Counts = {}
        counts = fold(source, histograms, merge, empty, job, total=data.num_rows)
        for name in found:
            features[name]["histogram"] = {"edges": histograms.edges(name), "counts": counts[name].tolist()}
    document = {"format": 1, "rows": data.num_rows, "features": features}
    folder = job.outputs["statistics"].path
    (folder / STATISTICS_FILE).write_bytes(canonical_json(document) + b"\n")
    (folder / REPORT_FILE).write_text(render(data.num_rows, data.schema, features), encoding="utf-8")
    (job.outputs["schema"].path / SCHEMA_FILE).write_bytes(data.schema.to_json())
