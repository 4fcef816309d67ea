"""Builds the components of a fingerprint from what is wanted, what is there, and what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.fingerprint.code import Closure
from zenctl.metadata.state import Recorded
from zenctl.plans.actions import Components
from zenctl.schema import ArtifactRef, SourceState, Unknown


def datasource_components(
    desired: DesiredDatasource, source: SourceState | None, environment: Mapping[str, Any]
) -> Components:
    """Of a datasource; its source is {} while its place is not known."""
    kind = desired.config.type
    facts = {"digest": source.digest, "bytes": source.bytes, "rows": source.rows} if source else {}
    return Components(
        type=f"datasource.{kind.name}/{kind.version}",
        params=plain(desired.fingerprint_params),
        source=facts,
        environment=environment,
    )


def step_components(desired: DesiredStep, closure: Closure | None, environment: Mapping[str, Any]) -> Components:
    """Of a step; digests of inputs that are not known are empty."""
    kind = desired.config.type
    code: dict[str, Any] = {}
    if closure is not None:
        definitions = {path: dict(found) for path, found in closure.definitions.items()}
        code = {
            "entry": closure.entry,
            "digest": closure.digest,
            "files": dict(closure.files),
            **({"definitions": definitions} if definitions else {}),
        }
    return Components(
        type=f"{kind.name}/{kind.version}",
        code=code,
        params=plain(desired.fingerprint_params),
        inputs={name: ref.digest or "" for name, ref in desired.inputs.items()},
        environment=environment,
    )


def environment_here(observed: Mapping[str, Any], recorded: Recorded | None) -> tuple[dict[str, Any], list[str]]:
    """The environment to plan with, and the packages that could not be checked here.

    A package that is not installed here counts as what the last run recorded: a pull-request runner without
    TensorFlow must not make every training step stale.
    """
    before = recorded.components.get("environment", {}).get("distributions", {}) if recorded else {}
    packages: dict[str, str] = {}
    unchecked = []
    for name, version in observed.get("distributions", {}).items():
        if version is not None:
            packages[name] = version
        else:
            unchecked.append(name)
            if name in before:
                packages[name] = before[name]
    return {"python": observed.get("python", ""), "distributions": packages}, unchecked


def plain(value: Any) -> Any:
    """The value with each Unknown as {"unknown": type} and each artifact as its digest, ready for JSON."""
    if isinstance(value, Unknown):
        return {"unknown": value.type}
    if isinstance(value, ArtifactRef):
        return value.digest if value.digest is not None else {"unknown": "string"}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def concealed(value: Any, *, sensitive: bool) -> Any:
    """The value, or of a sensitive one only that it is one: not even its digest is written, as that can be guessed."""
    return {"sensitive": ""} if sensitive else value
