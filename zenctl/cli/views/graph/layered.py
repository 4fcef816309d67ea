"""Lays out a graph in layers from left to right: rectangles that do not overlap, edges that go around them. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from zenctl.cli.views.graph.columns import Grid, Item, Link, assign_columns, make_grid
from zenctl.cli.views.graph.leveling import level_vertices
from zenctl.cli.views.graph.ordering import order_columns
from zenctl.cli.views.graph.settling import settle_vertices
from zenctl.lazy_dataclasses import dataclass

APART = 18.0
"""Pixels between rectangles of a column."""

LINES_APART = 9.0
"""Pixels between an edge and what it passes."""

LINE = 4.0
"""Pixels of a column's height that an edge takes which passes through."""

NARROWEST, WIDEST = 56.0, 200.0
"""Bounds of the space between two columns."""

STEEPNESS = 0.3
"""Of how far an edge rises or falls between two columns, the space is to have this part."""

ROOMY = 1.2
"""Straight edges may make a drawing so much higher than a close one."""

COMPONENTS_APART = 34.0
"""Pixels between parts of a graph that are not connected."""

LONG_SIDE = 1.6
"""How much wider than high a graph of many unconnected parts is to become."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the top left corner of each item is, and through which points each link runs. The origin is (0, 0)."""

    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def lay_out(
    items: Sequence[Item], links: Sequence[Link], first: Collection[int] = (), last: Collection[int] = ()
) -> Layout:
    """Lay out items and the links between them, which make no loop.

    Items in `first` come to lie at the left edge, those in `last` at the right edge. Equal arguments, equal results.
    """
    parts = [_Part(items, links, members, first, last) for members in _components(len(items), links)]
    # A part that reaches the edges has its band for itself, so that its edges can run straight to them.
    bands = [part for part in parts if part.reaches]
    free = [part for part in parts if not part.reaches]
    width = max((part.width for part in parts), default=0.0)
    area = sum((part.width + COMPONENTS_APART) * (part.height + COMPONENTS_APART) for part in free)
    width = max(width, 0.0 if bands else math.sqrt(area * LONG_SIDE))
    corners: list[Point] = [(0.0, 0.0)] * len(items)
    routes: list[tuple[Point, ...]] = [()] * len(links)
    x = y = below = right = 0.0
    for part in [*bands, *free]:
        if part.reaches or (x and x + part.width > width):
            x, y = 0.0, below
        part.put(x, y, corners, routes)
        right = max(right, x + part.width)
        below = max(below, y + part.height + COMPONENTS_APART)
        x = 0.0 if part.reaches else x + part.width + COMPONENTS_APART
        if part.reaches:
            y = below
    _stretch(links, last, corners, routes, right)
    return Layout(tuple(corners), tuple(routes), right, max(0.0, below - COMPONENTS_APART))


def _stretch(
    links: Sequence[Link], last: Collection[int], corners: list[Point], routes: list[tuple[Point, ...]], right: float
) -> None:
    """Move items of the last column to the right edge of the whole, and their edges with them."""
    for item in last:
        corners[item] = (right, corners[item][1])
    for number, link in enumerate(links):
        if link.target in last:
            end = routes[number][-1]
            routes[number] = (*routes[number], (right, end[1]))


def _components(count: int, links: Sequence[Link]) -> list[list[int]]:
    """The items of each connected part, in the order of their first."""
    near: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        near[link.source].append(link.target)
        near[link.target].append(link.source)
    seen: set[int] = set()
    found = []
    for start in range(count):
        if start in seen:
            continue
        seen.add(start)
        members = [start]
        for item in members:
            for other in near[item]:
                if other not in seen:
                    seen.add(other)
                    members.append(other)
        found.append(sorted(members))
    return found


def level_runs(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points without those inside a level run, which its ends say all about."""
    found: list[Point] = []
    for point in points:
        if len(found) > 1 and found[-2][1] == found[-1][1] == point[1]:
            found.pop()
        if found[-1:] != [point]:
            found.append(point)
    return tuple(found)


def _placed(grid: Grid, items: int) -> tuple[list[float], float]:
    """The top of each vertex and the height of all: straight edges where there is room, else closely packed."""
    straight = level_vertices(grid, items, APART, LINES_APART)
    height = _height(straight, grid)
    least = max(sum(grid.heights[v] + LINES_APART for v in column) for column in grid.columns)
    if height > ROOMY * least:
        # On whole pixels, so that what is as good as level is level.
        close = [float(round(top)) for top in settle_vertices(grid, items, APART, LINES_APART)]
        if height > ROOMY * _height(close, grid):
            return close, _height(close, grid)
    return straight, height


def _height(tops: Sequence[float], grid: Grid) -> float:
    return max(top + height for top, height in zip(tops, grid.heights, strict=True))


class _Part:
    """A connected part, laid out with its own top left corner as the origin."""

    def __init__(
        self,
        items: Sequence[Item],
        links: Sequence[Link],
        members: Sequence[int],
        first: Collection[int],
        last: Collection[int],
    ) -> None:
        index = {item: i for i, item in enumerate(members)}
        self.members = members
        self.reaches = any(item in first or item in last for item in members)
        self.numbers = [number for number, link in enumerate(links) if link.source in index]
        self._items = [items[item] for item in members]
        self._links = [
            Link(index[link.source], index[link.target], link.leaves, link.enters)
            for link in (links[number] for number in self.numbers)
        ]
        at_first = {index[item] for item in members if item in first}
        at_last = {index[item] for item in members if item in last}
        self._column = assign_columns(len(members), self._links, at_first, at_last)
        grid = make_grid(self._items, self._links, self._column, LINE)
        order_columns(grid)
        self._tops, self.height = _placed(grid, len(members))
        self._widths = [
            max((self._items[v].width for v in vertices if v < len(members)), default=0.0) for vertices in grid.columns
        ]
        self._lefts = self._spread(grid)
        self.width = self._lefts[-1] + self._widths[-1]
        self.corners = [(self._lefts[self._column[i]], self._tops[i]) for i in range(len(members))]
        self.routes = self._routes(grid)

    def put(self, x: float, y: float, corners: list[Point], routes: list[tuple[Point, ...]]) -> None:
        """Write the part down with its corner at a point."""
        for item, (left, top) in zip(self.members, self.corners, strict=True):
            corners[item] = (x + left, y + top)
        for number, route in zip(self.numbers, self.routes, strict=True):
            routes[number] = tuple((x + left, y + top) for left, top in route)

    def _spread(self, grid: Grid) -> list[float]:
        """The left edge of each column."""
        found: list[float] = []
        at = 0.0
        for width, gap in zip(self._widths, grid.gaps, strict=True):
            found.append(at)
            tops = self._tops
            rise = max((abs(tops[s.source] + s.leaves - tops[s.target] - s.enters) for s in gap), default=0.0)
            at += width + min(WIDEST, max(NARROWEST, STEEPNESS * rise))
        return found

    def _routes(self, grid: Grid) -> list[tuple[Point, ...]]:
        """Each link straight across the columns it passes; from one to the next it may rise or fall."""
        begun: dict[int, list[tuple[Point, ...]]] = {}
        found = []
        for link, (trunk, passed) in zip(self._links, grid.ways, strict=True):
            at = self._column[link.source]
            if trunk not in begun:
                y = self._tops[link.source] + link.leaves
                right = self._lefts[at] + self._items[link.source].width
                begun[trunk] = [level_runs([(right, y), (self._lefts[at] + self._widths[at], y)])]
            # The way through so many waypoints is that through one less, and on.
            known = begun[trunk]
            while len(known) <= passed:
                number, y = at + len(known), self._tops[grid.trunks[trunk][len(known) - 1]] + LINE / 2
                across = [(self._lefts[number], y), (self._lefts[number] + self._widths[number], y)]
                known.append((*known[-1][:-2], *level_runs([*known[-1][-2:], *across])))
            end = (self._lefts[self._column[link.target]], self._tops[link.target] + link.enters)
            found.append((*known[passed][:-2], *level_runs([*known[passed][-2:], end])))
        return found
