"""Writes the lineage of a result for Graphviz or Mermaid: records are boxes, what went between them is on arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.cli.views.graph.looks import KINDS
from zenctl.cli.views.graph.texts import dot_text, mermaid_style, mermaid_text
from zenctl.cli.views.state import artifacts_note, commit_text, is_source
from zenctl.cli.views.style import plural, short_digest
from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from zenctl.engine.requests import LineageOutcome
    from zenctl.metadata.state import Recorded, RecordedArtifact

FORMATS = ("dot", "mermaid")


@dataclass(slots=True)
class LineageGraph:
    """Records by execution id, and arrows between them with the names and digests of what went along them."""

    root: int
    records: dict[int, Recorded]
    arrows: dict[tuple[int, int], list[str]]


def lineage_graph(outcome: LineageOutcome) -> LineageGraph:
    """The graph of a record, all it was made from and all that stands on it."""
    assert outcome.node is not None, "there is a record to draw"
    graph = LineageGraph(outcome.node.recorded.execution_id, {}, {})
    up = [outcome.node]
    while up:
        node = up.pop()
        recorded = node.recorded
        if recorded.execution_id in graph.records:
            continue
        graph.records[recorded.execution_id] = recorded
        for name, child in node.inputs.items():
            arrow = graph.arrows.setdefault((child.recorded.execution_id, recorded.execution_id), [])
            arrow.append(_label(name, recorded.inputs.get(name)))
            up.append(child)
    down = [outcome.uses] if outcome.uses is not None else []
    while down:
        above = down.pop()
        for use in above.uses:
            recorded = use.recorded
            graph.records.setdefault(recorded.execution_id, recorded)
            names = [n for n, a in recorded.inputs.items() if use.artifact is not None and a.id == use.artifact.id]
            arrow = graph.arrows.setdefault((above.recorded.execution_id, recorded.execution_id), [])
            arrow += [label for label in (_label(n, use.artifact) for n in names) if label not in arrow]
            down.append(use)
    return graph


def dot(graph: LineageGraph) -> str:
    """For `dot`. Boxes are named by their execution's id."""
    lines = ["digraph {", '  graph [rankdir="LR", fontname="Helvetica"]']
    lines += ['  node [shape="box", style="rounded,filled", fontname="Helvetica", fontsize="11"]']
    lines += ['  edge [color="#7b8794", fontname="Helvetica", fontsize="9"]']
    for id_, recorded in sorted(graph.records.items()):
        look = KINDS[recorded.addr.kind]
        drawn = f"label={dot_text(chr(10).join(_text(recorded)))}, fillcolor={dot_text(look.fill)}"
        width = ', penwidth="2.5"' if id_ == graph.root else ""
        lines.append(f"  e{id_} [{drawn}, color={dot_text(look.line)}{width}]")
    for (source, target), labels in sorted(graph.arrows.items()):
        lines.append(f"  e{source} -> e{target} [label={dot_text(chr(10).join(labels))}]")
    return "\n".join([*lines, "}"])


def mermaid(graph: LineageGraph) -> str:
    """A Mermaid flowchart."""
    shapes = {"datasource": ("[(", ")]"), "endpoint": ("([", "])")}
    lines = ["flowchart LR"]
    for id_, recorded in sorted(graph.records.items()):
        opened, closed = shapes.get(recorded.addr.kind, ("[", "]"))
        label = "<br/>".join(mermaid_text(line) for line in _text(recorded))
        lines.append(f'  e{id_}{opened}"{label}"{closed}:::{recorded.addr.kind}')
    for (source, target), labels in sorted(graph.arrows.items()):
        label = "<br/>".join(mermaid_text(line) for line in labels)
        lines.append(f'  e{source} -->|"{label}"| e{target}')
    kinds = sorted({recorded.addr.kind for recorded in graph.records.values()})
    lines += [f"  classDef {kind} {mermaid_style(KINDS[kind])}" for kind in kinds]
    return "\n".join([*lines, f"  style e{graph.root} stroke-width:3px"])


def _label(name: str, artifact: RecordedArtifact | None) -> str:
    return f"{name} {short_digest(artifact.digest)[:8]}" if artifact is not None else name


def _text(recorded: Recorded) -> list[str]:
    """The address, the apply, and what is most worth knowing."""
    facts = [str(recorded.addr), f"apply {recorded.serial}"]
    source = recorded.components.get("source", {})
    if is_source(recorded) and source.get("rows") is not None:
        facts.append(f"{plural(int(source['rows']), 'row')}, {short_digest(str(source.get('digest', '')))[:8]}")
    elif note := artifacts_note(recorded):
        facts.append(note)
    commit = commit_text(recorded.code_version)
    if recorded.components.get("code") and commit:
        facts.append(f"commit {commit}")
    return facts
