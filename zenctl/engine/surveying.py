"""Reads sources that have changed for their statistics alone, for `plan -drift`. Writes only plan's cache."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zenctl.addrs import DatasourceAddr
from zenctl.diagnostics import Diagnostic, warning
from zenctl.digests import canonical_json, sha256_json
from zenctl.engine.desired import Desired, DesiredDatasource
from zenctl.engine.events import Listener, Notice
from zenctl.engine.jobs import datasource_job
from zenctl.engine.refreshing import load_attribute
from zenctl.engine.results import ResultFinder
from zenctl.fingerprint.data import keep_file
from zenctl.jobs.objects import buckets
from zenctl.jobs.spec import JobSpec
from zenctl.jobs.storage import Storage
from zenctl.runner.memory import StoreMemory
from zenctl.runner.objects import fetch_objects
from zenctl.schema import SourceState
from zenctl.sdk import Job, StepError
from zenctl.sdk.artifacts import output_type

OWN = "zenctl.steps."
"""Where the readers of built-in sources are. Plan runs no code but its own."""

MAX_KEPT = 64
"""Most statistics that are kept; the oldest go first."""


class Surveyor:
    """Reads datasources with their built-in readers, each once. What cannot be read is in `diagnostics`.

    The rows are those that apply would take, and what earlier snapshots know of their parts is not read again. The
    statistics are kept in `cache_dir` by the digest of the source, so that the next plan need not read it.
    """

    def __init__(
        self,
        desired: Mapping[Any, Desired],
        sources: Mapping[Any, SourceState],
        storage: Storage,
        finder: ResultFinder,
        cache_dir: Path,
        listener: Listener,
        open_bucket: Callable[[str], Storage],
    ) -> None:
        self._desired = desired
        self._sources = sources
        self._storage = storage
        self._finder = finder
        self._cache = cache_dir / "statistics"
        self._listener = listener
        self._open_bucket = open_bucket
        self.diagnostics: list[Diagnostic] = []

    def __call__(self, addr: DatasourceAddr) -> Mapping[str, Any] | None:
        """The statistics of the source as it is now; None if it cannot be read."""
        node, source = self._desired.get(addr), self._sources.get(addr)
        if not isinstance(node, DesiredDatasource) or source is None:
            return None
        if not node.config.type.implementation.startswith(OWN):
            why = f"Plan runs no code but zenctl's own, and datasources of type {addr.type} have another reader."
            self._not_told(node, why)
            return None
        spec = datasource_job(node, "plan", source, {})
        type_ = node.config.type
        path = self._cache / f"{sha256_json([source.digest, type_.name, type_.version, dict(spec.params)])}.json"
        kept = _kept(path)
        if kept is not None:
            return kept
        self._listener(Notice(f"{addr}: reading it, to see how far its columns moved"))
        try:
            found = self._read(node, spec)
        except StepError as problem:
            self._not_told(node, "\n\n".join(part for part in (problem.message, problem.hint) if part))
            return None
        keep_file(path, canonical_json(found), MAX_KEPT)
        return found

    def _read(self, node: DesiredDatasource, spec: JobSpec) -> dict[str, Any]:
        # What it imports is heavy, and needed by nobody who does not ask for it.
        from zenctl.steps.data.surveying import SurveyedOutput

        ingest = load_attribute(node.config.type.implementation)
        with tempfile.TemporaryDirectory(prefix="zenctl-survey-") as folder:
            data = SurveyedOutput(Path(folder, "data"), "data")
            outputs: dict[str, Any] = {"data": data}
            for name, declared in spec.outputs.items():
                outputs.setdefault(name, output_type(declared.type)(Path(folder, name), name, declared.type))
            for name in ["scratch", *outputs]:
                Path(folder, name).mkdir()
            job = Job(
                outputs=outputs,
                params=spec.params,
                locations=spec.locations,
                expect=spec.expect,
                scratch=Path(folder, "scratch"),
                memory=StoreMemory(self._storage, self._finder.notes(node.addr)),
                alert=_apply_tells_it,
            )
            if not buckets(spec.locations):
                ingest(job)
                return data.statistics()
            fetched = fetch_objects(spec.locations, self._open_bucket, Path(folder, "objects"), job.report)
            try:
                ingest(replace(job, locations=fetched.locations, expect={}))
            except StepError as problem:
                raise StepError(fetched.told(problem.message), fetched.told(problem.hint)) from problem
            return data.statistics()

    def _not_told(self, node: DesiredDatasource, why: str) -> None:
        summary = f"How far the data of {node.addr} moved cannot be told"
        self.diagnostics.append(
            warning("drift_not_known", summary, why, range=node.config.range, address=str(node.addr))
        )


def _apply_tells_it(summary: str, detail: str) -> None:
    """What a reader warns of is apply's to tell."""


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
