"""Writes the order for a job: from what is desired to a JobSpec. Pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address
from zenctl.digests import sha256_text
from zenctl.engine.components import plain
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.jobs.artifacts import tree_path
from zenctl.jobs.spec import Checkpointing, Entry, InputSpec, JobSpec, OutputSpec, VirtualEnvironment
from zenctl.metadata.state import RecordedArtifact
from zenctl.plans.plan import CodeArchive
from zenctl.schema import ArtifactRef, SourceState
from zenctl.steps.python.schema import Python


def new_job_id(project: str, workspace: str, serial: int, addr: Address) -> str:
    """A name for one attempt: readable, unique, and fit for a path, a label and a machine's name."""
    slug = re.sub(r"[^a-z0-9]+", "-", str(addr).lower()).strip("-")[:40].strip("-")
    return f"{apply_name(project, workspace, serial)}-{slug}-{secrets.token_hex(4)}"


def apply_name(project: str, workspace: str, serial: int) -> str:
    """A name for an apply that is fit for a label and a part of a machine's name."""
    return f"{sha256_text(f'{project}/{workspace}')[:6]}-{serial}"


def datasource_job(
    desired: DesiredDatasource, job_id: str, source: SourceState, processing: Mapping[str, Any]
) -> JobSpec:
    """The job that takes a snapshot; it must find the very content that plan saw."""
    kind = desired.config.type
    return JobSpec(
        job_id=job_id,
        address=str(desired.addr),
        entry=_built_in(kind.implementation),
        outputs={name: OutputSpec(decl.type) for name, decl in desired.outputs.items()},
        params=plain(desired.params),
        locations=dict(source.locations),
        expect={"source": source.digest},
        imports=kind.imports,
        processing=dict(processing),
        timeout=desired.timeout,
        resources=desired.resources,
    )


def step_job(
    desired: DesiredStep,
    job_id: str,
    code: CodeArchive | None,
    imports: tuple[str, ...],
    processing: Mapping[str, Any],
    own: tuple[VirtualEnvironment | None, Mapping[str, str]] = (None, {}),
    checkpoints: str = "",
) -> JobSpec:
    """The job that runs a step; every input's digest must be known.

    `own` is its virtual environment, if it has one, and the locations that belong to it. `checkpoints` is their key.
    """
    inputs = {}
    for name, ref in desired.inputs.items():
        if ref.digest is None:
            raise AssertionError(f"{desired.addr} is run before its input {name} is known")
        inputs[name] = InputSpec(ref.type, ref.digest, desired.as_types.get(name, ref.type))
    if desired.code is not None:
        entry = Entry(file=desired.code.file, function=desired.code.function)
    else:
        entry = _built_in(desired.config.type.implementation)
    model = desired.model if isinstance(desired.model, Python) else None
    return JobSpec(
        job_id=job_id,
        address=str(desired.addr),
        entry=entry,
        inputs=inputs,
        outputs={
            name: OutputSpec(decl.type, returned=name == desired.returned) for name, decl in desired.outputs.items()
        },
        params=plain(desired.params),
        code=code.digest if code else "",
        imports=imports or desired.config.type.imports,
        locations=dict(own[1]),
        secrets=dict(model.secrets) if model else {},
        processing=dict(processing),
        timeout=desired.timeout,
        resources=desired.resources,
        image=(model.environment.image or "") if model else "",
        variables=tuple(sorted(set(model.environment.variables))) if model else (),
        virtual_environment=own[0],
        checkpoints=Checkpointing(checkpoints, desired.checkpoints) if desired.checkpoints else None,
    )


def from_the_beginning(spec: JobSpec) -> JobSpec:
    """The same job, which starts from nothing that an earlier one has left, and leaves no checkpoint itself."""
    own = spec.checkpoints
    return replace(spec, notes={}, checkpoints=replace(own, key="") if own is not None else None)


def _built_in(implementation: str) -> Entry:
    module, _, function = implementation.partition(":")
    return Entry(module=module, function=function, arguments="job")


def input_record(ref: ArtifactRef) -> RecordedArtifact:
    """An input as the recorder takes it; its id is found by its digest."""
    if ref.digest is None:
        raise AssertionError(f"{ref} is not known yet")
    return RecordedArtifact(0, ref.type, ref.uri or tree_path(ref.digest), ref.digest, address=ref.address)


def input_records(desired: DesiredDatasource | DesiredStep) -> dict[str, RecordedArtifact]:
    """All inputs as the recorder takes them, by name; a datasource has none."""
    if isinstance(desired, DesiredDatasource):
        return {}
    return {name: input_record(ref) for name, ref in desired.inputs.items()}


def execution_type(desired: DesiredDatasource | DesiredStep) -> str:
    """The type of its executions in ML Metadata."""
    return "Process" if isinstance(desired, DesiredDatasource) else desired.config.type.mlmd_type
