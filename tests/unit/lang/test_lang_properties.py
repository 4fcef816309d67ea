"""Whatever the text, the language answers with diagnostics; and it agrees with Go's implementation on what is valid."""

from __future__ import annotations

import random

import pygohcl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zenctl.lang import evaluate, parse, references
from zenctl.lang.quoting import quote
from zenctl.lang.scanner import Mode, scan

PIECES = [
    *'"{}[]()~=,?:.*+-/%!<>&|$#\\ \n',
    "${", "%{", "$${", "%%{", "~}", "=>", "...", "==", "&&", "[*]", ".*", "::",
    "//", "/*", "*/", "<<EOT\n", "<<-E\n", "\nEOT\n", "\n  E\n",
    "a", "b.c", "x", "é", "𝒜", "0", "1.5", "1e3", "true", "null", "for ", " in ", "if ", "else", "endif", "endfor",
    'a = 1\n', 'b "l" {\n', "\n}\n", '"s"', '"${x}"', "[for x in y : x]", "f(x)", "c ? d : e", "\t",
]  # fmt: skip
soup = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
anything = st.text(max_size=60) | soup


@given(anything)
@settings(max_examples=400, deadline=None)
@example("\ud800")
@example('a = "\\ud800"')
@example("<<A\n${<<A\nA\n}\nA\n")
@example('"${"\n"}"')
def test_hcl_never_raises(text: str) -> None:
    for mode in ("config", "expression", "template"):
        result = parse(text, mode=mode)
        for problem in result.diagnostics:
            assert problem.range is not None
            assert problem.range.start <= problem.range.end
        assert (result.expression is not None) == (mode != "config" and result.ok)
    for mode in ("expression", "template"):
        evaluate(text, {"a": 1, "x": [1, "b"], "y": {"k": None}, "b": {"c": "d"}}, mode=mode)
    references(text, mode="config")


@given(anything)
@settings(max_examples=300, deadline=None)
def test_yaml_never_raises(text: str) -> None:
    parse(text, syntax="yaml")
    evaluate(text, {"a": 1}, syntax="yaml")
    evaluate(f"k: |\n  {text}", {"a": 1}, syntax="yaml")


@given(anything)
@settings(max_examples=300, deadline=None)
def test_tokens_cover_the_text_in_order(text: str) -> None:
    for mode in Mode:
        tokens = scan(text, mode, comments=True)
        end = 0
        for kind, start, stop in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
            assert end <= start <= stop <= len(text)
            assert mode is Mode.TEMPLATE or set(text[end:start]) <= set(" \t\r"), (kind, text[end:start])
            end = stop
        assert end == len(text)
        assert tokens.kinds[-1] == "eof"
        assert "eof" not in tokens.kinds[:-1]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50) | soup)
def test_quoted_texts_come_back(text: str) -> None:
    import unicodedata

    result = evaluate(quote(text))
    assert [str(p) for p in result.diagnostics] == []
    assert result.value == unicodedata.normalize("NFC", text)


@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20))
def test_arithmetic_is_exact(a: int, b: int) -> None:
    variables = {"a": a, "b": b}
    assert evaluate("a + b", variables).value == a + b
    assert evaluate("a - b", variables).value == a - b
    assert evaluate("a * b", variables).value == a * b
    assert evaluate("a < b", variables).value == (a < b)
    assert evaluate("[a == b, a != b]", variables).value == [a == b, a != b]
    if b:
        assert evaluate("a % b", variables).value == (abs(a) % abs(b)) * (1 if a >= 0 else -1)
        assert evaluate("(a * b) / b", variables).value == a


class Writer:
    """Writes random configurations, most of them valid."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def name(self) -> str:
        return self.pick("a", "bc", "d-e", "f_1", "ünï", "null", "true", "for", "if", "in")

    def text(self) -> str:
        pieces = ["x", " ", "é", "\\n", '\\"', "$", "%", "$${", "%%{", "\\u00e9", "{"]
        return "".join(self.random.choices(pieces, k=4))

    def template(self, depth: int) -> str:
        inner = self.expression(depth + 1)
        opening, closing = self.pick("", "~"), self.pick("", "~")
        return self.pick(
            f"${{{opening} {inner} {closing}}}",
            f"%{{{opening} if {inner} }}{self.text()}%{{ endif {closing}}}",
            f"%{{ if {inner} }}a%{{ else }}{self.text()}%{{ endif }}",
            f"%{{ for k, v in {inner} {closing}}}${{v}}%{{ endfor }}",
        )

    def expression(self, depth: int = 0) -> str:
        if depth > 4:
            return self.pick("1", "x", "null", '"s"', "1.5e-3", "y.z", "[]", "{}")
        deeper = lambda: self.expression(depth + 1)  # noqa: E731
        space = self.pick("", " ", "  ", "/* c */")
        newline = self.pick("", "\n", "# c\n")
        operator = self.pick("+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||")
        assign, then, comma = self.pick("=", ":"), self.pick(",", "\n"), self.pick("", ",")
        function, step = self.pick("f", "ns::f", "a::b::c"), self.pick(".a", ".0", "[0]", "[*].b", ".*.b.c", ".a[*][*]")
        return self.random.choice(
            [
                lambda: f"{deeper()}{space}{operator}{space}{deeper()}",
                lambda: f"{self.pick('-', '!', '!!')}{deeper()}",
                lambda: f"({newline}{deeper()}{newline})",
                lambda: f"{deeper()}{space}?{space}{deeper()} : {deeper()}",
                lambda: f"[{newline}{deeper()},{newline}{deeper()}{comma}{newline}]",
                lambda: f"{{{newline}{self.name()} {assign} {deeper()}{then} ({deeper()}) = {deeper()}{newline}}}",
                lambda: f"[for {self.pick('x', 'k, v')} in {deeper()} : {deeper()}]",
                lambda: f"[for x in {deeper()} : {deeper()} if {deeper()}]",
                lambda: f"{{for k, v in {deeper()} :{newline} {deeper()} => {deeper()}{self.pick('', '...')}}}",
                lambda: f"{function}({newline}{deeper()}{self.pick('', '...')}{newline})",
                lambda: f"{function}({deeper()},{newline}{deeper()}{comma})",
                lambda: f"x{step}",
                lambda: f"x[{deeper()}]{step}",
                lambda: f'"{self.text()}{self.template(depth)}{self.text()}"',
                lambda: f'"{self.text()}"',
            ]
        )()

    def body(self, depth: int = 0) -> str:
        items: list[str] = []
        for at in range(self.random.randint(0, 3)):
            indent = "  " * depth
            item = self.random.choice(
                [
                    lambda: f"n{at} = {self.expression()}",  # noqa: B023
                    lambda: f"n{at} = <<{self.pick('', '-')}EOT\n  a {self.template(2)}\n\n    b\n  EOT",  # noqa: B023
                    lambda: f"block {self.pick('', 'l ', chr(34) + 'm' + chr(34) + ' ')}{{\n{self.body(depth + 1)}}}",
                    lambda: f"one {{ n = {self.expression(3)} }}",
                    lambda: f"{self.pick('#', '//')} {self.text()}",
                ]
            )()
            items.append(f"{indent}{item}{self.pick('', ' # c', '')}\n" if "\n" not in item else f"{indent}{item}\n")
        return "".join(items)

    def spoilt(self, text: str) -> str:
        """A text with a few characters lost, doubled or put in."""
        for _ in range(self.random.randint(0, 2)):
            at = self.random.randrange(len(text) + 1)
            length = self.random.randint(0, 3)
            put = self.pick("", *'"{}(],.*~=\\é\n', "${", "<<E\n", "if")
            text = text[:at] + put + text[at + length :]
        return text


def go_accepts(text: str) -> bool:
    try:
        pygohcl.loads(text)
    except pygohcl.HCLParseError:
        return False
    except pygohcl.HCLInternalError:  # it was read, but a constant in it cannot be evaluated
        return True
    return True


@pytest.mark.parametrize("seed", range(8))
def test_what_is_valid_is_what_go_says(seed: int) -> None:
    valid = 0
    for number in range(250):
        writer = Writer(seed * 1000 + number)
        text = writer.spoilt(writer.body())
        result = parse(text)
        valid += result.ok
        assert result.ok == go_accepts(text), text
    assert 50 < valid < 240


KNOWN_DISAGREEMENTS = [
    # Go's scanner cannot read on after a carriage return that no line feed follows.
    ("a = <<E\nx\ry\nE\n", True, False),
]


@pytest.mark.parametrize(("text", "ours", "go"), KNOWN_DISAGREEMENTS)
def test_known_disagreements(text: str, ours: bool, go: bool) -> None:
    assert (parse(text).ok, go_accepts(text)) == (ours, go)


VALUES_GO_GIVES = [
    '"x ${~ 1 ~} y"',
    '"$${ a ${1} c}"',
    '"$$${1} $$$${2}"',
    '"%%{ if x"',
    '"\\u00e9\\n\\t"',
    "<<E\n$$${1}\n\n  x\nE\n",
    "<<E\n${1 ~}\n   x\n   E\n",
    "<<-E\n   x\n \n  y\n E\n",
    "<<-E\n    ${1}\n      x\n  \n    y ${2}\n  E\n",
    "<<-E\n\tx\n\t\ty\n\tE\n",
    '"a${"b${"c"}"}"',
]


@pytest.mark.parametrize("source", VALUES_GO_GIVES)
def test_values_that_go_gives(source: str) -> None:
    body = f"a = {source}\n" if not source.endswith("\n") else f"a = {source}"
    assert evaluate(source).value == pygohcl.loads(body)["a"]
