"""Hostile input is answered in time linear in its length, with a diagnostic where it goes too far."""

from __future__ import annotations

import time

import pytest

from tests.measuring import peer_seconds
from zenctl.lang import evaluate, parse

N = 20_000
HOSTILE = {
    "parentheses": "a = " + "(" * N,
    "lists": "a = " + "[" * N,
    "objects": "a = " + "{" * N,
    "blocks": "a {\n" * N,
    "interpolations": 'a = "' + '${"' * N,
    "not": "a = " + "!" * N + "x",
    "sum": "a = 1" + " + 1" * N,
    "dots": "a = x" + ".a" * N,
    "indexes": "a = x" + "[0]" * N,
    "splats": "a = x" + "[*]" * N,
    "attribute splats": "a = x" + ".*" * N,
    "conditionals": "a = " + "x ? y : " * N + "z",
    "calls": "a = " + "f(" * N,
    "loops": "a = " + "[for x in " * N,
    "directives": 'a = "' + "%{ if x }" * N,
    "comments": "/*" * N,
    "quotes": '"' * N,
    "dollars": 'a = "' + "$" * N + '{"',
    "escapes": 'a = "' + "\\q" * N + '"',
    "open heredocs": "a = <<E\n" * N,
    "blank heredoc": "a = <<E\n" + "\n" * N,
    "near markers": "a = <<E\n" + " E x\n" * N,
    "no names": "é\u00a0" * N,
    "superscripts": "a = " + "²" * N,
    "digits": "a = " + "1" * N,
    "points": "a = " + "1." * N,
    "one error a line": "a = 1 b\n" * N,
    "open strings": 'a = "x\n' * N,
    "open brackets": "a = (1\n" * N,
    "braces": "}" * N,
    "surrogates": "\ud800" * N,
    "duplicates": "a = 1\n" * N,
}


def allowed(text: str) -> float:
    """CPU seconds: one for every 100 kB, and one for less."""
    return max(1.0, len(text) / 100_000)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_hcl(name: str) -> None:
    text = HOSTILE[name]
    start = time.process_time()
    result = parse(text)
    assert time.process_time() - start < allowed(text)
    assert result.ok == (name == "dollars")
    assert len(result.diagnostics) <= 201


YAML = {
    "lists": "[" * N,
    "mappings": "{" * N,
    "dashes": "- " * N,
    "levels": "\n".join(" " * i + "a:" for i in range(400)),
    "anchors": "&a " * N,
    "open flow": "a: [" + "1," * N,
    "duplicates": "a: 1\n" * N,
    "quotes": "'" * (N + 1),
}


@pytest.mark.parametrize("name", YAML)
def test_hostile_yaml(name: str) -> None:
    start = time.process_time()
    result = evaluate(YAML[name], syntax="yaml")
    assert time.process_time() - start < allowed(YAML[name])
    assert not result.ok


LINEAR = {
    "nested brackets": lambda n: f"a = {'[' * 90}1{']' * 90}\n" * (n // 90),
    "nested blocks": lambda n: "b {\n" * 90 + "a = 1\n" * n + "}\n" * 90,
    "long templates": lambda n: 'a = "' + "x ${y} " * n + '"\n',
    "long heredocs": lambda n: "a = <<-E\n" + "  x ${y}\n" * n + "  E\n",
    "directives": lambda n: 'a = "' + "%{ if x }a%{ endif }" * n + '"\n',
    "errors": lambda n: "a = 1 +\n" * n,
    "unclosed strings": lambda n: 'a = "x ${f("\n' * n,
    "strings over lines": lambda n: 'a = "${f("x}"\nb = 2\n' * n,
    "unclosed heredocs": lambda n: "a = <<E\n" * n,
    "unclosed brackets": lambda n: "a = [\nb = {\nc = (\n" * n,
    "stray braces": lambda n: "b {\n  x } = 1\n}\n" * n,
    "operators": lambda n: f"a = 1{' + 1' * 150}\n" * (n // 150),
    "traversals": lambda n: f"a = x{'[*].a[0]' * 30}\n" * (n // 30),
    "conditionals": lambda n: f"a = {'x ? y : ' * 90}z\n" * (n // 90),
    "objects": lambda n: "a = {\n" + "b = 1\n" * n + "}\n",
    "arguments": lambda n: "".join(f"a{i} = {i}\n" for i in range(n)),
    "marks": lambda n: 'a = "e' + "\u0301\u0323" * (5 * n) + '"\n',
    "names": lambda n: "é" * n + " = 1\n" + "é\u00a0" * n,
}
LINEAR_YAML = {
    "scalars": lambda n: "- a\n" * n,
    "templates": lambda n: "".join(f"k{i}: 'x ${{y}}'\n" for i in range(n)),
    "literal": lambda n: "a: |\n" + "  x ${y} z\n" * n,
    "folded": lambda n: "a: >\n" + "  x ${y} z\n" * n,
    "escapes": lambda n: 'a: "' + "x \\t ${y}\n  " * n + '"',
    "aliases": lambda n: "a: &a x\nb: [" + "*a," * n + "]",
    "unknown aliases": lambda n: "[" + "*a, " * n + "]",
    "errors": lambda n: "".join(f"k{i}: 'x ${{y'\n" for i in range(n)),
    "blank lines": lambda n: "a: 'x" + " \n" * (5 * n) + "${y}'",
}


@pytest.mark.parametrize("name", [*LINEAR, *(f"{name} in YAML" for name in LINEAR_YAML)])
def test_time_is_linear(name: str) -> None:
    syntax = "yaml" if name.endswith(" in YAML") else "hcl"
    write = LINEAR_YAML[name.removesuffix(" in YAML")] if syntax == "yaml" else LINEAR[name]

    def seconds(size: int) -> float:
        text, best = write(size), float("inf")
        for _ in range(2):
            began = time.process_time()
            parse(text, syntax=syntax)
            best = min(best, time.process_time() - began)
        return best

    seconds(50)  # what is loaded late
    assert seconds(2400) < 8 * max(seconds(600), 0.001)


def test_long_but_honest() -> None:
    for text in (
        "a = [" + "1, " * N + "]",
        "a = <<E\n" + "x ${y}\n" * N + "E\n",
        "".join(f"a{i} = {i}\n" for i in range(N)),
    ):
        assert parse(text).ok
    assert evaluate("a: |\n" + "  x ${1}\n" * 2000, syntax="yaml").ok


def test_ten_thousand_lines_in_under_a_second() -> None:
    block = """step "python" "fit{i}" {{
  code   = "steps/fit.py:fit"
  inputs = {{ train = step.split.penguins.train, x = [1, 2, "a-${{var.x}}"] }}
  params = {{ epochs = var.epochs + 1 }}
  # comment
  doc = <<-EOT
    hello ${{var.name}}
    world
  EOT
}}
"""
    text = "".join(block.format(i=i) for i in range(1000))
    ratios = []
    for _ in range(3):
        peer = peer_seconds()
        start = time.process_time()
        assert parse(text).ok
        ratios.append((time.process_time() - start) / peer)
    assert min(ratios) < 5, "10,000 lines are to be read in half a second of CPU where the peer takes 0.1 s"
