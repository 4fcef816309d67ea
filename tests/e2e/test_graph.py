"""`zenctl graph` from the installed command: every format, with and without a plan."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.e2e.conftest import Project

EDGES = {
    ("datasource.csv.heights", "step.python.tallest"),
    ("step.python.tallest", "step.python.count"),
}


def dot_edges(text: str) -> set[tuple[str, str]]:
    return {(source, target) for source, target in re.findall(r'^  "([^"]+)" -> "([^"]+)"$', text, re.M)}


def test_the_graph_of_a_configuration(tiny: Project) -> None:
    text = tiny.ok("graph")
    assert dot_edges(text) == EDGES
    assert text == tiny.ok("graph", "-format=dot", "-type=configuration")
    assert not (tiny.root / ".zenctl").exists()
    assert "flowchart LR" in tiny.ok("graph", "-format", "mermaid")


def test_pictures_are_whole_documents_that_tell_of_blocks(tiny: Project) -> None:
    svg = tiny.ok("graph", "-format=svg")
    names = [e.text for e in ElementTree.fromstring(svg).iter() if e.get("class") == "name"]
    assert names == ["heights", "tallest", "count"]
    page = tiny.ok("graph", "-format=html")
    assert page.startswith("<!doctype html>")
    assert '["declared", "main.zen.hcl:14"]' in page
    assert '["code", "steps/rank.py:tallest"]' in page
    assert '"inputs": [["data", "datasource.csv.heights"]]' in page


def test_a_plan_colours_what_would_happen(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    tiny.ok("plan", "-out=p.plan", "-var", "top=1")
    assert dot_edges(tiny.ok("graph", "-plan=p.plan")) == EDGES
    from_file = tiny.ok("graph", "-plan=p.plan", "-format=mermaid")
    assert re.findall(r"\((up to date|run again|may run)\)", from_file) == ["up to date", "run again", "may run"]
    assert tiny.ok("graph", "-type=plan", "-var", "top=1", "-format=mermaid") == from_file
    now = tiny.ok("graph", "-type=plan", "-format=mermaid")
    assert now.count("(up to date)") == 3
    page = tiny.ok("graph", "-plan=p.plan", "-format=html")
    assert "params.top: 2 -> 1" in page
    assert '["declared", "main.zen.hcl:14"]' in page


def test_standard_output_holds_the_graph_and_nothing_else(tiny: Project) -> None:
    tiny.write("extra.auto.zenvars", "unknown = 1\n")
    done = tiny.run("graph")
    assert done.returncode == 0
    assert done.stdout.startswith("digraph {")
    assert done.stdout.endswith("}\n")
    assert 'There is no variable "unknown"' in done.stderr
    tiny.edit("main.zen.hcl", "step.python.tallest.names", "step.python.tallst.names")
    wrong = tiny.run("graph")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert 'Did you mean "step.python.tallest"?' in wrong.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-format=sgv"], 'Did you mean "svg"?'),
        (["-type=plans"], 'Did you mean "plan"?'),
        (["-type=plan", "-plan=p.plan"], "-type and -plan together"),
        (["-plan=none.plan"], "no such file"),
    ],
)
def test_mistakes(tiny: Project, words: list[str], says: str) -> None:
    assert says in tiny.fails("graph", *words)
