"""Draws a graph as one HTML page to look around in: pan, zoom, search, and the details of each block beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib import resources
from typing import Any

from zenctl.cli.views import machines
from zenctl.cli.views.graph.looks import legend, look
from zenctl.cli.views.graph.svg import MARGIN, STYLE, draw, picture
from zenctl.cli.views.plan import reason_line
from zenctl.cli.views.style import printable
from zenctl.engine.graphing import BlockGraph, GraphNode
from zenctl.plans.planjson import machines_json, pool_json, resource_change


def html(graph: BlockGraph) -> str:
    """The whole page. It loads nothing and may run no script but its own."""
    drawing = draw(graph)
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    title = escape(printable(graph.title))
    data = {
        "width": drawing.width + 2 * MARGIN,
        "height": drawing.height + 2 * MARGIN,
        "margin": MARGIN,
        "nodes": _nodes(graph),
    }
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{STYLE}{_asset('page.css')}</style></head><body>",
            f'<header><h1>{title}</h1><ul class="legend">{_legend(graph)}</ul><div class="tools">',
            '<input id="search" type="search" placeholder="Find an address (/)" aria-label="Find an address">',
            '<button id="in" aria-label="Zoom in">+</button><button id="out" aria-label="Zoom out">−</button>',
            f'<button id="fit">Fit</button></div>{_machines(graph)}</header>',
            '<main><svg xmlns="http://www.w3.org/2000/svg"><g id="view">',
            *picture(graph, drawing),
            "</g></svg></main><aside hidden></aside>",
            f'<script id="data" type="application/json">{_embedded(data)}</script>',
            f"<script>{script}</script>",
            "</body></html>",
        ]
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _embedded(data: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _legend(graph: BlockGraph) -> str:
    items = []
    for found, count in legend(graph):
        style = (
            f"background:{found.fill};border-color:{found.line};border-style:{'dashed' if found.dashed else 'solid'}"
        )
        items.append(f'<li><i style="{style}"></i>{escape(found.word)} {count}</li>')
    return "".join(items)


def _machines(graph: BlockGraph) -> str:
    """The machines that a plan makes, below the legend; nothing where it makes none."""
    found = [machines_json(item) for item in graph.machines]
    lines = [f"{machines.sign(item)} {machines.addresses(item)}: {machines.line(item)}" for item in found]
    items = "".join(f"<li>{escape(line)}</li>" for line in [*lines, *machines.basis(found)])
    return f'<ul class="machines">{items}</ul>' if items else ""


def _nodes(graph: BlockGraph) -> list[dict[str, Any]]:
    index = {node.addr: number for number, node in enumerate(graph.nodes)}
    places = {
        address: f"{', '.join(item.backends)}: {machines.kind(pool_json(item.pool))}"
        for item in graph.machines
        for address in (*item.runs, *item.may_run)
    }
    found = [_details(node, places.get(str(node.addr), "")) for node in graph.nodes]
    for source, target in graph.edges:
        found[index[target]]["needs"].append(index[source])
        found[index[source]]["needed_by"].append(index[target])
    return found


def _details(node: GraphNode, machine: str) -> dict[str, Any]:
    facts = [("kind", node.addr.kind), ("type", node.addr.type)]
    if node.addr.module:
        facts.append(("module", ".".join(str(instance) for instance in node.addr.module)))
    if node.expanded:
        facts.append(("instances", f"by {node.expanded}"))
    if node.range is not None:
        facts.append(("declared", f"{node.range.filename}:{node.range.start.line}"))
    if node.code:
        facts.append(("code", node.code))
    if machine:
        facts.append(("machine", machine))
    outputs = [
        (name, f"{output.type}: {output.description}" if output.description else output.type)
        for name, output in node.outputs.items()
    ]
    details: dict[str, Any] = {
        "address": printable(str(node.addr)),
        "description": printable(node.description),
        "facts": _shown(facts),
        "inputs": _shown(list(node.inputs.items())),
        "outputs": _shown(outputs),
        "needs": [],
        "needed_by": [],
    }
    if node.change is not None:
        found = look(node)
        details["action"] = {"word": found.word, "fill": found.fill, "line": found.line, "text": found.text}
        details["reasons"] = [reason_line(reason) for reason in resource_change(node.change)["stale_because"]]
    return details


def _shown(pairs: list[tuple[str, str]]) -> list[list[str]]:
    return [[printable(name), printable(text)] for name, text in pairs]
