"""The operation behind `zenctl state schema`: infers a schema to validate by from what is recorded of a dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.engine.naming import find_recorded
from zenctl.engine.opening import OpeningError, open_configuration
from zenctl.engine.requests import Inputs
from zenctl.engine.world import World, open_world
from zenctl.jobs.artifacts import CorruptArtifact, blob_path, read_tree
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.records import Recorded
from zenctl.sdk.snapshot import SCHEMA_FILE, STATISTICS_FILE, Feature, Schema
from zenctl.steps.validate.inferring import infer


@dataclass(frozen=True, slots=True)
class SchemaOutcome:
    """The schema file's document, or only diagnostics."""

    document: Mapping[str, Any] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def recorded_schema(inputs: Inputs, address: str, output: str = "") -> SchemaOutcome:
    """The schema that a recorded dataset passes; `output` chooses among several of a step."""
    try:
        opened = open_configuration(inputs, values_required=False, sound=False)
    except OpeningError as problem:
        return SchemaOutcome(None, problem.diagnostics, problem.sources)
    try:
        with open_world(opened, inputs, create=False) as world:
            project = opened.configuration.settings.project
            recorded = find_recorded(world.store, project, inputs.workspace, address, results_only=True)
            return SchemaOutcome(_infer(world, recorded, _chosen(recorded, output)))
    except DiagnosticError as problem:
        return SchemaOutcome(None, problem.diagnostics, opened.sources)


def _chosen(recorded: Recorded, output: str) -> str:
    """The name of the output; raises DiagnosticError if it is none, or not the only one."""
    datasets = [name for name, artifact in recorded.outputs.items() if artifact.type == "Dataset"]
    if not datasets:
        raise DiagnosticError(error("no_dataset", f"{recorded.addr} has no output that is a Dataset"))
    if output:
        if output not in datasets:
            detail = f"It has {', '.join(datasets)}.{did_you_mean(output, datasets)}"
            raise DiagnosticError(error("no_dataset", f'{recorded.addr} has no dataset "{output}"', detail))
        return output
    if len(datasets) > 1:
        detail = f"Choose one: {', '.join(f'-output={name}' for name in datasets)}."
        raise DiagnosticError(error("several_outputs", f"{recorded.addr} has several datasets", detail))
    return datasets[0]


def _infer(world: World, recorded: Recorded, output: str) -> dict[str, Any]:
    digest = recorded.outputs[output].digest
    try:
        blobs = {file.path: file.sha256 for file in read_tree(world.storage, digest).files}
        schema = _json(world, blobs[SCHEMA_FILE])
        features = _json(world, blobs[STATISTICS_FILE])["features"]
        found = Schema(tuple(Feature(f["name"], f["type"], f["presence"]) for f in schema["features"]))
    except (CorruptArtifact, StorageError, ValueError, KeyError, TypeError) as problem:
        detail = f"`zenctl state verify {recorded.addr}` says what is there of it. ({problem})"
        summary = f"The dataset {output} of {recorded.addr} cannot be read from the artifact store"
        raise DiagnosticError(error("artifact_unreadable", summary, detail)) from problem
    return infer(found, features)


def _json(world: World, sha256: str) -> Any:
    with world.storage.open(blob_path(sha256)) as stream:
        return json.loads(stream.read())
