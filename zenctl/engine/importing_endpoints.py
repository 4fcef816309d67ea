"""Makes a live endpoint that zenctl has no record of a managed one, as an apply of its own; changes nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.addrs import EndpointAddr
from zenctl.config.files import HCL_SUFFIX
from zenctl.config.selected import DEFAULT
from zenctl.config.texts import write_text
from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.components import plain
from zenctl.engine.desired import DesiredEndpoint
from zenctl.engine.events import Listener
from zenctl.engine.known import recorded_results
from zenctl.engine.providers import provider_diagnostic
from zenctl.engine.requests import Imported, ImportRequest
from zenctl.engine.single_apply import single_apply
from zenctl.engine.unconfigured import block_text, is_configured
from zenctl.engine.world import World
from zenctl.fingerprint.digest import is_unknown
from zenctl.fingerprint.git import code_version
from zenctl.jobs.artifacts import tree_path
from zenctl.lang.document import Raw
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import RecordedArtifact, WorkspaceState, read_state
from zenctl.metadata.workspaces import workspaces
from zenctl.plans.actions import Components
from zenctl.provider import EndpointState, Importable, ProviderError


@dataclass(frozen=True, slots=True)
class _Live:
    """An endpoint that is there, and the attributes of a block that asks for it as it is."""

    state: EndpointState
    digest: str
    config: Mapping[str, Any]


def import_endpoint(world: World, addr: EndpointAddr, request: ImportRequest, listener: Listener) -> Imported:
    """Find it and record it. Raises DiagnosticError; nothing is recorded then."""
    desired = _desired(world, addr)
    live = _find(world, addr, request.ids, desired.config.provider)
    with single_apply(world, (addr,), listener, request.lock_timeout) as made:
        _check_unmanaged(world, addr, live, made.state, desired.config.provider)
        shown = {name: value for name, value in plain(desired.shown_config).items() if not is_unknown(value)}
        components = Components(
            type=f"endpoint.{addr.type}/1", params={**shown, **live.config}, inputs={"model": live.digest}
        )
        served = desired.model.address if desired.model.digest == live.digest else None
        model = RecordedArtifact(0, "Model", tree_path(live.digest), live.digest, address=served)
        state = live.state
        attributes = {"name": state.name, "url": state.url, "provider": desired.config.provider, **state.attributes}
        version = code_version(world.inputs.root)
        places = {"endpoint": state.name}
        made.recorder.endpoint(addr, components, attributes, {"model": model}, "", version, imported_from=places)
    return Imported(str(addr), made.recorder.serial, imported_from=places, attributes=attributes)


def write_block(world: World, addr: EndpointAddr, request: ImportRequest) -> str:
    """Write the block of an endpoint that is not configured to a new file; gives the file's name.

    Raises DiagnosticError: it is configured, the file is there, or no recorded result is the model that it serves.
    """
    name = request.config_out
    if is_configured(world.opened, addr):
        detail = "Leave out -generate-config-out: its block says already what it is to be."
        raise DiagnosticError(error("configured", f"{addr.block} is in the configuration", detail))
    if addr.module or addr.key is not None or "/" in name or not name.endswith(HCL_SUFFIX):
        detail = (
            f"It writes one block into a new file beside the others: -generate-config-out={addr.name}{HCL_SUFFIX} "
            f"for an address such as endpoint.{addr.type}.{addr.name}."
        )
        raise DiagnosticError(error("bad_argument", f"-generate-config-out={name} cannot hold {addr}", detail))
    live = _find(world, addr, request.ids, "")
    settings = world.opened.configuration.settings
    state = read_state(world.store, settings.project, world.inputs.workspace)
    # Before anything is written.
    _check_unmanaged(world, addr, live, state, "")
    text = block_text(
        addr,
        world.opened.registry.endpoint_type(addr.type)[1].model,
        {"model": _reference(live, state), **live.config},
    )
    place = world.inputs.root / name
    if place.exists() or place.is_symlink():
        raise DiagnosticError(error("file_exists", f"{name} is there already", f"Nothing was written of:\n\n{text}"))
    _write(place, text)
    return name


def _write(place: Path, text: str) -> None:
    try:
        write_text(place, text)
    except OSError as problem:
        summary = f"{place.name} cannot be written: {problem.strerror}"
        raise DiagnosticError(error("unwritable_file", summary, "Check the permissions of its folder.")) from problem


def _reference(live: _Live, state: WorkspaceState) -> Raw:
    """The output that the endpoint serves, as an expression."""
    for addr, recorded in sorted(state.results.items(), key=lambda item: str(item[0])):
        for name, artifact in recorded.outputs.items():
            if artifact.digest == live.digest and artifact.type == "Model" and not addr.module:
                return Raw(f"{addr}.{name}")
    detail = (
        "Import or apply the step that made it first, so that the block can name it, "
        "or write the block yourself with the model that it is to serve."
    )
    raise DiagnosticError(
        error("model_unknown", f"No recorded result is the model {live.digest[:12]} that it serves", detail)
    )


def _desired(world: World, addr: EndpointAddr) -> DesiredEndpoint:
    state = read_state(world.store, world.opened.configuration.settings.project, world.inputs.workspace)
    known = recorded_results(state)
    instances = world.opened.evaluator.instances(addr.block, known)
    desired, found = world.opened.evaluator.node(addr, known)
    problems = [problem for problem in (*instances.diagnostics, *found) if problem.is_error]
    if problems:
        raise DiagnosticError(*problems)
    if addr not in instances.addresses or not isinstance(desired, DesiredEndpoint) or not desired.enabled:
        detail = "It is switched off with `enabled`, or its block has no such instance."
        raise DiagnosticError(error("not_importable", f"{addr} is not part of the configuration now", detail))
    return desired


def _find(world: World, addr: EndpointAddr, ids: tuple[str, ...], provider: str) -> _Live:
    """The live endpoint; raises DiagnosticError unless there is one that says which model it serves."""
    if len(ids) != 1:
        detail = f"Give its name or its URL: zenctl import {addr} NAME"
        raise DiagnosticError(error("bad_argument", "An endpoint is named by one ID", detail))
    type_ = world.providers.endpoint(addr.type, provider)
    if not isinstance(type_, Importable):
        detail = "Its provider offers no way to take over what is there already."
        raise DiagnosticError(error("not_importable", f"Endpoints of type {addr.type} cannot be imported", detail))
    try:
        state = type_.find(ids[0])
    except ProviderError as problem:
        raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
    if state is None:
        detail = "Give its name as its provider knows it, or the URL of its model."
        raise DiagnosticError(error("endpoint_missing", f'There is no live {addr.type} endpoint "{ids[0]}"', detail))
    if not state.ready or state.model_digest is None:
        said = state.problem or "It does not say which model it serves"
        detail = f"{said[:1].upper()}{said[1:]}. Without that a record would prove nothing."
        raise DiagnosticError(error("endpoint_silent", f'The endpoint "{state.name}" is not ready', detail))
    return _Live(state, state.model_digest, type_.config(state))


def _check_unmanaged(world: World, addr: EndpointAddr, live: _Live, state: WorkspaceState, provider: str) -> None:
    """Refuse an endpoint that an address has already, of any workspace, and an address that has a live one."""
    recorded = state.results.get(addr)
    if recorded is not None:
        name = str(recorded.attributes.get("name", ""))
        try:
            there = world.providers.endpoint(addr.type, provider).read(name) if name else None
        except ProviderError as problem:
            raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
        if there is not None:
            detail = f"It is {recorded.attributes.get('url', name)}. An address has one endpoint at a time."
            raise DiagnosticError(error("not_importable", f"{addr} has an endpoint already", detail))
    names = {DEFAULT, state.workspace, *(w.name for w in workspaces(world.store, state.project))}
    for workspace in sorted(names):
        recorded_there = state if workspace == state.workspace else read_state(world.store, state.project, workspace)
        for other, record in recorded_there.results.items():
            same = other.type == addr.type and record.attributes.get("name") == live.state.name
            if isinstance(other, EndpointAddr) and same and (other, workspace) != (addr, state.workspace):
                where = "" if workspace == state.workspace else f' of workspace "{workspace}"'
                instead = "A `removed` block there lets it go." if where else "`moved` brings it to another address."
                detail = f"Two records of one endpoint would change it in turn. {instead}"
                summary = f'The endpoint "{live.state.name}" is managed already, as {other}{where}'
                raise DiagnosticError(error("not_importable", summary, detail))
