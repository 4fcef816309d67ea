"""What decision 3 says of python-hcl2: why it does not read the language, and what it writes itself only wrongly.

Where a newer version of it is right, a test here fails: then the decision's lists are to be shortened.
"""

from __future__ import annotations

import time
from typing import Any

import hcl2
import pygohcl
import pytest
from lark.exceptions import LarkError

from zenctl.lang import parse

REFUSED = {
    "a minus before digits": ["a = 10-12\n", "a = 10 -12\n", "a = x -1e3\n", "a = f(10 -1.5)\n"],
    "chained signs": ["a = !!x\n", "a = --1\n", "a = !-x\n"],
    "trimming in quotes": ['a = "${~ x ~}"\n'],
    "newlines in a sequence": ['a = "${\nx\n}"\n', 'a = "${ x // c\n}"\n'],
    "comments within a line": [
        "a = /* c */ 1\n",
        "a /* c */ = 1\n",
        'b "l" /* c */ "m" {}\n',
        'a = "${ /* c */ x }"\n',
    ],
    "a namespace": ["a = ns::f(x)\n"],
    "letters beyond ASCII": ["ünï = 1\n", "a = ünï\n"],
    "a byte order mark": ["\ufeffa = 1\n"],
    "a space after the end mark": ["a = <<E\nx\nE \n"],
    "an escaped sequence without its end": ['a = "$${"\n', 'a = "%%{ if x"\n'],
    "a heredoc in a heredoc": ["a = <<E\n${<<E\nx\nE\n}\nE\n"],
}
"""Valid HCL that python-hcl2 refuses."""

ACCEPTED = {
    "no newline between items": [
        "a = 1 b = 2\n",
        "b {} c = 1\n",
        "b { x = 1 y = 2 }\n",
        "b { c {} }\n",
        "b { x = 1\n}\n",
        "a = {a=1 b=2}\n",
    ],
    "a newline too many": ["b\n{\n}\n", "a = 1\n + 2\n", "a = x\n ? 1\n : 2\n", 'a = "x\ny"\n'],
    "escapes that are none": ['a = "\\q"\n', 'a = "\\$x"\n', 'a = "\\U00300000"\n'],
    "a template as label": ['b "${x}" {}\n'],
    "broken templates in heredocs": ["a = <<E\n${x\nE\n", "a = <<E\n%{ if x }\nE\n", "a = <<E\n%{ endfor }\nE\n"],
    "a heredoc that the file ends": ["a = <<E\nx\nE"],
    "points": ["a = x.0.0\n", "a = x.*.*\n", "a = 1.5.2\n"],
    "for as a name": ["a = { for = 1 }\n"],
    "an argument set twice": ["a = 1\na = 2\n"],
}
"""Invalid HCL that python-hcl2 accepts."""

SPOILT: dict[str, tuple[dict[str, Any], Any]] = {
    "an escaped quote before a sequence": ({"a": r'"say \"${x}"'}, 'say "${x}'),
    "a name that needs quotes": ({"a": {"b c": 1}}, {"b c": 1}),
    "for as a name": ({"a": {"for": 1}}, {"for": 1}),
    "a heredoc in a list": ({"a": ['"<<EOT\nx\nEOT"', 1]}, ["x\n", 1]),
    "a heredoc in an object": ({"a": {"k": '"<<EOT\nx\nEOT"', "l": 1}}, {"k": "x\n", "l": 1}),
    "a valid expression": ({"a": "${10-12}"}, "10-12"),
    "a brace in a text": ({"a": '"${f("}")}"'}, '${f("}")}'),
    "a decimal number": ({"a": 0.1234567890123456789}, "0.1234567890123456789"),
    "a name of its own": ({"a": {"__is_block__": True}}, {"__is_block__": True}),
}
"""What python-hcl2 is given to write, and what should be read of it."""

SPOILT_HEREDOCS = {
    "a newline more": (r'"x\ny\n"', "x\ny\n"),
    "a tab": (r'"x\n\ty"', "x\n\ty"),
    "its own end mark": (r'"x\nEOF\ny"', "x\nEOF\ny"),
}
"""The same of texts that it makes heredocs of."""


def cases(table: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(text, id=f"{what}: {text!r}") for what, texts in table.items() for text in texts]


def reads(text: str) -> bool:
    try:
        hcl2.loads(text)
    except LarkError:
        return False
    return True


def go_reads(text: str) -> bool:
    try:
        pygohcl.loads(text)
    except pygohcl.HCLParseError:
        return False
    except pygohcl.HCLInternalError:  # it was read, but cannot be evaluated
        return True
    return True


@pytest.mark.parametrize("text", cases(REFUSED))
def test_valid_and_refused(text: str) -> None:
    assert (go_reads(text), parse(text).ok, reads(text)) == (True, True, False)


@pytest.mark.parametrize("text", cases(ACCEPTED))
def test_invalid_and_accepted(text: str) -> None:
    assert (go_reads(text), parse(text).ok, reads(text)) == (False, False, True)


def comes_back(data: dict[str, Any], **options: Any) -> Any:
    try:
        return pygohcl.loads(hcl2.dumps(data, **options), keep_interpolations=True)["a"]
    except (LarkError, pygohcl.HCLParseError) as problem:
        return problem


@pytest.mark.parametrize("what", SPOILT)
def test_what_it_spoils_in_writing(what: str) -> None:
    data, meant = SPOILT[what]
    assert comes_back(data) != meant


@pytest.mark.parametrize("what", SPOILT_HEREDOCS)
def test_heredocs_that_it_spoils(what: str) -> None:
    text, meant = SPOILT_HEREDOCS[what]
    assert comes_back({"a": text}) == meant
    options = hcl2.DeserializerOptions(strings_to_heredocs=True)
    assert comes_back({"a": text}, deserializer_options=options) != meant


BLOCK = """\
# how the model is trained
step "python" "fit{i}" {{
  code   = "steps/fit.py:fit"
  inputs = {{ train = step.split.penguins.train, x = [1, 2, "a-${{var.x}}"] }}
  params = {{ epochs = var.epochs + 1 }}
  doc    = <<-EOT
    hello ${{var.name}}
    world
  EOT
}}
"""


def seconds(read: Any, text: str) -> float:
    """CPU seconds, the best of three."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        read(text)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.benchmark
def test_ten_thousand_lines() -> None:
    def lines(blocks: int) -> str:
        return "".join(BLOCK.format(i=i) for i in range(blocks))

    text, part = lines(1000), lines(200)
    assert text.count("\n") == 10_000
    ours = seconds(lambda t: parse(t), text)
    go = seconds(pygohcl.loads, text)
    hcl2.loads("a = 1\n")  # builds its grammar
    # python-hcl2 reads a fifth of it, to be done in time.
    tree, data = seconds(hcl2.parses_to_tree, part), seconds(hcl2.loads, part)
    print(f"\n10,000 lines of HCL, {len(text) / 1000:.0f} kB: zenctl {ours:.2f} s, Go (pygohcl) {go:.2f} s of CPU")
    print(f"python-hcl2 {hcl2.__version__}, 2,000 of the lines: tree {tree:.2f} s, loads {data:.2f} s of CPU,")
    tree, data = 5 * tree, 5 * data
    print(f"so for 10,000 lines {tree:.1f} s and {data:.1f} s: {tree / ours:.1f} and {data / ours:.1f} times ours")
    assert ours < data
