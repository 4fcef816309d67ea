"""Writes what is recorded as OpenLineage events, with the classes of its published client library.

A job is an address of a workspace, a run one execution of it, its parent the apply that it was part of. A dataset is an
output by its name, such as `step.split.rows.train`; its version is the content's digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

from zenctl import __version__
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.applies import Apply
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import ExecutionState

PRODUCER = f"https://zenctl.dev/{__version__}"
"""Names this program in each event and facet."""

Columns = Callable[[RecordedArtifact], Mapping[str, str]]
"""The columns of a Dataset by name, with their types; {} where they cannot be read."""

_ENDS = {
    ExecutionState.COMPLETE: RunState.COMPLETE,
    ExecutionState.CACHED: RunState.COMPLETE,
    ExecutionState.FAILED: RunState.FAIL,
    ExecutionState.CANCELED: RunState.ABORT,
}
_OUTCOMES = {"complete": RunState.COMPLETE, "failed": RunState.FAIL}
_ENDED = ("complete", "failed", "interrupted", "abandoned")
_LEFT_OUT = frozenset({"move", "delete"})
"""Operations that are no run: they say where a result stands now."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the records do not hold. `store` is where artifacts lie: a URL, or an absolute path.

    `producers` are the records behind inputs by execution id, `made` says which of them made each input, by consumer.
    """

    store: str
    columns: Columns
    producers: Mapping[int, Recorded] = field(default_factory=dict, hash=False)
    made: Mapping[int, Mapping[str, int]] = field(default_factory=dict, hash=False)


def apply_events(
    project: str, workspace: str, apply: Apply, recorded: Sequence[Recorded], around: Surroundings
) -> Iterator[str]:
    """The events of an apply and of all that it ran, one JSON text each, in the order in which they began."""
    facets.set_producer(PRODUCER)
    parent = _apply_run_id(project, workspace, apply)
    job = Job(_namespace(project, workspace), "apply", {"jobType": _job_type("APPLY")})
    run = Run(parent, {"processing_engine": _engine()})
    yield _text(RunState.START, apply.holder.since_ms, run, job)
    for one in recorded:
        if one.operation not in _LEFT_OUT:
            yield from _run_events(one, parent, around)
    if apply.outcome in _ENDED:
        yield _text(_OUTCOMES.get(apply.outcome, RunState.ABORT), apply.ended_ms or apply.holder.since_ms, run, job)


def _run_events(recorded: Recorded, parent: str, around: Surroundings) -> Iterator[str]:
    namespace = _namespace(recorded.project, recorded.workspace)
    started = recorded.started_ms or recorded.ended_ms
    identity = f"{namespace}/{recorded.job_id}".encode()
    above = facets.parent_run.ParentRunFacet(facets.parent_run.Run(parent), facets.parent_run.Job(namespace, "apply"))
    run = Run(str(generate_static_uuid(_instant(started), identity)), {"parent": above, **_run_facets(recorded)})
    job = Job(namespace, str(recorded.addr), _job_facets(recorded))
    inputs = _inputs(recorded, around)
    yield _text(RunState.START, started, run, job, inputs)
    end = _ENDS.get(recorded.state)
    if end is None:
        return
    if end is RunState.FAIL:
        message = recorded.error.strip() or "no message was recorded"
        error = facets.error_message_run.ErrorMessageRunFacet(message.splitlines()[0], "Python", message)
        run = Run(run.runId, {**(run.facets or {}), "errorMessage": error})
    outputs = [_output(recorded, name, artifact, around) for name, artifact in recorded.outputs.items()]
    yield _text(end, recorded.ended_ms or started, run, job, inputs, outputs)


def _run_facets(recorded: Recorded) -> dict[str, facets.RunFacet]:
    parameters = [
        facets.execution_parameters_run.ExecutionParameter(key=name, name=name, value=_parameter(value))
        for name, value in recorded.components.get("params", {}).items()
    ]
    known = {
        "executionId": recorded.execution_id,
        "serial": recorded.serial,
        "operation": recorded.operation,
        "fingerprint": recorded.fingerprint,
        "backend": recorded.backend,
        "codeDigest": recorded.components.get("code", {}).get("digest", ""),
        "uncommittedChanges": bool(recorded.code_version.get("dirty")),
        "reusedExecutionId": recorded.source or None,
        "environment": dict(recorded.environment),
        "url": recorded.attributes.get("url"),
    }
    own = facets.RunFacet().with_additional_properties(**{k: v for k, v in known.items() if v not in (None, "", {})})
    assert isinstance(own, facets.RunFacet), "adding properties keeps what a facet is"
    found: dict[str, facets.RunFacet] = {"processing_engine": _engine(), "zenctl_execution": own}
    if parameters:
        found["executionParameters"] = facets.execution_parameters_run.ExecutionParametersRunFacet(parameters)
    return found


def _parameter(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"sensitive"}:
        return "(sensitive value)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _job_facets(recorded: Recorded) -> dict[str, facets.JobFacet]:
    found: dict[str, facets.JobFacet] = {"jobType": _job_type(recorded.addr.kind.upper())}
    version = recorded.code_version
    if version.get("remote") and version.get("commit"):
        entry = str(recorded.components.get("code", {}).get("entry", ""))
        found["sourceCodeLocation"] = facets.source_code_location_job.SourceCodeLocationJobFacet(
            "git",
            str(version["remote"]),
            repoUrl=str(version["remote"]),
            path=entry.rpartition(":")[0] or None,
            version=str(version["commit"]),
            branch=version.get("branch") or None,
        )
    return found


def _inputs(recorded: Recorded, around: Surroundings) -> list[InputDataset]:
    found = []
    source = recorded.components.get("source", {})
    if source.get("digest"):
        known = {"version": _version(source["digest"]), **_schema(source.get("columns") or {})}
        read = facets.input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            source.get("rows"), source.get("bytes")
        )
        namespace = _namespace(recorded.project, recorded.workspace)
        found.append(InputDataset(namespace, f"{recorded.addr}.source", {"inputStatistics": read}, facets=known))
    for name, artifact in recorded.inputs.items():
        producer = around.producers.get(around.made.get(recorded.execution_id, {}).get(name, 0))
        of = _identity(producer, artifact) or (
            _namespace(recorded.project, recorded.workspace),
            f"artifact.{artifact.digest}",
        )
        found.append(InputDataset(*of, _read(_rows(artifact), artifact.bytes), facets=_facets(artifact, around)))
    return found


def _read(rows: int | None, size: int | None) -> dict[str, facets.InputDatasetFacet]:
    return {"inputStatistics": facets.input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rows, size)}


def _output(recorded: Recorded, name: str, artifact: RecordedArtifact, around: Surroundings) -> OutputDataset:
    wrote = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(_rows(artifact), artifact.bytes)
    namespace = _namespace(recorded.project, recorded.workspace)
    known = _facets(artifact, around)
    if not known.get("schema") and artifact.type == "Dataset" and recorded.components.get("source", {}).get("columns"):
        known |= _schema(recorded.components["source"]["columns"])
    return OutputDataset(namespace, f"{recorded.addr}.{name}", {"outputStatistics": wrote}, facets=known)


def _identity(producer: Recorded | None, artifact: RecordedArtifact) -> tuple[str, str] | None:
    """Namespace and name of what a record made."""
    if producer is None:
        return None
    name = next((name for name, made in producer.outputs.items() if made.id == artifact.id), "")
    return (_namespace(producer.project, producer.workspace), f"{producer.addr}.{name}") if name else None


def _facets(artifact: RecordedArtifact, around: Surroundings) -> dict[str, facets.DatasetFacet]:
    kind = "MODEL" if artifact.type == "Model" else "FILE"
    place = facets.symlinks_dataset.Identifier(*_place(around.store, artifact.uri), type="FILE")
    found: dict[str, facets.DatasetFacet] = {
        "version": _version(artifact.digest),
        "datasetType": facets.dataset_type_dataset.DatasetTypeDatasetFacet(kind, artifact.type.upper()),
        "symlinks": facets.symlinks_dataset.SymlinksDatasetFacet([place]),
    }
    if artifact.type == "Dataset":
        found |= _schema(around.columns(artifact))
    values = {name: value for name, value in artifact.properties.items() if name != "rows"}
    if values:
        own = facets.DatasetFacet().with_additional_properties(values=values)
        assert isinstance(own, facets.DatasetFacet), "adding properties keeps what a facet is"
        found["zenctl_values"] = own
    return found


def _version(digest: str) -> facets.DatasetFacet:
    return facets.dataset_version_dataset.DatasetVersionDatasetFacet(digest)


def _schema(columns: Mapping[str, str]) -> dict[str, facets.DatasetFacet]:
    fields = [
        facets.schema_dataset.SchemaDatasetFacetFields(name, type, ordinal_position=position)
        for position, (name, type) in enumerate(columns.items(), 1)
    ]
    return {"schema": facets.schema_dataset.SchemaDatasetFacet(fields)} if fields else {}


def _rows(artifact: RecordedArtifact) -> int | None:
    rows = artifact.properties.get("rows")
    return rows if isinstance(rows, int) and artifact.type != "Metrics" else None


def _place(store: str, uri: str) -> tuple[str, str]:
    """Namespace and name of a file, as OpenLineage names files: `file` and a path, or a bucket's URL and a key."""
    parts = urlsplit(store)
    if not parts.scheme or not parts.netloc:
        return "file", f"{store.rstrip('/')}/{uri}"
    return f"{parts.scheme}://{parts.netloc}", f"{parts.path.strip('/')}/{uri}".lstrip("/")


def _job_type(kind: str) -> facets.JobFacet:
    return facets.job_type_job.JobTypeJobFacet("BATCH", "ZENCTL", kind)


def _engine() -> facets.RunFacet:
    return facets.processing_engine_run.ProcessingEngineRunFacet(__version__, "zenctl")


def _namespace(project: str, workspace: str) -> str:
    return f"zenctl://{project}/{workspace}"


def _apply_run_id(project: str, workspace: str, apply: Apply) -> str:
    identity = f"{_namespace(project, workspace)}/{apply.serial}".encode()
    return str(generate_static_uuid(_instant(apply.holder.since_ms), identity))


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, timezone.utc)


def _text(
    state: RunState,
    ms: int,
    run: Run,
    job: Job,
    inputs: Sequence[InputDataset] = (),
    outputs: Sequence[OutputDataset] = (),
) -> str:
    event = RunEvent(
        eventTime=_instant(ms).isoformat(timespec="milliseconds"),
        producer=PRODUCER,
        run=run,
        job=job,
        eventType=state,
        inputs=list(inputs),
        outputs=list(outputs),
    )
    return Serde.to_json(event)
