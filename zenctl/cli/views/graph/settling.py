"""Places vertices within their columns near what they are tied to, as closely packed as that allows."""

from __future__ import annotations

from zenctl.cli.views.graph.columns import Grid

PASSES = 24
"""How often the columns are gone through, there and back."""

LINE = 8.0
"""Weight of a piece between two waypoints: long edges bend little."""

Pull = tuple[int, float, float]
"""A vertex, how far below its own top the other would have its top, and how strongly."""


def settle_vertices(grid: Grid, items: int, apart: float, lines_apart: float) -> list[float]:
    """The top of each vertex, the least 0. The first `items` vertices are items, which keep `apart` pixels from each
    other; what lies next to a waypoint keeps `lines_apart`.
    """
    pulls: list[list[Pull]] = [[] for _ in grid.heights]
    for gap in grid.gaps:
        for s in gap:
            weight = (1.0, 2.0, LINE)[(s.source >= items) + (s.target >= items)]
            pulls[s.target].append((s.source, s.leaves - s.enters, weight))
            pulls[s.source].append((s.target, s.enters - s.leaves, weight))
    tops = [0.0] * len(grid.heights)
    packed = [_packed(column, grid.heights, items, apart, lines_apart) for column in grid.columns]
    for column, offset in zip(grid.columns, packed, strict=True):
        for vertex, top in zip(column, offset, strict=True):
            tops[vertex] = top - offset[-1] / 2
    order = list(range(len(grid.columns)))
    for number in range(PASSES):
        for at in order if number % 2 == 0 else reversed(order):
            _settle(grid.columns[at], packed[at], tops, pulls)
    least = min(tops, default=0.0)
    return [top - least for top in tops]


def _packed(column: list[int], heights: list[float], items: int, apart: float, lines_apart: float) -> list[float]:
    """The tops of a column's vertices, packed as closely as they may stand."""
    found: list[float] = []
    at = 0.0
    for index, vertex in enumerate(column):
        if index:
            above = column[index - 1]
            at += heights[above] + (apart if vertex < items and above < items else lines_apart)
        found.append(at)
    return found


def _settle(column: list[int], packed: list[float], tops: list[float], pulls: list[list[Pull]]) -> None:
    """Move a column's vertices as near as possible to where they are pulled, in least squares, order and gaps kept.

    Less the closest packing, tops must only not decrease: that is an isotonic regression, and pooling neighbours that
    would overlap solves it exactly.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many vertices
    for vertex, offset in zip(column, packed, strict=True):
        pulled = weight = 0.0
        for other, shift, strength in pulls[vertex]:
            pulled += strength * (tops[other] + shift)
            weight += strength
        if not weight:
            pulled, weight = 0.01 * tops[vertex], 0.01
        pool = (pulled / weight - offset, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    index = 0
    for mean, _, count in pools:
        for _ in range(count):
            tops[column[index]] = mean + packed[index]
            index += 1
