"""Draws where a result comes from, up to data, code and commit, and what stands on it, down to endpoints, as trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from zenctl.cli.views.history import apply_document
from zenctl.cli.views.state import artifact_text, commit_text, is_source, moment, param_text, recorded_document
from zenctl.cli.views.style import Style, duration, printable, short_digest, size

if TYPE_CHECKING:
    from zenctl.engine.requests import LineageOutcome
    from zenctl.metadata.lineage import LineageNode, UseNode
    from zenctl.metadata.state import Recorded, RecordedArtifact

N = TypeVar("N")


def lineage_lines(root: LineageNode, style: Style) -> list[str]:
    """The tree below a heading. A result that is used twice is drawn once and referred to after that."""
    lines = [style.bold("# Made from")]
    seen: set[int] = set()
    stack: list[tuple[str, LineageNode, str, str]] = [("", root, "", "")]
    while stack:
        name, node, first, rest = stack.pop()
        recorded = node.recorded
        again = recorded.execution_id in seen
        label = f"{style.cyan(printable(name))} = " if name else ""
        note = style.dim(" (above)") if again else _elsewhere(recorded, root.recorded, style)
        lines.append(f"{first}{label}{style.bold(str(recorded.addr))}{note}")
        if again:
            continue
        seen.add(recorded.execution_id)
        children = list(node.inputs.items())
        bar = "│  " if children else "   "
        # The root's own facts stand above the tree, in full.
        lines += [f"{rest}{bar}{style.dim(detail)}" for detail in (_details(recorded) if node is not root else [])]
        stack += [(*child, *branch) for child, branch in _branches(children, rest)]
    return lines


def uses_lines(root: UseNode, style: Style) -> list[str]:
    """What stands on it, as a tree below a heading: each with what it read of the one above; endpoints have a URL."""
    lines = [style.bold("# Used by")]
    if not root.uses:
        return [*lines, style.dim("nothing that is current in a workspace")]
    stack: list[tuple[str, UseNode, str, str]] = [("", root, "", "")]
    while stack:
        name, node, first, rest = stack.pop()
        recorded = node.recorded
        label = f"{style.cyan(printable(name))} -> " if name else ""
        note = _elsewhere(recorded, root.recorded, style)
        lines.append(f"{first}{label}{style.bold(str(recorded.addr))}{note}")
        children = [(_output_name(recorded, use.artifact), use) for use in node.uses]
        bar = "│  " if children else "   "
        lines += [f"{rest}{bar}{style.dim(detail)}" for detail in (_use_facts(recorded) if node is not root else ())]
        stack += [(*child, *branch) for child, branch in _branches(children, rest)]
    return lines


def _branches(children: Sequence[tuple[str, N]], rest: str) -> Iterator[tuple[tuple[str, N], tuple[str, str]]]:
    """The children, the last first as a stack takes them, each with what stands before its first line and the rest."""
    last = len(children) - 1
    for index in reversed(range(len(children))):
        branch, below = ("└─ ", "   ") if index == last else ("├─ ", "│  ")
        yield children[index], (rest + branch, rest + below)


def _elsewhere(recorded: Recorded, root: Recorded, style: Style) -> str:
    if recorded.project != root.project:
        return style.dim(f" in workspace {recorded.workspace} of project {recorded.project}")
    return style.dim(f" in workspace {recorded.workspace}") if recorded.workspace != root.workspace else ""


def _output_name(recorded: Recorded, artifact: RecordedArtifact | None) -> str:
    """Under which name an artifact is an output."""
    return next((name for name, a in recorded.outputs.items() if artifact and a.id == artifact.id), "")


def _use_facts(recorded: Recorded) -> Iterator[str]:
    url = recorded.attributes.get("url")
    if url:
        yield printable(str(url))
    yield f"apply {recorded.serial}, {moment(recorded.ended_ms or recorded.started_ms)}"
    metrics = [artifact for artifact in recorded.outputs.values() if artifact.type == "Metrics"]
    yield from (f"-> {artifact_text(artifact)}" for artifact in metrics)


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


def lineage_document(outcome: LineageOutcome) -> dict[str, Any]:
    """`state show -json`: the record, the apply that made it, and under `lineage` every record it was made from.

    Each stands there once, with the ids of those that made its inputs. `used_by` lists what stands on it now, each with
    the id of the record above and what it read of it.
    """
    root = outcome.node
    assert root is not None, "there is a record to show"
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
    return {
        "format_version": "1.0",
        **own,
        "found_by": outcome.because or None,
        "apply": None if outcome.apply is None else apply_document(outcome.apply),
        "lineage": [nodes[key] for key in sorted(nodes, reverse=True)],
        "used_by": [] if outcome.uses is None else _uses(outcome.uses),
    }


def _uses(root: UseNode) -> list[dict[str, Any]]:
    found = []
    stack = [(root, use) for use in reversed(root.uses)]
    while stack:
        above, node = stack.pop()
        recorded, artifact = node.recorded, node.artifact
        found.append(
            {
                "address": str(recorded.addr),
                "project": recorded.project,
                "workspace": recorded.workspace,
                "execution_id": recorded.execution_id,
                "serial": recorded.serial,
                "of": above.recorded.execution_id,
                "output": _output_name(above.recorded, artifact),
                "digest": artifact.digest if artifact else "",
                "url": recorded.attributes.get("url"),
            }
        )
        stack += [(node, use) for use in reversed(node.uses)]
    return found
