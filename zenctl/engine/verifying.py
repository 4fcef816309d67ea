"""The operation behind `zenctl state verify`: finds what records name in the artifact store, and has it all read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from zenctl.addrs import covers
from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.engine.integrity import CODE, Fault, Named, Progress, Told, Verified, remove_corrupt, verify
from zenctl.engine.opening import OpeningError, open_configuration
from zenctl.engine.requests import Inputs
from zenctl.engine.world import World, open_world
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.records import Recorded
from zenctl.metadata.state import artifacts_made, read_recorded, read_state
from zenctl.metadata.store import ExecutionState, MetadataStore, Where
from zenctl.metadata.workspaces import workspaces

__all__ = ["Fault", "Named", "Progress", "Verified", "VerifyOutcome", "VerifyScope", "verify_state"]

CHUNK = 2000
"""Executions whose artifacts are read at once."""


@dataclass(frozen=True, slots=True)
class VerifyScope:
    """What is to be read: what the workspace's state names at these addresses (instances, blocks or modules; all if
    there are none), what the state of any workspace names, or all that was ever recorded and not deleted.

    `remove_corrupt` deletes what is proved to be wrong.
    """

    addresses: tuple[str, ...] = ()
    all_workspaces: bool = False
    everything: bool = False
    remove_corrupt: bool = False


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What was read, or only diagnostics."""

    verified: Verified | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def verify_state(inputs: Inputs, scope: VerifyScope, told: Told) -> VerifyOutcome:
    """Read every byte of what is in scope. `told` hears from several threads how far it is."""
    try:
        # Which stores there are is all that has to be right.
        opened = open_configuration(inputs, values_required=False, sound=False)
    except OpeningError as problem:
        return VerifyOutcome(None, problem.diagnostics, problem.sources)
    try:
        with open_world(opened, inputs, create=False) as world:
            verified = verify(world.storage, _named(world, scope), told)
            return VerifyOutcome(remove_corrupt(world.storage, verified) if scope.remove_corrupt else verified)
    except DiagnosticError as problem:
        return VerifyOutcome(None, problem.diagnostics, opened.sources)


def _named(world: World, scope: VerifyScope) -> dict[str, Named]:
    project, workspace = world.opened.configuration.settings.project, world.inputs.workspace
    if scope.everything:
        return named_by(world.store, _all_results(world.store, project), workspace)
    names = {workspace}
    if scope.all_workspaces:
        names |= {DEFAULT, *(item.name for item in workspaces(world.store, project))}
    results = [r for name in sorted(names) for r in read_state(world.store, project, name).results.values()]
    return named_by(world.store, _chosen(results, scope.addresses), workspace)


def _chosen(results: Sequence[Recorded], addresses: Sequence[str]) -> list[Recorded]:
    """The results that the addresses name; raises DiagnosticError where one names none."""
    problems = []
    for text in addresses:
        if not any(covers(text, recorded.addr) for recorded in results):
            hint = did_you_mean(text, [str(recorded.addr) for recorded in results])
            detail = f"`zenctl state list` lists what is recorded.{hint}"
            problems.append(error("not_recorded", f"No result is recorded for {text}", detail))
    if problems:
        raise DiagnosticError(*problems)
    return [r for r in results if not addresses or any(covers(text, r.addr) for text in addresses)]


def _all_results(store: MetadataStore, project: str) -> Iterable[Recorded]:
    """Every result of the project, but for what was deleted of it."""
    states = (ExecutionState.COMPLETE, ExecutionState.CACHED)
    executions = store.executions(Where(properties={"project": project}, states=states))
    for at in range(0, len(executions), CHUNK):
        yield from read_recorded(store, executions[at : at + CHUNK])


def named_by(store: MetadataStore, results: Iterable[Recorded], workspace: str) -> dict[str, Named]:
    """What results name in the artifact store, by digest; names of other workspaces than `workspace` say which.

    Of inputs only those that some record has as an output: another one was never stored.
    """
    names: dict[str, dict[str, None]] = {}
    types: dict[str, str] = {}
    inputs: list[tuple[int, str, str, str]] = []
    for recorded in results:
        where = str(recorded.addr) if recorded.workspace == workspace else f"{recorded.workspace}: {recorded.addr}"
        for name, artifact in recorded.outputs.items():
            if not artifact.deleted:
                types.setdefault(artifact.digest, artifact.type)
                names.setdefault(artifact.digest, {})[f"{where}.{name}"] = None
        for name, artifact in recorded.inputs.items():
            if not artifact.deleted:
                inputs.append((artifact.id, artifact.digest, artifact.type, f"input {name} of {where}"))
        archive = str(recorded.components.get("code", {}).get("archive", ""))
        if archive:
            types.setdefault(archive, CODE)
            names.setdefault(archive, {})[f"code of {where}"] = None
    foreign = [item for item in inputs if item[1] not in names]
    made = artifacts_made(store, {id_ for id_, *_ in foreign})
    for id_, digest, type_, name in foreign:
        if id_ in made:
            types.setdefault(digest, type_)
            names.setdefault(digest, {})[name] = None
    return {digest: Named(digest, types[digest], tuple(called)) for digest, called in names.items()}
