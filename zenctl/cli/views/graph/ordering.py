"""Orders the vertices within their columns so that few edges cross: sweeps by barycentre, then exchanges."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from zenctl.cli.views.graph.columns import Grid, Segment

SWEEPS = 24
"""How often the columns are gone through, there and back, at most."""

PATIENCE = 4
"""After so many sweeps without fewer crossings, no more are made."""

WORK = 2_000_000
"""Bound on the segments looked at in all sweeps, so that a huge graph is drawn less well but soon."""

EXCHANGED = 1_500
"""Graphs of more segments are not improved by exchanges."""


def order_columns(grid: Grid) -> None:
    """Bring each column of the grid into its order from top to bottom."""
    orderer = _Orderer(grid)
    count = max(1, sum(map(len, grid.gaps)))
    best, fewest = [list(column) for column in grid.columns], orderer.crossings()
    idle = 0
    for sweep in range(min(SWEEPS, WORK // count)):
        if not fewest or idle == PATIENCE:
            break
        orderer.sweep(forward=sweep % 2 == 0)
        now = orderer.crossings()
        idle = 0 if now < fewest else idle + 1
        if now < fewest:
            best, fewest = [list(column) for column in grid.columns], now
    for at, column in enumerate(best):
        orderer.set(at, column)
    if fewest and count <= EXCHANGED:
        orderer.exchange()


class _Orderer:
    """`place` is each vertex's index in its column. An end of a segment lies at the index and how far down it is."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.place = [0] * len(grid.heights)
        self.into: list[list[tuple[int, float, float]]] = [[] for _ in grid.heights]
        self.out: list[list[tuple[int, float, float]]] = [[] for _ in grid.heights]
        for gap in grid.gaps:
            for segment in gap:
                leaves, enters = (
                    self._depth(segment.source, segment.leaves),
                    self._depth(segment.target, segment.enters),
                )
                self.into[segment.target].append((segment.source, leaves, enters))
                self.out[segment.source].append((segment.target, enters, leaves))
        for at, column in enumerate(grid.columns):
            self.set(at, column)

    def set(self, at: int, column: Sequence[int]) -> None:
        """Give a column this order."""
        self.grid.columns[at] = list(column)
        for index, vertex in enumerate(column):
            self.place[vertex] = index

    def crossings(self) -> int:
        """How many pairs of segments cross."""
        return sum(self._crossings(gap) for gap in self.grid.gaps)

    def sweep(self, *, forward: bool) -> None:
        """Order each column by the middle of what it is tied to in the one before, or behind."""
        ties = self.into if forward else self.out
        numbers = range(1, len(self.grid.columns)) if forward else range(len(self.grid.columns) - 2, -1, -1)
        for at in numbers:
            column = self.grid.columns[at]
            middle = {vertex: self._middle(vertex, ties[vertex]) for vertex in column}
            # What is tied to nothing on that side stays between the neighbours it has.
            self.set(at, sorted(column, key=lambda vertex: (middle[vertex], self.place[vertex])))

    def exchange(self) -> None:
        """Exchange neighbours as long as that takes crossings away."""
        better = True
        while better:
            better = False
            for at, column in enumerate(self.grid.columns):
                for index in range(len(column) - 1):
                    upper, lower = column[index], column[index + 1]
                    if self._between(upper, lower) > self._between(lower, upper):
                        column[index], column[index + 1] = lower, upper
                        self.place[lower], self.place[upper] = index, index + 1
                        better = True
                self.set(at, column)

    def _middle(self, vertex: int, ties: list[tuple[int, float, float]]) -> float:
        if not ties:
            return float(self.place[vertex])
        return sum(self.place[other] + depth for other, depth, _ in ties) / len(ties)

    def _between(self, upper: int, lower: int) -> int:
        """Crossings of the segments of two vertices of a column if the one stands above the other."""
        found = 0
        for ties in (self.into, self.out):
            below = sorted(self.place[other] + depth for other, depth, _ in ties[lower])
            found += sum(bisect_left(below, self.place[other] + depth) for other, depth, _ in ties[upper])
        return found

    def _crossings(self, gap: list[Segment]) -> int:
        ends = sorted(
            (
                self.place[s.source] + self._depth(s.source, s.leaves),
                self.place[s.target] + self._depth(s.target, s.enters),
            )
            for s in gap
        )
        ranks = {key: rank for rank, key in enumerate(sorted({enters for _, enters in ends}), 1)}
        counted = [0] * (len(ranks) + 1)
        found = passed = 0
        for _, group in _grouped(ends):
            for enters in group:
                found += passed - _sum(counted, ranks[enters])
            for enters in group:
                _add(counted, ranks[enters])
            passed += len(group)
        return found

    def _depth(self, vertex: int, below: float) -> float:
        """How far down a vertex something lies, from 0 to less than 1."""
        height = self.grid.heights[vertex]
        return min(0.999, below / height) if height else 0.5


def _grouped(ends: list[tuple[float, float]]) -> list[tuple[float, list[float]]]:
    """Pairs, sorted, by their first part: segments that begin at one point do not cross."""
    found: list[tuple[float, list[float]]] = []
    for leaves, enters in ends:
        if not found or found[-1][0] != leaves:
            found.append((leaves, []))
        found[-1][1].append(enters)
    return found


def _sum(tree: list[int], rank: int) -> int:
    """How many of rank 1 to `rank` were added (a Fenwick tree)."""
    total = 0
    while rank:
        total += tree[rank]
        rank -= rank & -rank
    return total


def _add(tree: list[int], rank: int) -> None:
    while rank < len(tree):
        tree[rank] += 1
        rank += rank & -rank
