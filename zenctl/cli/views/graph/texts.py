"""Writes a graph for other tools: as DOT for Graphviz, or for Mermaid, which README files and wikis draw."""

from __future__ import annotations

from collections.abc import Callable

from zenctl.addrs import ModuleInstance
from zenctl.cli.views.graph.looks import Look, kind_label, legend, look, module_label, name_label, paths
from zenctl.cli.views.style import printable
from zenctl.engine.graphing import BlockGraph, GraphNode


def dot(graph: BlockGraph) -> str:
    """The graph for `dot`. Nodes are named by their addresses."""

    def opening(number: int, path: tuple[ModuleInstance, ...]) -> str:
        drawn = {"label": module_label(path, graph), "style": "rounded,dashed", "color": "#94a3b8", "fontsize": "12"}
        return f"subgraph cluster_{number} {{ graph [{_attributes(**drawn)}]"

    lines = [
        "digraph {",
        f"  graph [{_attributes(label=graph.title, labelloc='t', rankdir='LR', fontname='Helvetica')}]",
        f"  node [{_attributes(shape='box', style='rounded,filled', fontname='Helvetica', fontsize='11')}]",
        f"  edge [{_attributes(color='#7b8794')}]",
    ]
    lines += _grouped(graph, _dot_node, opening, "}")
    lines += [f"  {dot_text(str(source))} -> {dot_text(str(target))}" for source, target in graph.edges]
    return "\n".join([*lines, "}"])


def mermaid(graph: BlockGraph) -> str:
    """The graph as a Mermaid flowchart. Nodes are named by their number, as addresses are no names there."""
    index = {node.addr: number for number, node in enumerate(graph.nodes)}

    def draw(node: GraphNode) -> str:
        opened, closed = {"datasource": ("[(", ")]"), "endpoint": ("([", "])")}.get(node.addr.kind, ("[", "]"))
        parts = [kind_label(node.addr), name_label(node)]
        if node.change is not None:
            parts.append(f"({look(node).word})")
        label = "<br/>".join(mermaid_text(part) for part in parts)
        return f'n{index[node.addr]}{opened}"{label}"{closed}:::{look(node).name}'

    def opening(number: int, path: tuple[ModuleInstance, ...]) -> str:
        return f'subgraph m{number}["{mermaid_text(module_label(path, graph))}"]'

    lines = ["flowchart LR", *_grouped(graph, draw, opening, "end")]
    lines += [f"  n{index[source]} --> n{index[target]}" for source, target in graph.edges]
    lines += [f"  classDef {found.name} {mermaid_style(found)}" for found, _ in legend(graph)]
    return "\n".join(lines)


def _grouped(
    graph: BlockGraph,
    draw: Callable[[GraphNode], str],
    opening: Callable[[int, tuple[ModuleInstance, ...]], str],
    closing: str,
) -> list[str]:
    """A line for each node, those of a module between its opening and closing."""
    own: dict[tuple[ModuleInstance, ...], list[GraphNode]] = {}
    for node in graph.nodes:
        own.setdefault(node.addr.module, []).append(node)
    lines = [f"  {draw(node)}" for node in own.get((), ())]
    opened: list[tuple[ModuleInstance, ...]] = []
    numbered = paths(graph)
    # Outer modules come first; sorted by their names, what lies in a module follows it at once.
    for path in sorted(numbered, key=lambda path: [str(instance) for instance in path]):
        while opened and path[: len(opened[-1])] != opened[-1]:
            lines.append("  " * len(opened) + closing)
            opened.pop()
        lines.append("  " * (len(opened) + 1) + opening(numbered.index(path), path))
        opened.append(path)
        lines += ["  " * (len(opened) + 1) + draw(node) for node in own.get(path, ())]
    while opened:
        lines.append("  " * len(opened) + closing)
        opened.pop()
    return lines


def _dot_node(node: GraphNode) -> str:
    looks = look(node)
    parts = [kind_label(node.addr), name_label(node), *([looks.word] if node.change is not None else [])]
    style = "rounded,filled,dashed" if looks.dashed else "rounded,filled"
    drawn = _attributes(label="\n".join(parts), fillcolor=looks.fill, color=looks.line, style=style)
    return f"{dot_text(str(node.addr))} [{drawn}]"


def _attributes(**values: str) -> str:
    return ", ".join(f"{name}={dot_text(value)}" for name, value in values.items())


def dot_text(text: str) -> str:
    """A quoted text of DOT, where a backslash has a meaning of its own in labels."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def mermaid_text(text: str) -> str:
    """Text inside quotes of Mermaid: whatever could end it or be taken for markup is written by its number."""
    return "".join(c if c.isalnum() or c in " ._-[]()*…" else f"#{ord(c)};" for c in printable(text))


def mermaid_style(found: Look) -> str:
    dashes = ",stroke-dasharray:5 3" if found.dashed else ""
    return f"fill:{found.fill},stroke:{found.line},color:{found.text}{dashes}"
