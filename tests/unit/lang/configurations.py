"""Writes random configurations in HCL: blocks, values and comments of every kind in every place."""

from __future__ import annotations

import random
from collections.abc import Callable

from zenctl.lang.syntax import BlockShape

_DEEP = BlockShape(0, {"bare": BlockShape(0, {"one": BlockShape(1)})})
SHAPE = BlockShape(
    0,
    {
        "bare": BlockShape(0, {"bare": _DEEP, "typed": BlockShape(1, {}, frozenset({"type"}))}),
        "one": BlockShape(1, {"bare": _DEEP}),
        "two": BlockShape(2, {"bare": _DEEP, "one": BlockShape(1)}),
    },
)
"""The blocks that these configurations have."""


class Configurations:
    """A source of random texts; the same seed gives the same one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.comments = 0

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def comment(self) -> str:
        """One that occurs once, with a sign of either kind."""
        self.comments += 1
        text = f"{self.pick('', ' ', '  ')}remark {self.comments} {self.pick('é', '${x', '# : -', '---', '')}".rstrip()
        return f"{self.pick('#', '//')}{text}"

    def space(self) -> str:
        """What may stand between items on lines of their own."""
        if self.random.random() < 0.6:
            return ""
        self.comments += 1
        long = f"/* remark {self.comments}\n * more\n */"
        return self.pick("\n", f"{self.comment()}\n", f"\n{self.comment()}\n{self.comment()}\n\n", f"{long}\n")

    def end(self) -> str:
        """The end of a line."""
        return f" {self.comment()}\n" if self.random.random() < 0.2 else "\n"

    def name(self) -> str:
        return self.pick("a", "bc", "d-e", "f_1", "ünï", "null", "true", "for", "if", "yes", "y")

    def text(self) -> str:
        pieces = [
            "x",
            " ",
            "é",
            "\\n",
            '\\"',
            "\\\\",
            "$",
            "%",
            "$${",
            "%%{",
            "\\u00e9",
            "{",
            "#",
            ": ",
            "\\u0024",
            "~",
        ]
        return "".join(self.random.choices(pieces, k=5))

    def sequence(self, depth: int) -> str:
        inner = self.expression(depth + 1)
        left, right = self.pick("", "~"), self.pick("", "~")
        return self.pick(
            f"${{{left} {inner} {right}}}",
            f"%{{{left} if {inner} }}{self.text()}%{{ endif {right}}}",
            f"%{{ if {inner} {right}}}a%{{{left} else }}{self.text()}%{{ endif }}",
            f"%{{ for k, v in {inner} {right}}}${{v}}%{{ endfor }}",
        )

    def heredoc(self, depth: int) -> str:
        lines = ["  a", "", " b", "    c", "EOT x", "$${", "\t"]
        body = "".join(
            f"{self.pick(*lines)}{self.pick('', self.sequence(depth + 2))}{self.pick('', ' z')}\n"
            for _ in range(self.random.randint(0, 4))
        )
        return f"<<{self.pick('', '-')}EOT\n{body}{self.pick('', '  ')}EOT"

    def expression(self, depth: int = 0) -> str:
        """Any, over several lines within brackets."""
        if depth > 3:
            return self.pick("1", "x", "null", '"s"', "1.5e-3", "y.z", "[]", "{}", "-2", "1e30")
        deeper: Callable[[], str] = lambda: self.expression(depth + 1)  # noqa: E731
        newline = self.pick("", "\n", " # in code\n")
        operator = self.pick("+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||")
        choices: list[Callable[[], str]] = [
            lambda: f"{deeper()} {operator} {deeper()}",
            lambda: f"{self.pick('-', '!', '!!')}{deeper()}",
            lambda: f"({newline}{deeper()}{newline})",
            lambda: f"{deeper()} ? {deeper()} : {deeper()}",
            lambda: f"[{deeper()}, {deeper()}]",
            lambda: f"{{ {self.name()} = {deeper()}, ({deeper()}) = {deeper()} }}",
            lambda: f"[for x in {deeper()} :{newline} {deeper()} if {deeper()}]",
            lambda: f"{{for k, v in {deeper()} : {deeper()} => {deeper()}{self.pick('', '...')}}}",
            lambda: f"{self.pick('f', 'a::b')}({newline}{deeper()},{newline}{deeper()}{self.pick('', '...')}{newline})",
            lambda: f"x{self.pick('.a', '.0', '[0]', '[*].b', '.*.b.c', '.a[*][*]')}",
            lambda: f'"{self.text()}{self.sequence(depth)}{self.text()}"',
            lambda: f'"{self.text()}"',
        ]
        return self.random.choice(choices)()

    def value(self, depth: int = 0) -> str:
        """An expression, or a list or object over several lines with comments in it."""
        if depth > 3:
            return self.expression(2)
        deeper: Callable[[], str] = lambda: self.value(depth + 1)  # noqa: E731
        choices: list[Callable[[], str]] = [
            lambda: (
                f"[{self.end()}{self.space()}{deeper()},{self.end()}{self.space()}{deeper()}{self.end()}{self.space()}]"
            ),
            lambda: (
                f'{{{self.end()}{self.space()}a = {deeper()}{self.end()}{self.space()}"b c" = {deeper()}{self.end()}}}'
            ),
            lambda: f"{{ a = {self.expression(3)}, ({self.expression(3)}) = 2, 3 = /* inside */ 4 }}",
            lambda: f"[{self.expression(3)} /* between */, {self.random.gauss(0, 1) ** 99}]",
            lambda: self.expression(1),
            lambda: self.expression(2),
        ]
        return self.random.choice(choices)()

    def body(self, shape: BlockShape = SHAPE, indent: str = "") -> str:
        """The items of a file or block."""
        items: list[str] = []
        for number in range(self.random.randint(0, 4)):
            before = "".join(f"{indent}{line}\n" if line else "\n" for line in self.space().split("\n")[:-1])
            kind = self.random.random()
            if shape.blocks and kind < 0.5:
                item = self.block(shape, indent)
            elif kind < 0.6:
                items.append(f"{before}{indent}n{number} = {self.heredoc(1)}\n")
                continue
            else:
                item = f"n{number} = {self.value()}"
            items.append(f"{before}{indent}{item}{self.end()}")
        if shape.types:
            items.append(f"{indent}type = {self.pick('string', 'list(any)', 'object({ a = optional(number, 1) })')}\n")
        return "".join([*items, f"{indent}{self.comment()}\n" if self.random.random() < 0.2 else ""])

    def block(self, outer: BlockShape, indent: str) -> str:
        type_ = self.random.choice(sorted(outer.blocks))
        inner = outer.blocks[type_]
        # In YAML a label is a key, which is never a template.
        labels = "".join(f' "{self.pick("a", self.text().replace("{", ""), "y")}"' for _ in range(inner.labels))
        return f"{type_}{labels} {{{self.end()}{self.body(inner, indent + '  ')}{indent}}}"
