"""The layout of graphs: nothing overlaps, edges go around blocks, frames hold their modules, all of it repeatable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.addrs import ModuleInstance
from zenctl.cli.views.graph.columns import Item, Link, assign_columns, make_grid
from zenctl.cli.views.graph.layered import Layout, Point, lay_out
from zenctl.cli.views.graph.modules import Drawing, Path, draw_modules
from zenctl.cli.views.graph.ordering import order_columns

Rectangle = tuple[float, float, float, float]
A, B = ModuleInstance("a"), ModuleInstance("b")
PATHS: list[Path] = [(), (A,), (B,), (A, B), (A, A), (B, ModuleInstance("c", 1))]


@st.composite
def graphs(draw: Any) -> tuple[list[Item], list[tuple[int, int]], list[Path]]:
    count = draw(st.integers(1, 14))
    sizes = draw(st.lists(st.sampled_from([90.0, 140.0, 300.0]), min_size=count, max_size=count))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).map(lambda p: (min(p), max(p)))
    edges = draw(st.lists(pairs.filter(lambda p: p[0] < p[1]), max_size=24, unique=True)) if count > 1 else []
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=count, max_size=count))
    return [Item(width, 46.0) for width in sizes], edges, paths


def drawn(items: Sequence[Item], edges: Sequence[tuple[int, int]], paths: Sequence[Path]) -> Drawing:
    return draw_modules(items, edges, paths, lambda path: 60.0)


def rectangles(items: Sequence[Item], corners: Sequence[Point]) -> list[Rectangle]:
    return [(x, y, x + item.width, y + item.height) for item, (x, y) in zip(items, corners, strict=True)]


def overlap(one: Rectangle, other: Rectangle, apart: float = 0.0) -> bool:
    return (
        one[0] < other[2] + apart
        and other[0] < one[2] + apart
        and one[1] < other[3] + apart
        and other[1] < one[3] + apart
    )


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def on_curve(route: Sequence[Point]) -> list[Point]:
    """Points of a route as it is drawn: level at each of its points, a Bezier curve where it rises."""
    found = []
    for (x, y), (next_x, next_y) in pairwise(route):
        for step in range(17):
            t = step / 16
            middle = (x + next_x) / 2
            found.append(
                (
                    (1 - t) ** 3 * x + 3 * (1 - t) ** 2 * t * middle + 3 * (1 - t) * t**2 * middle + t**3 * next_x,
                    (1 - t) ** 3 * y + 3 * (1 - t) ** 2 * t * y + 3 * (1 - t) * t**2 * next_y + t**3 * next_y,
                )
            )
    return found


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_nothing_overlaps_and_edges_go_around(graph: tuple[list[Item], list[tuple[int, int]], list[Path]]) -> None:
    items, edges, paths = graph
    drawing = drawn(items, edges, paths)
    boxes = rectangles(items, drawing.corners)
    frames = {f.path: (f.x, f.y, f.x + f.width, f.y + f.height) for f in drawing.frames}
    whole = (-0.1, -0.1, drawing.width + 0.1, drawing.height + 0.1)
    assert all(inside(box, whole) for box in [*boxes, *frames.values()])
    for number, box in enumerate(boxes):
        assert not any(overlap(box, other, 8.0) for other in boxes[:number])
        for path, frame in frames.items():
            held = paths[number][: len(path)] == path
            assert inside(box, frame) if held else not overlap(box, frame)
    for path, frame in frames.items():
        for other, around in frames.items():
            if path[: len(other)] == other and path != other:
                assert inside(frame, around)
            elif other[: len(path)] != path:
                assert not overlap(frame, around)
    for (source, target), route in zip(edges, drawing.routes, strict=True):
        start, end = boxes[source], boxes[target]
        assert route[0] == pytest.approx((start[2], (start[1] + start[3]) / 2))
        assert route[-1][0] == pytest.approx(end[0])
        assert end[1] < route[-1][1] < end[3]
        for x, y in on_curve(route):
            spot = (x, y, x, y)
            assert not any(overlap(spot, box, -0.5) for n, box in enumerate(boxes) if n not in (source, target))
            strange = [f for p, f in frames.items() if p not in (paths[source][: len(p)], paths[target][: len(p)])]
            assert not any(overlap(spot, frame, -0.5) for frame in strange)
    assert drawn(items, edges, paths) == drawing


def plain(count: int, edges: Sequence[tuple[int, int]]) -> Layout:
    return lay_out([Item(100.0, 46.0)] * count, [Link(a, b, 23.0, 23.0) for a, b in edges])


def test_an_edge_leads_to_the_right_and_a_chain_is_straight() -> None:
    layout = plain(4, [(0, 1), (1, 2), (2, 3)])
    assert [y for _, y in layout.corners] == [0.0] * 4
    assert all(len(route) == 2 for route in layout.routes)
    assert sorted(layout.corners) == list(layout.corners)


def test_a_long_edge_is_straight_beside_what_it_passes() -> None:
    layout = plain(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])
    levels = [y for _, y in layout.routes[-1]]
    # Away from its source, along, and back: it does not bend in between.
    assert len(set(levels)) <= 3
    assert layout.height < 2 * 46 + 40


def test_crossings_are_taken_away() -> None:
    links = [Link(0, 5, 1, 1), Link(1, 4, 1, 1), Link(2, 3, 1, 1)]
    items = [Item(10.0, 10.0)] * 6
    grid = make_grid(items, links, assign_columns(6, links), 4.0)
    order_columns(grid)
    place = {vertex: index for column in grid.columns for index, vertex in enumerate(column)}
    assert [place[link.source] for link in links] == [place[link.target] for link in links]


def test_a_source_stands_before_its_first_user() -> None:
    assert assign_columns(4, [Link(0, 1, 0, 0), Link(1, 2, 0, 0), Link(3, 2, 0, 0)]) == [0, 1, 2, 1]


def test_edges_of_one_block_share_their_way() -> None:
    layout = plain(5, [(0, 1), (1, 2), (2, 3), (2, 4), (0, 3), (0, 4)])
    one, other = layout.routes[4], layout.routes[5]
    assert one[:2] == other[:2]
    assert one[2][1] == other[2][1]


def test_modules_that_need_each_other_have_no_frame() -> None:
    items, edges = [Item(100.0, 46.0)] * 3, [(0, 1), (1, 2)]
    tangled = drawn(items, edges, [(A,), (), (A,)])
    assert tangled.frames == ()
    beside = drawn(items, edges, [(A,), (A,), (B,)])
    assert [frame.path for frame in beside.frames] == [(A,), (B,)]
    # The frame inside of one that is gone is kept.
    kept = drawn([Item(100.0, 46.0)] * 4, [(0, 1), (1, 2), (2, 3)], [(A,), (), (A, B), (A, B)])
    assert [frame.path for frame in kept.frames] == [(A, B)]


def test_a_frame_is_as_wide_as_its_title() -> None:
    drawing = draw_modules([Item(50.0, 46.0)], [], [(A,)], lambda path: 400.0 if path else 0.0)
    assert drawing.frames[0].width > 400.0


def test_parts_that_are_not_connected_fill_the_page() -> None:
    layout = plain(40, [])
    assert 0.8 < layout.width / layout.height < 3.0


@pytest.mark.parametrize("edges", [[], [(0, 1)]])
def test_hardly_anything(edges: list[tuple[int, int]]) -> None:
    assert plain(0, []).width == 0.0
    assert plain(2, edges).height >= 46.0


@pytest.mark.parametrize(
    ("edges", "width", "height"),
    [
        ([(i, i + 1) for i in range(1999)], 500_000, 46),
        ([(0, i) for i in range(1, 2000)], 1_000, 200_000),
        ([(i, i + 1) for i in range(1999)] + [(0, i) for i in range(2, 2000)], 500_000, 100),
    ],
)
def test_two_thousand_blocks(edges: list[tuple[int, int]], width: float, height: float) -> None:
    before = time.process_time()
    layout = plain(2000, edges)
    assert time.process_time() - before < 20.0
    assert layout.width <= width
    assert layout.height <= height


def test_more_waypoints_than_anybody_could_follow_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenctl.cli.views.graph.columns.MOST_WAYPOINTS", 3)
    layout = plain(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])
    assert len(layout.routes[-1]) == 2
