"""Draws a graph as SVG that needs nothing else: no script, no font file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from zenctl.addrs import ModuleInstance
from zenctl.cli.views.graph.columns import Item
from zenctl.cli.views.graph.layered import Point
from zenctl.cli.views.graph.looks import kind_label, legend, look, module_label, name_label
from zenctl.cli.views.graph.modules import TITLE, Drawing, Frame, draw_modules
from zenctl.cli.views.style import columns, printable
from zenctl.engine.graphing import BlockGraph, GraphNode

HEIGHT = 46.0
"""Of a block: a line for kind and type, one for the name."""

MARGIN = 24.0
LEGEND = 30.0

SMALL, LARGE = 11.0, 13.5
"""Sizes of letters."""

EM = 0.615
"""Width of a letter of a monospaced font, by its size; none of the usual ones is wider."""

STYLE = """
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; }
.kind, .action, .legend { font-size: 11px; }
.name { font-size: 13.5px; font-weight: 600; fill: #1b2330; }
.module { font-size: 12px; font-weight: 600; fill: #4a5666; }
.frame { fill: #64748b; fill-opacity: .05; stroke: #94a3b8; stroke-dasharray: 2 3; }
.edge { fill: none; stroke: #7b8794; stroke-width: 1.4; }
.head { fill: #7b8794; }
.legend { fill: #4a5666; }
"""


def svg(graph: BlockGraph) -> str:
    """The whole document."""
    drawing = draw(graph)
    legend_lines = _legend(graph, drawing.height + 2 * MARGIN)
    width = max(drawing.width + 2 * MARGIN, _legend_width(graph))
    height = drawing.height + 2 * MARGIN + (LEGEND if graph.nodes else 0.0)
    title = escape(printable(graph.title))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_px(width)}" height="{_px(height)}" '
        f'viewBox="0 0 {_px(width)} {_px(height)}" role="img" aria-label="{title}">'
    )
    background = f'<rect width="{_px(width)}" height="{_px(height)}" fill="#ffffff"/>'
    body = [*picture(graph, drawing), *legend_lines]
    return "\n".join([head, f"<title>{title}</title>", f"<style>{STYLE}</style>", background, *body, "</svg>"])


def draw(graph: BlockGraph) -> Drawing:
    """Where everything stands; the drawing begins at (0, 0)."""
    index = {node.addr: number for number, node in enumerate(graph.nodes)}
    edges = [(index[source], index[target]) for source, target in graph.edges]

    def title_width(path: tuple[ModuleInstance, ...]) -> float:
        return _width(module_label(path, graph), 12.0) if path else 0.0

    return draw_modules(
        [Item(_node_width(node), HEIGHT) for node in graph.nodes],
        edges,
        [node.addr.module for node in graph.nodes],
        title_width,
    )


def picture(graph: BlockGraph, drawing: Drawing) -> list[str]:
    """The frames, edges and blocks, shifted by MARGIN. Blocks have `data-node`, edges `data-from` and `data-to`."""
    index = {node.addr: number for number, node in enumerate(graph.nodes)}
    lines = [
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0.6 L8 4 L0 7.4 Z"/></marker></defs>',
        f'<g transform="translate({_px(MARGIN)} {_px(MARGIN)})">',
    ]
    lines += [_frame(frame, graph) for frame in drawing.frames]
    for (source, target), route in zip(graph.edges, drawing.routes, strict=True):
        ends = f'data-from="{index[source]}" data-to="{index[target]}"'
        lines.append(f'<path class="edge" {ends} marker-end="url(#head)" d="{_curve(route)}"/>')
    for number, (node, corner) in enumerate(zip(graph.nodes, drawing.corners, strict=True)):
        lines.append(_node(number, node, corner))
    return [*lines, "</g>"]


def _frame(frame: Frame, graph: BlockGraph) -> str:
    label = escape(module_label(frame.path, graph))
    full = escape(printable(".".join(str(instance) for instance in frame.path)))
    return (
        f"<g><title>{full}</title>"
        f'<rect class="frame" x="{_px(frame.x)}" y="{_px(frame.y)}" width="{_px(frame.width)}" '
        f'height="{_px(frame.height)}" rx="9"/>'
        f'<text class="module" x="{_px(frame.x + 12)}" y="{_px(frame.y + TITLE - 9)}">{label}</text></g>'
    )


def _node(number: int, node: GraphNode, corner: Point) -> str:
    looks = look(node)
    x, y = corner
    width = _node_width(node)
    dashes = ' stroke-dasharray="5 3"' if looks.dashed else ""
    parts = [
        f'<g class="node" data-node="{number}"><title>{escape(printable(str(node.addr)))}</title>',
        f'<rect class="box" x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(HEIGHT)}" rx="7" '
        f'fill="{looks.fill}" stroke="{looks.line}" stroke-width="1.3"{dashes}/>',
        f'<text class="kind" x="{_px(x + 12)}" y="{_px(y + 18)}" fill="{looks.text}">'
        f"{escape(kind_label(node.addr))}</text>",
        f'<text class="name" x="{_px(x + 12)}" y="{_px(y + 36)}">{escape(name_label(node))}</text>',
    ]
    if node.change is not None:
        parts.append(
            f'<text class="action" x="{_px(x + width - 12)}" y="{_px(y + 18)}" text-anchor="end" '
            f'fill="{looks.text}" font-weight="600">{escape(looks.word)}</text>'
        )
    return "".join([*parts, "</g>"])


def _node_width(node: GraphNode) -> float:
    first = _width(kind_label(node.addr), SMALL)
    if node.change is not None:
        first += 16 + _width(look(node).word, SMALL)
    return round(max(96.0, first + 24, _width(name_label(node), LARGE) + 24))


def _width(text: str, size: float) -> float:
    return columns(text) * size * EM


def _curve(route: Sequence[Point]) -> str:
    """A line through the points, level at each of them."""
    x, y = route[0]
    parts = [f"M{_px(x)} {_px(y)}"]
    for next_x, next_y in route[1:]:
        if abs(next_y - y) < 0.05:
            parts.append(f"L{_px(next_x)} {_px(next_y)}")
        else:
            bend = (next_x - x) / 2
            parts.append(f"C{_px(x + bend)} {_px(y)} {_px(next_x - bend)} {_px(next_y)} {_px(next_x)} {_px(next_y)}")
        x, y = next_x, next_y
    return " ".join(parts)


def _legend(graph: BlockGraph, y: float) -> list[str]:
    lines = []
    x = MARGIN
    for looks, count in legend(graph):
        dashes = ' stroke-dasharray="3 2"' if looks.dashed else ""
        text = f"{looks.word} {count}"
        lines.append(
            f'<rect x="{_px(x)}" y="{_px(y - 2)}" width="14" height="12" rx="3" fill="{looks.fill}" '
            f'stroke="{looks.line}"{dashes}/>'
            f'<text class="legend" x="{_px(x + 20)}" y="{_px(y + 8)}">{escape(text)}</text>'
        )
        x += 20 + _width(text, SMALL) + 24
    return lines


def _legend_width(graph: BlockGraph) -> float:
    return MARGIN + sum(44 + _width(f"{looks.word} {count}", SMALL) for looks, count in legend(graph))


def _px(length: float) -> str:
    """A length with at most one decimal, which is finer than any screen."""
    return f"{length:.1f}".removesuffix(".0")
