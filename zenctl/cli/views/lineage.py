"""Draws where a result comes from: a tree from it up to data, code and commit, readable at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zenctl.cli.views.state import artifact_text, commit_text, is_source, moment, param_text, recorded_document
from zenctl.cli.views.style import Style, duration, printable, short_digest, size

if TYPE_CHECKING:
    from zenctl.metadata.lineage import LineageNode
    from zenctl.metadata.state import Recorded


def lineage_lines(root: LineageNode, style: Style) -> list[str]:
    """The tree below a heading. A result that is used twice is drawn once and referred to after that."""
    lines = [style.bold("# Made from")]
    seen: set[int] = set()
    stack: list[tuple[str, LineageNode, str, str]] = [("", root, "", "")]
    while stack:
        name, node, first, rest = stack.pop()
        recorded = node.recorded
        children = list(node.inputs.items())
        again = recorded.execution_id in seen
        # The root's own facts stand above the tree, in full.
        details = _details(recorded) if node is not root else []
        label = f"{style.cyan(name)} = " if name else ""
        note = style.dim(" (above)") if again else ""
        lines.append(f"{first}{label}{style.bold(str(recorded.addr))}{note}")
        if again:
            continue
        seen.add(recorded.execution_id)
        bar = "│  " if children else "   "
        lines += [f"{rest}{bar}{style.dim(detail)}" for detail in details]
        last = len(children) - 1
        for index in reversed(range(len(children))):
            key, child = children[index]
            branch, below = ("└─ ", "   ") if index == last else ("├─ ", "│  ")
            stack.append((key, child, rest + branch, rest + below))
    return lines


def _details(recorded: Recorded) -> list[str]:
    return [line for line in _facts(recorded) if line]


def _facts(recorded: Recorded) -> Iterator[str]:
    if is_source(recorded):
        source = recorded.components.get("source", {})
        rows = [f"{source['rows']:,} rows"] if source.get("rows") is not None else []
        digest = [short_digest(str(source["digest"]))] if source.get("digest") else []
        yield ", ".join(["data", *rows, *([size(source["bytes"])] if source.get("bytes") else []), *digest])
    code = recorded.components.get("code", {})
    if code:
        version = commit_text(recorded.code_version)
        yield f"code {code.get('entry', '')} {short_digest(str(code.get('digest', '')))}" + (
            f", commit {version}" if version else ""
        )
    params = recorded.components.get("params", {})
    if params and not is_source(recorded):
        yield "params " + _params(params)
    if recorded.imported_from:
        yield "imported from " + ", ".join(printable(place) for place in recorded.imported_from.values())
    when = f"apply {recorded.serial}, {moment(recorded.ended_ms or recorded.started_ms)}"
    took = (
        f", {duration(max(0, recorded.ended_ms - recorded.started_ms) / 1000)}"
        if recorded.ended_ms and not recorded.imported_from
        else ""
    )
    reused = f", reused from execution {recorded.source}" if recorded.source else ""
    yield when + took + reused
    for name, artifact in recorded.outputs.items():
        yield f"-> {name}: {artifact_text(artifact)}"


def _params(params: Mapping[str, Any], limit: int = 72) -> str:
    shown = ", ".join(f"{name} = {param_text(value)}" for name, value in params.items())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def lineage_document(root: LineageNode) -> dict[str, Any]:
    """`state show -json`: the record, and under `lineage` every record it was made from, each once, with its inputs."""
    nodes: dict[int, dict[str, Any]] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.recorded.execution_id in nodes:
            continue
        document = recorded_document(node.recorded)
        document["made_from"] = {name: child.recorded.execution_id for name, child in node.inputs.items()}
        nodes[node.recorded.execution_id] = document
        stack.extend(node.inputs.values())
    own = nodes.pop(root.recorded.execution_id)
    return {"format_version": "1.0", **own, "lineage": [nodes[key] for key in sorted(nodes, reverse=True)]}
