"""Lays the runs of an address side by side: what they were given that differs, and their metrics, the best marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from zenctl.addrs import Address, AddressError, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.digests import canonical_json
from zenctl.engine.metrics import best, direction, metrics_of
from zenctl.engine.state_differences import check_workspace
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.lineage import LineageNode, lineages
from zenctl.metadata.past import newest_results
from zenctl.metadata.records import Recorded
from zenctl.metadata.state import read_heads
from zenctl.metadata.store import MetadataStore


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """Something that a run was given, and the address of what was given it.

    `kind` is `parameter`, `code`, `data`, `package` or `image`.
    """

    address: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    """One result, with all that it and what it was made from were given, and its metrics."""

    recorded: Recorded
    given: Mapping[Column, Any] = field(default_factory=dict, hash=False)
    metrics: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class RunTable:
    """The runs of an address, newest first, with the columns that differ among them.

    `ways` tells of each metric whether `max` or `min` is better, or ""; `best` the indices of the best runs.
    """

    addr: Address
    runs: tuple[Run, ...]
    columns: tuple[Column, ...]
    ways: Mapping[str, str]
    best: Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compare. `last` is the most runs of an address in each workspace.

    `ways` are the metrics that were asked for, all if there are none; each with `max` or `min`, or "" for what its name
    tells.
    """

    addresses: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    last: int = 10
    ways: Mapping[str, str] = field(default_factory=dict, hash=False)


def compare_runs(store: MetadataStore, project: str, wanted: Wanted) -> list[RunTable]:
    """A table for each address; without addresses for each that has metrics now. Raises DiagnosticError.

    The number of queries grows with addresses, workspaces and the depth of the pipeline, not with history.
    """
    for name in wanted.workspaces:
        check_workspace(store, project, name)
    heads = [recorded for name in wanted.workspaces for recorded in read_heads(store, project, name)]
    found = {addr: _results(store, project, addr, wanted) for addr in _addresses(wanted, heads)}
    empty = [addr for addr, results in found.items() if not results]
    if empty:
        raise DiagnosticError(*(_nothing(addr, heads) for addr in empty))
    every = [recorded for results in found.values() for recorded in results]
    known = dict.fromkeys(name for recorded in every for name in metrics_of(recorded))
    for name in wanted.ways:
        if name not in known:
            detail = f"They have {', '.join(known)}.{did_you_mean(name, known)}" if known else "They have none."
            raise DiagnosticError(error("unknown_metric", f'No run has a metric "{name}"', detail))
    nodes = lineages(store, [recorded.execution_id for recorded in every])
    return [_table(addr, results, nodes, wanted) for addr, results in found.items()]


def _addresses(wanted: Wanted, heads: Sequence[Recorded]) -> list[Address]:
    if not wanted.addresses:
        return list(dict.fromkeys(recorded.addr for recorded in heads if metrics_of(recorded)))
    try:
        return list(dict.fromkeys(parse(text) for text in wanted.addresses))
    except AddressError as problem:
        raise DiagnosticError(error("bad_address", str(problem), "`zenctl state list` lists all.")) from problem


def _results(store: MetadataStore, project: str, addr: Address, wanted: Wanted) -> list[Recorded]:
    """The newest results, newest first; what a workspace took from an earlier run of its own is that run."""
    found: dict[tuple[str, int], Recorded] = {}
    for workspace in wanted.workspaces:
        for recorded in newest_results(store, project, workspace, addr, wanted.last):
            if recorded.operation != "delete":
                found[workspace, recorded.source or recorded.execution_id] = recorded
    return sorted(found.values(), key=lambda recorded: -recorded.execution_id)


def _nothing(addr: Address, heads: Sequence[Recorded]) -> Diagnostic:
    hint = did_you_mean(str(addr), [str(recorded.addr) for recorded in heads])
    return error("not_recorded", f"There is no result of {addr}", f"`zenctl state list` lists what is recorded.{hint}")


def _table(addr: Address, results: Sequence[Recorded], nodes: Mapping[int, LineageNode], wanted: Wanted) -> RunTable:
    runs = []
    for recorded in results:
        metrics = metrics_of(recorded)
        kept = {name: metrics[name] for name in wanted.ways if name in metrics} if wanted.ways else metrics
        runs.append(Run(recorded, dict(_given(nodes[recorded.execution_id])), kept))
    names = dict.fromkeys(column for run in runs for column in run.given)
    columns = tuple(column for column in names if len({canonical_json(run.given.get(column)) for run in runs}) > 1)
    ways = {
        name: wanted.ways.get(name) or direction(name) for name in dict.fromkeys(n for r in runs for n in r.metrics)
    }
    marked = {name: best(_values(runs, name), way) for name, way in ways.items()}
    return RunTable(addr, tuple(runs), columns, ways, marked)


def _values(runs: Sequence[Run], name: str) -> dict[int, Any]:
    return {index: run.metrics[name] for index, run in enumerate(runs) if name in run.metrics}


def _given(root: LineageNode) -> Iterator[tuple[Column, Any]]:
    """What a run and everything it was made from were given, the nearest first. Of packages only the run's own."""
    seen: set[int] = set()
    level = [root]
    while level:
        below: list[LineageNode] = []
        for node in level:
            if node.recorded.execution_id in seen:
                continue
            seen.add(node.recorded.execution_id)
            yield from _of(node.recorded)
            below += node.inputs.values()
        level = below
    address = str(root.recorded.addr)
    if root.recorded.environment.get("image"):
        yield Column(address, "image", "image"), root.recorded.environment["image"]
    for name, version in {**root.recorded.environment.get("distributions", {})}.items():
        yield Column(address, "package", name), version


def _of(recorded: Recorded) -> Iterator[tuple[Column, Any]]:
    address = str(recorded.addr)
    for name, value in _flat(recorded.components.get("params", {})):
        yield Column(address, "parameter", name), value
    code = recorded.components.get("code", {}).get("digest")
    if code:
        yield Column(address, "code", "code"), code
    source = recorded.components.get("source", {})
    if source.get("digest"):
        yield Column(address, "data", "data"), {"digest": source["digest"], "rows": source.get("rows")}


def _flat(params: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Parameters by path: `gates.accuracy.min`. Lists, and the marks of sensitive values, are values."""
    for name, value in params.items():
        inside = isinstance(value, Mapping) and value and not set(value) <= {"sensitive", "unknown"}
        if inside:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
