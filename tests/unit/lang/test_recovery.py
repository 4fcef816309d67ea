"""One slip of the pen is told once, where it is, and costs no more than the item it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from zenctl.diagnostics import Diagnostic
from zenctl.lang import parse
from zenctl.lang.scanner import scan

CONFIGURATION = """\
zenctl {
  required_version = ">= 0.1"
  metadata "sqlite" {}
  defaults { orchestrator = backend.local.here }
}

variable "epochs" {
  type    = number
  default = 5
}

locals {
  name = "x-${var.epochs > 1 ? "many" : "one"}"
  tags = {
    owner = "me"
    parts = [for k, v in var.parts : "${k}-${v}" if v != ""]
  }
}

step "python" "fit" {
  code   = "steps/fit.py:fit"
  inputs = {
    train = step.split.penguins.train
  }
  params = {
    epochs = max(var.epochs, 3)
    doc    = <<-EOT
      hello ${var.name}
      %{ if var.ok }yes%{ else }no%{ endif }
    EOT
  }

  lifecycle {
    precondition {
      condition = var.epochs > 0
    }
  }
}
"""
PUT_IN = ('"', "{", "}", "[", "]", "(", ")", ",", "=", ":", "?", "1", "x", "${", "\n", '"s"', ".", "+", "'")


def slips() -> Iterator[tuple[str, int]]:
    """The configuration with one token lost or put in, and the line where that is."""
    tokens = scan(CONFIGURATION)
    for at, (start, end) in enumerate(zip(tokens.starts, tokens.ends, strict=True)):
        line = CONFIGURATION.count("\n", 0, start) + 1
        if end > start:
            yield CONFIGURATION[:start] + CONFIGURATION[end:], line
        for piece in PUT_IN[at % 2 :: 2]:
            yield CONFIGURATION[:start] + piece + CONFIGURATION[start:], line


def test_one_slip_is_told_once_and_where_it_is() -> None:
    told: Counter[int] = Counter()
    distance: Counter[int] = Counter()
    for text, line in slips():
        problems = parse(text).diagnostics
        if problems:
            told[len(problems)] += 1
            distance[min(abs((p.line or 0) - line) for p in problems)] += 1
    assert max(told) <= 2
    assert told[1] / told.total() > 0.96
    assert (distance[0] + distance[1]) / distance.total() > 0.96


def lines(problems: list[Diagnostic]) -> list[str]:
    return [f"{p.line}:{p.column}" for p in problems]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        # a brace that is a slip closes nothing
        ("b {\n  x } = 1\n  y = 2\n}\nc {}\n", ["2:3"]),
        ("b {\n  x = }\n  y = 2\n}\n", ["2:7"]),
        ("b {\n  x = 1 }\nc {\n}\n", ["2:9"]),
        ("b {\n  x = 1 }\n}\n", ["2:9"]),
        ("b } {\n  x = 1\n}\nc = ]\n", ["1:1", "4:5"]),
        # what a broken header leaves over is no second problem
        ('b "l {\n  x = 1\n}\nc = ]\n', ["1:7", "4:5"]),
        # a string that is never closed, or a sequence in it, ends with its line at the latest
        ('a = "${x"\nb = "${y}"\nc = ]\n', ["1:6", "3:5"]),
        ('b {\n  x = "${f("a}"\n  y = ]\n}\n', ["2:16", "3:7"]),
        # what is missing is missing at the end of the line
        ("b {\n  x = [1, 2\n  y = ]\n}\n", ["2:12", "3:7"]),
        ("b {\n  x = f(1\n  y = 2\n}\n", ["2:10"]),
        ("b {\n  x = {\n    y = 1\n\n  z = ]\n}\n", ["5:7"]),
        # a heredoc that never ends hides the end of its block
        ("b {\n  x = <<E\n}\n", ["2:7"]),
        # several problems on several lines
        ("a = ]\nb {\n  c = )\n  d {\n    e = 1 +\n  }\n}\nf = 'x'\n", ["1:5", "3:7", "5:12", "8:5"]),
    ],
)
def test_recovery(text: str, places: list[str]) -> None:
    assert lines(parse(text).diagnostics) == places


def test_what_follows_a_problem_is_read() -> None:
    result = parse('b {\n  x = "${f("a}"\n  y = 2\n  c {\n    z = [\n  }\n}\nd = 4\n')
    assert result.body is not None
    (block,) = result.body.blocks
    assert (list(block.body.attributes), list(result.body.attributes)) == (["y"], ["d"])
    assert [inner.type for inner in block.body.blocks] == ["c"]


def test_a_body_tells_that_something_in_it_could_not_be_read() -> None:
    body = parse("a = 1\nb {\n  c = ]\n}\nd {\n  e = 1\n}\n").body
    assert body is not None
    assert (body.broken, [block.body.broken for block in body.blocks]) == (False, [True, False])
    top = parse("a = ]\n").body
    assert top is not None
    assert top.broken
    for text, broken in (
        ("a: 1\n", False),
        ("a: *b\n", True),
        ("a: ${\n", True),
        ("[", True),
        ("- 1", True),
        ("", False),
    ):
        read = parse(text, syntax="yaml").body
        assert read is not None
        assert read.broken == broken
