"""Random configurations and expressions from a seed, most of them valid, and what a slip of the pen makes of them."""

from __future__ import annotations

import random

from zenctl.lang.scanner import scan

TOKENS = (
    '"', "{", "}", "[", "]", "(", ")", ",", ".", "...", ":", "::", "=", "==", "=>", "?", "+", "-", "*", "/", "%", "!",
    "&&", "||", "<", ">", "<=", "\n", "${", "%{", "~}", "${~", "%{~", '"${', '}"', "<<E\n", "<<-E\n", "\nE\n", "E\n",
    "  E\n", " ", "\t", "a", "b", "1", "1.5", ".5", "1e3", "null", "true", "for", "in", "if", "else", "endif", "endfor",
    "for x in y : x", "#", "//", "/*", "*/", "\\", "\\n", "\\u00e9", "\\ud800", "$", "%", "$$", "%%", "$${", "%%{", "é",
    "\u00a0", "\ufeff", "\r\n", "x.y", "x[0]", "x[*]", "x.*", "x.0", "f(x)", "f(x...)", '"s"', '"s ${x} t"',
    "%{ if x }", "%{ else }", "%{ endif }", "%{ for x in y }", "%{ endfor }", "a = 1\n", "b {}\n", 'b "l" {\n', "\n}\n",
    "{ a = 1 }", "'", "`", ";", "&", "|", "@", "~",
)  # fmt: skip


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


def slip(chance: random.Random, text: str) -> str:
    """The text with up to three tokens lost, put in or doubled, mostly where tokens meet."""
    tokens = scan(text, comments=True)
    cuts = sorted({*tokens.starts, *tokens.ends})
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        at = min(chance.choice(cuts), len(text)) if chance.random() < 0.85 else chance.randrange(len(text) + 1)
        following = [cut for cut in cuts if cut > at][:4] or [len(text)]
        piece = text[at : chance.choice(following)]
        kind = chance.random()
        if kind < 0.35:
            text = text[:at] + text[at + len(piece) :]
        elif kind < 0.8:
            text = text[:at] + chance.choice(TOKENS) + text[at:]
        else:
            other = min(chance.choice(cuts), len(text))
            text = text[:other] + piece + text[other:]
    return text


def configuration(seed: int) -> str:
    """A configuration, an attribute or plain soup, with slips."""
    chance = random.Random(seed)
    kind = chance.random()
    if kind < 0.65:
        return slip(chance, Writer(seed).body())
    if kind < 0.85:
        return slip(chance, f"a = {Writer(seed).expression()}\n")
    return "".join(chance.choices(TOKENS, k=chance.randint(1, 14)))


VARIABLES = {
    "n": 3,
    "half": 0.5,
    "s": "text",
    "digits": "12",
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [1, 2, 3],
    "texts": ["a", "b"],
    "mixed": [1, "a", None, True],
    "empty": [],
    "map": {"a": 1, "b": 2},
    "nested": {"a": {"b": [1, {"c": "d"}]}, "z": None},
    "rows": [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": []}],
}
"""What the expressions of `value` refer to, as attributes of `var.v`."""


class ValueWriter:
    """Writes random expressions over `VARIABLES` that have a value, most of them.

    It leaves out what the table of differences in docs/language.md lists: null in logic, division by what may be zero,
    conditions of `for` that are no bool, tuples beside nulls in conditionals.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def bool(self, depth: int, names: tuple[str, ...]) -> str:
        """An expression that is true or false, or fails."""
        one, two = self.value(depth + 1, names), self.value(depth + 1, names)
        return self.pick(
            f"({one} == {two})", f"({one} != {two})", f"({one} > 1)", f"(1 <= {two})", "var.v.yes", f"can({one})",
            f"(!({one} == {two}))",
        )  # fmt: skip

    def leaf(self, names: tuple[str, ...]) -> str:
        known = [f"var.v.{name}" for name in VARIABLES]
        written = ("0", "1", "-1", "2.5", '"a"', '"1"', '""', "true", "null", "[]", "{}", "[1, 2]", '{a = 1, b = "x"}')
        return self.random.choice([*known, *known, *written, *(names * 5)])

    def value(self, depth: int = 0, names: tuple[str, ...] = ()) -> str:
        """Any expression. `names` are the variables of the `for`s around."""
        if depth > 3 or self.random.random() < 0.25:
            return self.leaf(names)

        def inner(*more: str) -> str:
            return self.value(depth + 1, (*names, *more))

        def test(*more: str) -> str:
            return self.bool(depth + 1, (*names, *more))

        step = self.pick(".a", ".id", "[0]", "[1]", '["a"]', ".0", ".tags[0]", "[*]", "[*].id", ".*.id", '[*]["tags"]')
        trim, end = self.pick("", "~"), self.pick("", "~")
        return self.random.choice(
            [
                lambda: f"({inner()} {self.pick('+', '-', '*')} {inner()})",
                lambda: f"({inner()} {self.pick('/ 4', '% 7', '< 2', '>= 1')})",
                lambda: f"({inner()} {self.pick('==', '!=')} {inner()})",
                lambda: f"({test()} {self.pick('&&', '||')} {test()})",
                lambda: f"(-{inner()})",
                lambda: f"(!{test()})",
                lambda: f"({test()} ? {self.leaf(names)} : {self.leaf(names)})",
                lambda: f"[{inner()}, {inner()}]",
                lambda: f"{{a = {inner()}, b = {inner()}}}",
                lambda: f'{{"k-${{{inner()}}}" = {inner()}}}',
                lambda: f"[for v in {inner()} : {inner('v')}]",
                lambda: f"[for k, v in {inner()} : {inner('k', 'v')} if {test('k', 'v')}]",
                lambda: f"{{for k, v in {inner()} : {inner('k')} => {inner('k', 'v')}{self.pick('', '...')}}}",
                lambda: f"var.v.{self.pick(*VARIABLES)}{step}",
                lambda: f"({inner()}){step}",
                lambda: f"({inner()})[{inner()}]",
                lambda: f'"a {{}} $${{ ${{{trim} {inner()} {end}}} b"',
                lambda: f'"%{{ if {test()} {end}}} yes ${{{inner()}}}%{{ else }}no%{{{trim} endif }}"',
                lambda: f'"%{{ for k, v in {inner()} {end}}} ${{{inner("k", "v")}}},%{{ endfor }}"',
                lambda: f"{self.pick('max', 'min')}({inner()}, {inner()})",
                lambda: f"max({inner()}...)",
                lambda: f"try({inner()}, {inner()})",
                lambda: f"{self.pick('upper', 'lower', 'can')}({inner()})",
            ]
        )()


def value(seed: int) -> str:
    """An expression over `VARIABLES`."""
    return ValueWriter(seed).value()
