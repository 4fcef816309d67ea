"""Lays out blocks with a frame around those of each module: a frame is laid out alone, then counts as a rectangle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from itertools import takewhile
from typing import Union

from zenctl.addrs import ModuleInstance
from zenctl.cli.views.graph.columns import Item, Link, sorted_by_links
from zenctl.cli.views.graph.layered import LINE, Layout, Point, lay_out, level_runs
from zenctl.lazy_dataclasses import dataclass

PADDING = 14.0
"""Pixels between a frame and what is in it."""

TITLE = 26.0
"""Height of the line in a frame that names the module."""

SPREAD = 7.0
"""Pixels between the ends of edges that lead to the same block."""

Path = tuple[ModuleInstance, ...]
"""The module that a block stands in; the root module's is empty."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame around a module's blocks."""

    path: Path
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Top left corners of the blocks, frames (outer before inner), and the points through which each edge runs."""

    corners: tuple[Point, ...]
    frames: tuple[Frame, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Port:
    """Where the edges that come from a block go into a frame, or out of it."""

    block: int
    out: bool


Key = Union[int, Path, _Port]
"""What is laid out within a frame: a block, a frame, or a port of the frame itself."""


@dataclass(slots=True)
class _Level:
    """What is laid out together: the content of one frame, or of the whole."""

    path: Path
    keys: dict[Key, int] = field(default_factory=dict)
    links: dict[tuple[Key, Key, int], int] = field(default_factory=dict)
    layout: Layout | None = None
    ends: list[float] = field(default_factory=list)


def draw_modules(
    blocks: Sequence[Item],
    edges: Sequence[tuple[int, int]],
    modules: Sequence[Path],
    title_width: Callable[[Path], float],
) -> Drawing:
    """Lay out blocks, by their index; each stands in the module at the same index. The edges must not make a loop.

    A module whose blocks need something of another one, which needs something of it, is drawn without a frame.
    """
    chains = [tuple(path[: depth + 1] for depth in range(len(path))) for path in modules]
    while (tangled := _tangled(chains, edges)) is not None:
        chains = [tuple(path for path in chain if path != tangled) for chain in chains]
    levels = _levels(chains, edges)
    sizes: dict[Path, Item] = {}
    for level in sorted(levels.values(), key=lambda level: -len(level.path)):
        _lay_out(level, levels, blocks, sizes)
        assert level.layout is not None
        width = max(level.layout.width + 2 * PADDING, title_width(level.path) + 2 * PADDING)
        sizes[level.path] = Item(width, level.layout.height + TITLE + PADDING)
    return _compose(levels, chains, edges, sizes, len(blocks))


def _key(chain: Sequence[Path], block: int, level: Path) -> Key:
    """What stands for a block at a level that it is somewhere in."""
    inner = [path for path in chain if len(path) > len(level)]
    return inner[0] if inner else block


def _shared(one: Sequence[Path], other: Sequence[Path]) -> Path:
    """The innermost frame around both."""
    common = [a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
    return common[-1] if common else ()


def _tangled(chains: Sequence[Sequence[Path]], edges: Sequence[tuple[int, int]]) -> Path | None:
    """A frame that would be both before and behind something else."""
    pairs: dict[Path, dict[tuple[Key, Key], None]] = {}
    for source, target in edges:
        level = _shared(chains[source], chains[target])
        ends = _key(chains[source], source, level), _key(chains[target], target, level)
        pairs.setdefault(level, {})[ends] = None
    for level in pairs:
        keys = {key: number for number, key in enumerate(dict.fromkeys(key for ends in pairs[level] for key in ends))}
        forward = [Link(keys[a], keys[b], 0, 0) for a, b in pairs[level]]
        backward = [Link(link.target, link.source, 0, 0) for link in forward]
        free = {*sorted_by_links(len(keys), forward), *sorted_by_links(len(keys), backward)}
        for key, number in keys.items():
            if number not in free and isinstance(key, tuple):
                return key
    return None


def _levels(chains: Sequence[Sequence[Path]], edges: Sequence[tuple[int, int]]) -> dict[Path, _Level]:
    """Every frame with what stands in it and the links between that, the whole first."""
    levels: dict[Path, _Level] = {(): _Level(())}
    for block, chain in enumerate(chains):
        around: Path = ()
        for path in (*chain, None):
            key: Key = block if path is None else path
            levels[around].keys.setdefault(key, len(levels[around].keys))
            if path is not None:
                levels.setdefault(path, _Level(path))
                around = path
    for source, target in edges:
        for path, start, end in _steps(chains, source, target):
            level = levels[path]
            for key in (start, end):
                level.keys.setdefault(key, len(level.keys))
            level.links.setdefault((start, end, source), len(level.links))
    return levels


def _steps(chains: Sequence[Sequence[Path]], source: int, target: int) -> list[tuple[Path, Key, Key]]:
    """The links that an edge consists of: out of its frames, across, and into the frames of its target."""
    shared = _shared(chains[source], chains[target])
    leaving = [path for path in reversed(chains[source]) if len(path) > len(shared)]
    entering = [path for path in chains[target] if len(path) > len(shared)]
    return [
        *((path, _key(chains[source], source, path), _Port(source, out=True)) for path in leaving),
        (shared, _key(chains[source], source, shared), _key(chains[target], target, shared)),
        *((path, _Port(source, out=False), _key(chains[target], target, path)) for path in entering),
    ]


def _lay_out(level: _Level, levels: dict[Path, _Level], blocks: Sequence[Item], sizes: dict[Path, Item]) -> None:
    items = [
        blocks[key] if isinstance(key, int) else sizes[key] if isinstance(key, tuple) else Item(0.0, LINE)
        for key in level.keys
    ]
    links = [
        Link(
            level.keys[start],
            level.keys[end],
            _meets(levels, start, _Port(source, out=True), items[level.keys[start]]),
            _meets(levels, end, _Port(source, out=False), items[level.keys[end]]),
        )
        for start, end, source in level.links
    ]
    first = {number for key, number in level.keys.items() if isinstance(key, _Port) and not key.out}
    last = {number for key, number in level.keys.items() if isinstance(key, _Port) and key.out}
    level.layout = lay_out(items, links, first, last)
    level.ends = _spread_ends(level, items)


def _meets(levels: dict[Path, _Level], key: Key, port: _Port, item: Item) -> float:
    """How far down a rectangle an edge meets its side: in the middle, or where the frame has a port for it."""
    if not isinstance(key, tuple):
        return item.height / 2
    inner = levels[key]
    assert inner.layout is not None
    return TITLE + inner.layout.corners[inner.keys[port]][1] + LINE / 2


def _spread_ends(level: _Level, items: Sequence[Item]) -> list[float]:
    """How far from its end each link meets a block, so that several links to it can be told apart."""
    assert level.layout is not None
    into: dict[Key, list[int]] = {}
    for number, (_, end, _) in enumerate(level.links):
        if isinstance(end, int):
            into.setdefault(end, []).append(number)
    found = [0.0] * len(level.links)
    for key, numbers in into.items():
        routes = level.layout.routes
        numbers.sort(key=lambda number: (routes[number][-2][1], -routes[number][-2][0]))
        room = items[level.keys[key]].height - 2 * SPREAD
        step = min(SPREAD, room / len(numbers))
        for index, number in enumerate(numbers):
            found[number] = (index - (len(numbers) - 1) / 2) * step
    return found


def _compose(
    levels: dict[Path, _Level],
    chains: Sequence[Sequence[Path]],
    edges: Sequence[tuple[int, int]],
    sizes: dict[Path, Item],
    count: int,
) -> Drawing:
    """Put the levels into each other."""
    origins: dict[Path, Point] = {(): (0.0, 0.0)}
    corners: list[Point] = [(0.0, 0.0)] * count
    frames = []
    for level in levels.values():
        assert level.layout is not None
        left, top = origins[level.path]
        for key, number in level.keys.items():
            x, y = level.layout.corners[number]
            if isinstance(key, int):
                corners[key] = (left + x, top + y)
            elif isinstance(key, tuple):
                frames.append(Frame(key, left + x, top + y, sizes[key].width, sizes[key].height))
                origins[key] = (left + x + PADDING, top + y + TITLE)
    routes = []
    for source, target in edges:
        points: list[Point] = []
        for path, start, end in _steps(chains, source, target):
            points += _absolute(levels[path], (start, end, source), origins[path])
        routes.append(level_runs(points))
    whole = levels[()].layout
    assert whole is not None
    return Drawing(tuple(corners), tuple(frames), tuple(routes), whole.width, whole.height)


def _absolute(level: _Level, link: tuple[Key, Key, int], origin: Point) -> list[Point]:
    """A link's points in the whole drawing."""
    assert level.layout is not None
    number = level.links[link]
    left, top = origin
    points = [(left + x, top + y) for x, y in level.layout.routes[number]]
    points[-1] = (points[-1][0], points[-1][1] + level.ends[number])
    return points
