"""Turns records into properties of executions and artifacts, and back. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from zenctl.addrs import Address, AddressError, parse
from zenctl.digests import sha256_json, sha256_text
from zenctl.jobs.result import JobWarning
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import (
    Artifact,
    ArtifactState,
    Event,
    EventType,
    Execution,
    Properties,
    PropertyValue,
    StoreError,
)
from zenctl.plans.actions import Components
from zenctl.plans.planfile import encode_components


def workspace_key(project: str, workspace: str) -> str:
    """What stands for a workspace in queries: a hex digest."""
    return sha256_json([project, workspace])


def address_key(addr: Address) -> str:
    """What stands for an address in queries: a hex digest."""
    return sha256_text(str(addr))


def context_name(*parts: str | int) -> str:
    """`<project>/<workspace>/<serial>/<k>`; a slash inside a part is percent-encoded, so that names stay apart."""
    return "/".join(quote(str(part), safe="") for part in parts)


def json_text(value: Any) -> str:
    """JSON in ASCII with sorted keys. NaN and infinities, which a metric can be, are written as Python reads them."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def described(
    components: Components, fingerprint: str, code_version: Mapping[str, Any] | None
) -> dict[str, PropertyValue | None]:
    """What an execution is of."""
    encoded = json_text(encode_components(components))
    return {"components": encoded, "fingerprint": fingerprint, "code_version": json_or_none(code_version)}


def json_or_none(value: Mapping[str, Any] | None) -> str | None:
    """The mapping as text; nothing of an empty one."""
    return json_text(value) if value else None


def clean_text(text: str) -> str:
    """The text with what has no UTF-8 form (from undecodable file names or logs) written as `\\udc80`."""
    return text.encode("utf-8", "backslashreplace").decode()


def present(properties: Mapping[str, PropertyValue | None]) -> dict[str, PropertyValue]:
    """Without what is empty or None: an absent property reads as the empty value of its kind."""
    return {name: value for name, value in properties.items() if value is not None and value != ""}


def altered(execution: Execution, **changes: PropertyValue | None) -> Execution:
    """The execution with properties set, or removed where the value is None or empty."""
    return replace(execution, properties=present({**execution.properties, **changes}))


def decode_artifact(artifact: Artifact) -> RecordedArtifact:
    """The record of an artifact."""
    properties = artifact.properties
    return RecordedArtifact(
        id=artifact.id,
        type=artifact.type,
        uri=artifact.uri,
        digest=str(properties.get("digest", "")),
        bytes=int(properties.get("bytes", 0)),
        properties=_object(properties, "properties"),
        deleted=artifact.state is ArtifactState.DELETED,
    )


def decode_executions(
    executions: Iterable[Execution], events: Iterable[Event], artifacts: Iterable[Artifact]
) -> list[Recorded]:
    """The records of executions, in their order; `events` and `artifacts` are all that belong to them."""
    by_id = {artifact.id: decode_artifact(artifact) for artifact in artifacts}
    joined: dict[tuple[int, EventType], dict[str, RecordedArtifact]] = defaultdict(dict)
    for event in events:
        if event.artifact in by_id:
            joined[event.execution, event.type][event.key] = by_id[event.artifact]
    return [
        decode_execution(e, _sorted(joined[e.id, EventType.INPUT]), _sorted(joined[e.id, EventType.OUTPUT]))
        for e in executions
    ]


def decode_execution(
    execution: Execution, inputs: Mapping[str, RecordedArtifact], outputs: Mapping[str, RecordedArtifact]
) -> Recorded:
    """The record of one execution; StoreError if its address is none that this zenctl knows."""
    properties = execution.properties
    try:
        addr = parse(_text(properties, "address"))
    except AddressError as problem:
        raise StoreError(
            f"execution {execution.id} in the metadata store has no address that can be read: {problem}",
            "Was it written by a newer zenctl?",
        ) from problem
    return Recorded(
        addr=addr,
        execution_id=execution.id,
        job_id=execution.name,
        state=execution.state,
        serial=_number(properties, "serial"),
        type=execution.type,
        fingerprint=_text(properties, "fingerprint"),
        components=_object(properties, "components"),
        inputs=inputs,
        outputs=outputs,
        attributes=_object(properties, "attributes"),
        handle=_object(properties, "handle"),
        backend=_text(properties, "backend"),
        code_version=_object(properties, "code_version"),
        error=_text(properties, "error"),
        warnings=_warnings(properties),
        source=_number(properties, "source"),
        started_ms=_number(properties, "started_ms"),
        ended_ms=_number(properties, "ended_ms"),
        produced_ms=_number(properties, "produced_ms") or _number(properties, "ended_ms"),
        repeated=bool(_number(properties, "repeated")),
        resumed=_text(properties, "resumed"),
        environment=_object(properties, "environment"),
        notes=_object(properties, "notes"),
        producers=_object(properties, "producers"),
        operation=_text(properties, "operation") or "run",
        imported_from=_object(properties, "imported_from"),
        project=_text(properties, "project"),
        workspace=_text(properties, "workspace"),
    )


def taken_over(source: Recorded) -> dict[str, PropertyValue | None]:
    """What an execution that stands for a result has of that: how it was made."""
    return {
        "imported_from": json_or_none(source.imported_from),
        "environment": json_or_none(source.environment),
        "notes": json_or_none(source.notes),
        "warnings": encode_warnings(source.warnings),
        "resumed": source.resumed,
        "produced_ms": source.produced_ms,
    }


def key_of(execution: Execution) -> str:
    """The key of an execution's address."""
    return str(execution.properties["address_key"])


def encode_warnings(warnings: Iterable[JobWarning]) -> str | None:
    """Warnings as text; nothing of none."""
    plain = [{"summary": said.summary, "detail": said.detail} for said in warnings]
    return json_text(plain) if plain else None


def _warnings(properties: Properties) -> tuple[JobWarning, ...]:
    text = _text(properties, "warnings")
    return tuple(JobWarning(str(said["summary"]), str(said.get("detail", ""))) for said in json.loads(text or "[]"))


def decode_object(text: str) -> dict[str, Any]:
    """A JSON object; {} for an empty text."""
    value = json.loads(text) if text else {}
    if not isinstance(value, dict):
        raise StoreError(f"the metadata store holds {text[:40]!r} where a JSON object belongs")
    return value


def _object(properties: Properties, name: str) -> dict[str, Any]:
    return decode_object(_text(properties, name))


def _text(properties: Properties, name: str) -> str:
    return str(properties.get(name, ""))


def _number(properties: Properties, name: str) -> int:
    return int(properties.get(name, 0))


def _sorted(artifacts: Mapping[str, RecordedArtifact]) -> dict[str, RecordedArtifact]:
    return dict(sorted(artifacts.items()))


def _plain(value: Any) -> Any:
    """Mappings and sequences of any class as those that `json` knows."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    return value
