"""Places vertices within their columns so that long edges are straight and what belongs together stands level.

After U. Brandes and B. Koepf, "Fast and simple horizontal coordinate assignment" (2001): vertices that can stand level
with each other form blocks, four times, preferring the left or the right, the upper or the lower; each set of blocks is
packed, and every vertex stands in the middle of its four places.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import inf

from zenctl.cli.views.graph.columns import Grid, Segment
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Tie:
    """A segment seen from one of its ends: `shift` is how far below the other's top its own stands if it is level."""

    other: int
    shift: float


def level_vertices(grid: Grid, items: int, apart: float, lines_apart: float) -> list[float]:
    """The top of each vertex, the least 0. The first `items` vertices are items, which keep `apart` pixels from each
    other; what lies next to a waypoint keeps `lines_apart`.
    """
    leveler = _Leveler(grid, items, apart, lines_apart)
    layouts = [leveler.layout(to_left, downwards) for to_left in (True, False) for downwards in (True, False)]
    return _balanced(layouts, grid.heights)


def _balanced(layouts: Sequence[list[float]], heights: Sequence[float]) -> list[float]:
    """The middle of four layouts, which are brought to the narrowest of them: two by their top, two by their bottom."""
    spans = [_span(tops, heights) for tops in layouts]
    narrowest = min(range(len(layouts)), key=lambda i: spans[i][1] - spans[i][0])
    for number, tops in enumerate(layouts):
        end = number % 2
        move = spans[narrowest][end] - spans[number][end]
        tops[:] = [top + move for top in tops]
    middles = []
    for places in zip(*layouts, strict=True):
        ordered = sorted(places)
        middles.append((ordered[1] + ordered[2]) / 2)
    least = min(middles, default=0.0)
    return [middle - least for middle in middles]


def _span(tops: Sequence[float], heights: Sequence[float]) -> tuple[float, float]:
    bottoms = [top + height for top, height in zip(tops, heights, strict=True)]
    return min(tops, default=0.0), max(bottoms, default=0.0)


class _Leveler:
    def __init__(self, grid: Grid, items: int, apart: float, lines_apart: float) -> None:
        self.grid = grid
        self.items = items
        self.apart = apart
        self.lines_apart = lines_apart
        self.place = {vertex: index for column in grid.columns for index, vertex in enumerate(column)}
        self.left: list[list[_Tie]] = [[] for _ in grid.heights]
        self.right: list[list[_Tie]] = [[] for _ in grid.heights]
        for gap in grid.gaps:
            self._tie(gap)
        for ties in (*self.left, *self.right):
            ties.sort(key=lambda tie: self.place[tie.other])

    def layout(self, to_left: bool, downwards: bool) -> list[float]:
        """The top of each vertex where blocks are made with what is to the left, or right, and packed to the top, or
        bottom: the latter is the former upside down.
        """
        heights = self.grid.heights
        columns = self.grid.columns if downwards else [column[::-1] for column in self.grid.columns]
        root, offset = self._blocks(
            columns if to_left else columns[::-1], self.left if to_left else self.right, downwards
        )
        tops = self._pack(columns, root, offset)
        return tops if downwards else [-top - height for top, height in zip(tops, heights, strict=True)]

    def _tie(self, gap: Sequence[Segment]) -> None:
        """Note which vertices would stand level. What crosses a long edge, or branches off from it, gives way to it."""
        lines = sorted((self.place[s.source], self.place[s.target]) for s in gap if self._is_line(s))
        sources = [source for source, _ in lines]
        highest = list(accumulate((target for _, target in lines), max))
        lowest = list(accumulate((target for _, target in reversed(lines)), min))[::-1]
        go_on = {s.source for s in gap if self._is_line(s)}
        for s in gap:
            source, target = self.place[s.source], self.place[s.target]
            if not self._is_line(s):
                before, behind = bisect_left(sources, source), bisect_right(sources, source)
                crosses = (before > 0 and highest[before - 1] > target) or (
                    behind < len(lines) and lowest[behind] < target
                )
                if crosses or s.source in go_on:
                    continue
            self.left[s.target].append(_Tie(s.source, s.leaves - s.enters))
            self.right[s.source].append(_Tie(s.target, s.enters - s.leaves))

    def _is_line(self, segment: Segment) -> bool:
        """Whether it is a piece of a long edge, between two waypoints."""
        return segment.source >= self.items and segment.target >= self.items

    def _blocks(
        self, columns: Sequence[Sequence[int]], side: Sequence[Sequence[_Tie]], downwards: bool
    ) -> tuple[list[int], list[float]]:
        """The block of each vertex, named by its first, and how far below that one's top its own is.

        A vertex joins the block of the median of what it is tied to, unless a tie that was used before is in the way.
        """
        heights = self.grid.heights
        root = list(range(len(heights)))
        offset = [0.0] * len(heights)
        for column in columns:
            bound = -1 if downwards else len(heights)
            for vertex in column:
                ties = side[vertex]
                medians = [ties[(len(ties) - 1) // 2], ties[len(ties) // 2]] if ties else []
                for tie in medians if downwards else medians[::-1]:
                    place = self.place[tie.other]
                    if root[vertex] != vertex or (place <= bound if downwards else place >= bound):
                        continue
                    bound = place
                    mirrored = heights[tie.other] - heights[vertex] - tie.shift
                    root[vertex] = root[tie.other]
                    offset[vertex] = offset[tie.other] + (tie.shift if downwards else mirrored)
        return root, offset

    def _pack(self, columns: Sequence[Sequence[int]], root: Sequence[int], offset: Sequence[float]) -> list[float]:
        """The top of each vertex with all blocks as far up as they can be, then down towards what holds them."""
        below: dict[int, dict[int, float]] = {vertex: {} for vertex in root}
        missing = dict.fromkeys(below, 0)
        for column in columns:
            for upper, lower in pairwise(column):
                items = upper < self.items and lower < self.items
                least = self.grid.heights[upper] + (self.apart if items else self.lines_apart)
                least += offset[upper] - offset[lower]
                known = below[root[upper]].get(root[lower])
                if known is None:
                    missing[root[lower]] += 1
                below[root[upper]][root[lower]] = least if known is None else max(known, least)
        packed = {block: 0.0 for block, count in missing.items() if not count}
        order = list(packed)
        for block in order:
            for other, least in below[block].items():
                packed[other] = max(packed.get(other, -inf), packed[block] + least)
                missing[other] -= 1
                if not missing[other]:
                    order.append(other)
        for block in reversed(order):
            if below[block]:
                packed[block] = max(packed[block], min(packed[other] - least for other, least in below[block].items()))
        return [packed[block] + down for block, down in zip(root, offset, strict=True)]
