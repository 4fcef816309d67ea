"""Graphs as text and as pictures: what stands in them, that whatever a name holds is only text, equal every time."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr, ModuleInstance, StepAddr
from zenctl.cli.views.graph import looks
from zenctl.cli.views.graph.page import html
from zenctl.cli.views.graph.svg import svg
from zenctl.cli.views.graph.texts import dot, mermaid
from zenctl.cli.views.style import columns
from zenctl.diagnostics import Position, SourceRange
from zenctl.engine.graphing import BlockGraph, GraphNode
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, PlannedMachines
from zenctl.provider import MachinePool, PriceEstimate
from zenctl.schema import OutputDecl

EVIL = "\"]; --> </script><script>alert(1)</script> & `#' \\ \u202e\x1b[31m\n<b>"
MODULE = (ModuleInstance("inner", EVIL),)
ROWS = DatasourceAddr("csv", "rows")
FIT = StepAddr("python", "fit", EVIL, MODULE)
NET = EndpointAddr("local", "net")


def graph(changed: bool = False) -> BlockGraph:
    place = SourceRange("main.zen.hcl", Position(7, 1, 0), Position(7, 9, 8))
    reason = Reason(ReasonCode.PARAMETERS_CHANGED, "params.epochs: 5 -> 10")
    changes: dict[Address, Change | None] = dict.fromkeys((ROWS, FIT, NET))
    if changed:
        changes = {
            ROWS: Change(ROWS, Action.RUN),
            FIT: Change(FIT, Action.RUN, (reason,), before={}),
            NET: Change(NET, Action.NO_OP, before={}),
        }
    nodes = (
        GraphNode(ROWS, "Tables.", place, expanded="" if changed else "for_each", change=changes[ROWS]),
        GraphNode(
            FIT,
            EVIL,
            place,
            "steps/fit.py:fit",
            {EVIL: "datasource.csv.rows"},
            {"model": OutputDecl("Model", EVIL)},
            change=changes[FIT],
        ),
        GraphNode(NET, change=changes[NET]),
    )
    return BlockGraph(nodes, ((ROWS, FIT), (FIT, NET)), f"penguins {EVIL}", frozenset({("inner",)}))


class Page(HTMLParser):
    """The elements of a page, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"
        self.scripts += [""] if self._inside else []

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


def data(page: str) -> Any:
    return json.loads(Page(page).scripts[0])


def test_dot() -> None:
    lines = dot(graph()).splitlines()
    assert lines[0] == "digraph {"
    assert '  "datasource.csv.rows" [label="datasource.csv\\nrows[*]", ' in "\n".join(lines)
    assert sum(" -> " in line for line in lines) == 2
    # Every quote is one of DOT's own or escaped: outside of texts there is only DOT.
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "T", dot(graph()))
    assert re.fullmatch(r"[\w\s=,\[\]{}>\-]*", outside)
    assert outside.count("{") == outside.count("}") == 2


def test_mermaid() -> None:
    text = mermaid(graph(changed=True))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "flowchart LR"
    assert 'n0[("datasource.csv<br/>rows<br/>(read)")]:::first' in lines
    assert {"n0 --> n1", "n1 --> n2", "end"} <= set(lines)
    labels = re.findall(r'"([^"]*)"', text)
    assert len(labels) == 4
    assert not any(sign in label.replace("<br/>", "") for label in labels for sign in "<>&\\`'")


@pytest.mark.parametrize("changed", [False, True])
def test_svg_is_complete_and_needs_nothing_else(changed: bool) -> None:
    text = svg(graph(changed))
    root = ElementTree.fromstring(text)
    names = {element.tag.partition("}")[2] for element in root.iter()}
    assert names <= {"svg", "title", "style", "rect", "defs", "marker", "path", "g", "text"}
    assert "alert(1)" in "".join(root.itertext())
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\((?!#)|@import|\bon\w+=", text)
    actions = [e.text for e in root.iter() if e.get("class") == "action"]
    assert actions == (["read", "run again", "up to date"] if changed else [])


def test_labels_fit_their_boxes() -> None:
    root = ElementTree.fromstring(svg(graph(changed=True)))
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        if group.get("class") != "node":
            continue
        box = group.find("{http://www.w3.org/2000/svg}rect")
        assert box is not None
        left, right = float(box.get("x", "")), float(box.get("x", "")) + float(box.get("width", ""))
        spans = []
        for text in group.findall("{http://www.w3.org/2000/svg}text"):
            # DejaVu Sans Mono, the widest of the fonts that are asked for: 0.602 of the size.
            length = columns(text.text or "") * 0.602 * (13.5 if text.get("class") == "name" else 11)
            x = float(text.get("x", ""))
            spans.append((x - length, x) if text.get("text-anchor") == "end" else (x, x + length))
        assert all(left + 8 <= start and end <= right - 8 for start, end in spans)
        kind, _, action = spans
        assert kind[1] + 8 <= action[0]


def test_the_page_runs_its_own_script_only() -> None:
    text = html(graph(changed=True))
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not any(name.startswith("on") or name in ("src", "href") for _, found in page.tags for name in found)
    policy = next(str(found["content"]) for tag, found in page.tags if tag == "meta" and "http-equiv" in found)
    assert policy.startswith("default-src 'none'")
    assert "b" not in [tag for tag, _ in page.tags]
    # Whatever the data says is only ever set as text.
    assert "innerHTML" not in page.scripts[1]


def test_the_page_tells_of_each_block() -> None:
    found = data(html(graph(changed=True)))
    fit = found["nodes"][1]
    assert fit["facts"] == [
        ["kind", "step"],
        ["type", "python"],
        ["module", found["nodes"][1]["facts"][2][1]],
        ["declared", "main.zen.hcl:7"],
        ["code", "steps/fit.py:fit"],
    ]
    assert fit["inputs"][0][1] == "datasource.csv.rows"
    assert fit["outputs"][0][0] == "model"
    assert fit["reasons"] == ["params.epochs: 5 -> 10"]
    assert fit["action"]["word"] == "run again"
    assert (fit["needs"], fit["needed_by"]) == ([0], [2])
    assert "\x1b" not in json.dumps(found, ensure_ascii=False)
    assert ["instances", "by for_each"] in data(html(graph()))["nodes"][0]["facts"]


def test_the_page_tells_of_machines() -> None:
    pool = MachinePool(f"n1 {EVIL}", ("zone-b",), price=PriceEstimate(0.19, source="a list"))
    machines = PlannedMachines(("backend.gce.vm",), pool, (str(FIT),))
    page = html(replace(graph(True), machines=(machines,)))
    assert "backend.gce.vm: 1 x n1" in page
    assert "about 0.19 USD an hour" in page
    assert "Prices are estimates: a list." in page
    assert all(tag not in ("img", "b") for tag, _ in Page(page).tags)
    facts = {node["address"]: dict(node["facts"]) for node in data(page)["nodes"]}
    assert [address for address, found in facts.items() if "machine" in found] == [str(FIT)]
    assert "machines" not in html(graph(True)).partition("</header>")[0].partition("<header>")[2]


def test_an_empty_graph_is_drawn() -> None:
    empty = BlockGraph((), (), "nothing")
    ElementTree.fromstring(svg(empty))
    assert data(html(empty))["nodes"] == []
    assert dot(empty).endswith("}")
    assert mermaid(empty) == "flowchart LR"


@pytest.mark.parametrize("draw", [dot, mermaid, svg, html])
def test_equal_every_time(draw: Any) -> None:
    assert draw(graph()) == draw(graph())


def test_long_names_are_cut_in_their_middle() -> None:
    node = GraphNode(StepAddr("python", "n" * 80, "k" * 80))
    assert columns(looks.name_label(node)) <= looks.LONGEST
    assert looks.name_label(node).startswith("nnn")
    assert looks.name_label(node).endswith('k"]')
    wide = looks.shortened("日本" * 40)
    assert columns(wide) <= looks.LONGEST


def test_every_action_has_a_look() -> None:
    assert set(looks.ACTIONS) == set(Action)
    marks = [looks.look(GraphNode(FIT, change=Change(FIT, action, before={}))).word for action in Action]
    assert len(set(marks)) == len(marks)
    counted = looks.legend(graph(changed=True))
    assert [(look.word, count) for look, count in counted] == [("run", 1), ("run again", 1), ("up to date", 1)]
