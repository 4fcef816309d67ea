"""Puts the vertices of a graph into columns so that every edge leads to the right, and long edges through waypoints."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field

from zenctl.lazy_dataclasses import dataclass

MOST_WAYPOINTS = 50_000
"""Where more would be needed, edges over several columns are drawn straight: such a graph cannot be read anyway."""


@dataclass(frozen=True, slots=True)
class Item:
    """A rectangle to be placed; lengths are in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge from an item's right side to another's left side, `leaves` and `enters` pixels below their tops."""

    source: int
    target: int
    leaves: float
    enters: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of edges between neighbouring columns, from vertex to vertex; `leaves` and `enters` are as in Link."""

    source: int
    target: int
    leaves: float
    enters: float


@dataclass(slots=True)
class Grid:
    """Vertices in columns: first the items, by their index, then waypoints. `heights` are those of all vertices.

    `gaps[k]` are the segments from column k to the next. Links with one source and `leaves` share their way as long
    as they can: `trunks` are the waypoints of such ways, `ways` gives for each link its trunk and how many it passes.
    """

    columns: list[list[int]]
    heights: list[float]
    gaps: list[list[Segment]]
    trunks: list[list[int]] = field(default_factory=list)
    ways: list[tuple[int, int]] = field(default_factory=list)


def assign_columns(
    count: int, links: Sequence[Link], first: Collection[int] = (), last: Collection[int] = ()
) -> list[int]:
    """The column of each item, as far left as its edges allow; one without edges into it stands before its first user.

    Items in `first` and `last` have a column of their own at the edge. The links must not make a loop.
    """
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        before[link.target].append(link.source)
        after[link.source].append(link.target)
    order = sorted_by_links(count, links)
    assert len(order) == count, "the links make a loop"
    lowest = 1 if first else 0
    column = [0] * count
    for item in order:
        if item not in first:
            column[item] = max([lowest, *(column[b] + 1 for b in before[item])])
    end = max((column[item] for item in range(count) if item not in last), default=-1) + 1
    for item in last:
        column[item] = end
    for item in reversed(order):
        if not before[item] and after[item] and item not in first:
            column[item] = max(column[item], min(column[a] for a in after[item]) - 1)
    return column


def sorted_by_links(count: int, links: Sequence[Link]) -> list[int]:
    """The items in an order in which every link leads forward; those in or behind a loop are left out."""
    after: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for link in links:
        after[link.source].append(link.target)
        missing[link.target] += 1
    ready = [item for item in range(count) if not missing[item]]
    for item in ready:
        for target in after[item]:
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return ready


def make_grid(items: Sequence[Item], links: Sequence[Link], column: Sequence[int], thickness: float) -> Grid:
    """The grid of items in these columns; a waypoint takes `thickness` pixels of its column's height."""
    grid = Grid([[] for _ in range(max(column, default=-1) + 1)], [item.height for item in items], [])
    grid.gaps = [[] for _ in grid.columns]
    for item, at in enumerate(column):
        grid.columns[at].append(item)
    reach: dict[tuple[int, float], int] = {}
    for link in links:
        trunk = (link.source, link.leaves)
        reach[trunk] = max(reach.get(trunk, 0), column[link.target])
    bent = sum(max(0, end - column[source] - 1) for (source, _), end in reach.items()) <= MOST_WAYPOINTS
    numbers = {trunk: number for number, trunk in enumerate(reach)}
    grid.trunks = [[] for _ in numbers]
    for link in links:
        span = column[link.target] - column[link.source] - 1
        number = numbers[link.source, link.leaves]
        passed = grid.trunks[number]
        while bent and len(passed) < span:
            _extend(grid, passed, link, column[link.source] + 1 + len(passed), thickness)
        grid.ways.append((number, span if bent else 0))
        if bent or not span:
            near, leaves = (passed[span - 1], thickness / 2) if span else (link.source, link.leaves)
            grid.gaps[column[link.target] - 1].append(Segment(near, link.target, leaves, link.enters))
    return grid


def _extend(grid: Grid, passed: list[int], link: Link, at: int, thickness: float) -> None:
    """Add the next waypoint of a trunk, in column `at`."""
    vertex = len(grid.heights)
    grid.heights.append(thickness)
    grid.columns[at].append(vertex)
    near, leaves = (passed[-1], thickness / 2) if passed else (link.source, link.leaves)
    grid.gaps[at - 1].append(Segment(near, vertex, leaves, thickness / 2))
    passed.append(vertex)
