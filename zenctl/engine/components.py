"""Builds the components of a fingerprint from what is wanted, what is there, and what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, Union

from zenctl.engine.desired import DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.fingerprint.code import Closure
from zenctl.fingerprint.digest import DECLARED
from zenctl.metadata.state import Recorded
from zenctl.plans.actions import Components
from zenctl.plans.planfile import decode_components
from zenctl.schema import ArtifactRef, SourceState, Unknown

N = TypeVar("N", bound=Union[DesiredDatasource, DesiredStep])


def datasource_components(
    desired: DesiredDatasource, source: SourceState | None, environment: Mapping[str, Any]
) -> Components:
    """Of a datasource; its source is {} while its place is not known."""
    kind = desired.config.type
    return Components(
        type=f"datasource.{kind.name}/{kind.version}",
        params=plain(desired.fingerprint_params),
        source=source_facts(source) if source else {},
        environment=environment,
    )


def source_facts(source: SourceState) -> dict[str, Any]:
    """What is recorded of a source."""
    facts: dict[str, Any] = {"digest": source.digest, "bytes": source.bytes, "rows": source.rows}
    return {**facts, "columns": dict(source.columns)} if source.columns else facts


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
            **({"pin": dict(closure.pin)} if closure.pin else {}),
        }
    return Components(
        type=f"{kind.name}/{kind.version}",
        code=code,
        params=plain(desired.fingerprint_params),
        inputs={name: ref.digest or "" for name, ref in desired.inputs.items()},
        environment=environment,
        triggers_replace=desired.triggers_replace,
    )


def with_archive(components: Components, digest: str) -> Components:
    """The components of a record that names the archive with the code's source. The fingerprint stays what it is."""
    if not components.code or not digest:
        return components
    return replace(components, code={**components.code, "archive": digest})


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
    kept = {name: observed[name] for name in ("imports", "preload", *DECLARED) if name in observed}
    return {"python": observed.get("python", ""), "distributions": packages, **kept}, unchecked


def ignoring(wanted: Components, recorded: Recorded | None, paths: Sequence[Sequence[str]]) -> Components:
    """The components with what `ignore_changes` names as it was recorded: changes of these alone make nothing stale.

    A path begins with `code`, `environment`, `source`, `inputs`, `triggers_replace` or `params`; any other is one of
    the parameters.
    """
    if recorded is None or not paths:
        return wanted
    before = decode_components(recorded.components)
    for path in paths:
        if not path:
            return before if before.type == wanted.type else wanted
        name, *rest = path
        if name not in ("code", "environment", "source", "inputs", "triggers_replace", "params"):
            name, rest = "params", list(path)
        old, new = getattr(before, name), getattr(wanted, name)
        wanted = replace(wanted, **{name: _restored(new, old, rest)})
    return wanted


def with_ignored(desired: N, recorded: Recorded | None) -> N:
    """What is wanted, with parameters that `ignore_changes` names as they were recorded: a run takes these too."""
    paths = desired.config.meta.lifecycle.ignore_changes
    if recorded is None or not paths:
        return desired
    before = decode_components(recorded.components).params
    params, shown = desired.params, desired.fingerprint_params
    for path in paths:
        inside = path[1:] if path[:1] == ("params",) else path
        if path[:1] in (("code",), ("environment",), ("source",), ("inputs",), ("triggers_replace",)) or _is_secret(
            before, inside
        ):
            continue
        params, shown = _restored(params, before, inside), _restored(shown, before, inside)
    return replace(desired, params=params, fingerprint_params=shown)


def served_as_recorded(desired: DesiredEndpoint, recorded: Recorded | None) -> DesiredEndpoint:
    """An endpoint with what `ignore_changes` names, its model or attributes, as it was recorded."""
    paths = desired.config.meta.lifecycle.ignore_changes
    if recorded is None or not paths:
        return desired
    before = recorded.components.get("params", {})
    model, config, shown = desired.model, desired.config_data, desired.shown_config
    served = recorded.inputs.get("model")
    for path in paths:
        if served is not None and path in ((), ("model",)):
            model = replace(model, digest=served.digest, uri=served.uri)
        if path == ("model",) or _is_secret(before, path):
            continue
        for name in list(config) if not path else [path[0]]:
            inside = (name, *path[1:])
            if not _is_secret(before, inside):
                config, shown = _restored(config, before, inside), _restored(shown, before, inside)
    return replace(desired, model=model, config_data=config, shown_config=shown)


def _is_secret(value: Any, path: Sequence[str]) -> bool:
    """Whether what stands at a path, or something in it, was recorded as a digest only."""
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return "sensitive" in value if isinstance(value, Mapping) else False


def _restored(new: Any, old: Any, path: Sequence[str]) -> Any:
    """`new` with what stands at a path as it is in `old`."""
    if not path:
        return old
    if not isinstance(new, Mapping) or not isinstance(old, Mapping) or path[0] not in old:
        return new
    return {**new, path[0]: _restored(new.get(path[0]), old[path[0]], path[1:])}


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


def commit_of(components: Components, here: Mapping[str, Any]) -> Mapping[str, Any]:
    """Which commit the code is of: that of the configuration's folder, `here`, or the one that it is pinned to."""
    pin = components.code.get("pin")
    if not pin:
        return here
    remote = pin["repository"] or here.get("remote", "")
    return {"commit": pin["commit"], "branch": "", "remote": remote, "dirty": False, "ref": pin["ref"]}


def concealed(value: Any, *, sensitive: bool) -> Any:
    """The value, or of a sensitive one only that it is one: not even its digest is written, as that can be guessed."""
    return {"sensitive": ""} if sensitive else value
