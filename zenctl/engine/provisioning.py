"""Finds out which machines the jobs of a plan will be run on: those that their backends would make. Reaches nothing."""

from __future__ import annotations

from collections.abc import Mapping

from zenctl.addrs import BackendAddr
from zenctl.diagnostics import Diagnostic
from zenctl.engine.desired import DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.observed import Observed
from zenctl.engine.planning import Planned
from zenctl.engine.providers import Providers, provider_diagnostic
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change, PlannedMachines
from zenctl.provider import MachinePool, ProviderError, Provisioning

Job = tuple[Change, "DesiredDatasource | DesiredStep"]
"""What runs or may run, and what is asked for."""


def planned_machines(
    planned: Planned, observed: Observed, providers: Providers
) -> tuple[tuple[PlannedMachines, ...], list[Diagnostic]]:
    """The machines for the jobs of what was planned, and what is wrong with backends that cannot tell.

    Backends that share their machines, since they are configured alike, are one entry.
    """
    placed: dict[BackendAddr, list[Job]] = {}
    for change in planned.changes:
        node = planned.desired.get(change.addr)
        if change.action not in (Action.RUN, Action.MAY_RUN) or node is None or isinstance(node, DesiredEndpoint):
            continue
        source = observed.sources.get(change.addr)
        where = providers.placed_job(node, source.locations if source is not None else {})
        placed.setdefault(where, []).append((change, node))
    shared: dict[tuple[str, str], list[tuple[BackendAddr, MachinePool]]] = {}
    found: list[Diagnostic] = []
    for where, jobs in placed.items():
        try:
            pools = _pools(where, jobs, providers)
        except ProviderError as problem:
            place = providers.declared(where)
            found.append(provider_diagnostic(problem, str(where), range=place, address=str(where)))
            continue
        for number, pool in enumerate(pools):
            key = (where.type, pool.key or f"{where}/{number}")
            shared.setdefault(key, []).append((where, pool))
    return tuple(_machines(owners, placed) for owners in shared.values()), found


def _pools(where: BackendAddr, jobs: list[Job], providers: Providers) -> list[MachinePool]:
    compute = providers.compute(where)
    if not isinstance(compute, Provisioning):
        return []
    return list(compute.pools([node.resources for _, node in jobs]))


def _machines(
    owners: list[tuple[BackendAddr, MachinePool]], placed: Mapping[BackendAddr, list[Job]]
) -> PlannedMachines:
    changes = [change for where, _ in owners for change, _ in placed[where]]
    return PlannedMachines(
        backends=tuple(str(where) for where, _ in owners),
        pool=owners[0][1],
        runs=tuple(change.address for change in changes if change.action is Action.RUN),
        may_run=tuple(change.address for change in changes if change.action is Action.MAY_RUN),
    )
