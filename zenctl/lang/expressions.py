"""ExpressionParser: recursive descent over HCL's expressions; chains of operators and traversals are loops."""

from __future__ import annotations

from typing import NoReturn

from zenctl.diagnostics import SourceRange
from zenctl.lang import constructors, template
from zenctl.lang.cursor import Cursor
from zenctl.lang.normal_form import nfc
from zenctl.lang.numbers import parse_number
from zenctl.lang.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    GetAttr,
    Index,
    Literal,
    Parentheses,
    Splat,
    SplatItem,
    Unary,
    Variable,
)

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}

KEYWORDS = {"true": True, "false": False, "null": None}


class ExpressionParser(Cursor):
    """Each method reads from the current token on, leaves the next unread token current, and sets `height`."""

    def expression(self) -> Expression:
        """Any expression. The false arms of chained conditionals are read in a loop."""
        self.deeper()
        conditions: list[tuple[int, Expression, Expression, int]] = []
        while True:
            start = self.start
            result = self._operation()
            if self.kind != "?":
                break
            height = self.height
            self.advance()
            then = self.expression()
            height = max(height, self.height)
            if self.kind != ":":
                self.fail(
                    "missing_false_expression",
                    "Missing false expression in conditional",
                    "A conditional is condition ? true_value : false_value; the colon and what follows it are missing.",
                    missing=True,
                )
            self.advance()
            conditions.append((start, result, then, height))
        for start, condition, then, height in reversed(conditions):
            self.grow(max(height, self.height) + 1, start)
            result = Conditional(self.since(start), condition, then, result)
        self.depth -= 1
        return result

    def _operation(self) -> Expression:
        """Operands joined by binary operators, with two stacks instead of recursion."""
        first = self._operand()
        if self.kind not in PRECEDENCE:
            return first
        operands = [(first, self.height)]
        operators: list[str] = []
        while True:
            precedence = PRECEDENCE.get(self.kind, 0)
            while operators and PRECEDENCE[operators[-1]] >= precedence:
                right, right_height = operands.pop()
                left, left_height = operands.pop()
                self.grow(max(left_height, right_height) + 1, self.start)
                range = SourceRange(self.source.filename, left.range.start, right.range.end)
                operands.append((Binary(range, operators.pop(), left, right), self.height))
            if not precedence:
                return operands[0][0]
            operators.append(self.kind)
            self.advance()
            operand = self._operand()
            operands.append((operand, self.height))

    def _operand(self) -> Expression:
        """Unary operators, a term and its traversals."""
        kind = self.kind
        if kind != "-" and kind != "!":
            start = self.start
            term = self._term()
            return self._traversals(term, start) if self.kind in (".", "[") else term
        signs: list[tuple[str, int]] = []
        while self.kind in ("-", "!"):
            signs.append((self.kind, self.start))
            self.advance()
        start = self.start
        result = self._traversals(self._term(), start)
        for operator, start in reversed(signs):
            self.grow(self.height + 1, start)
            result = Unary(self.since(start), operator, result)
        return result

    def _term(self) -> Expression:
        kind, start = self.kind, self.start
        self.height = 1
        if kind == "ident":
            word = self.word()
            self.advance()
            if self.kind == "(" or self.kind == "::":
                return self._call(word, start)
            if word in KEYWORDS:
                return Literal(self.since(start), KEYWORDS[word])
            return Variable(self.since(start), nfc(word))
        if kind == "number":
            return self._number()
        if kind == "oquote" or kind == "oheredoc":
            return template.parse_quoted(self)
        if kind == "[":
            return constructors.parse_tuple(self)
        if kind == "{":
            return constructors.parse_object(self)
        if kind == "(":
            return self._parentheses()
        return self._missing()

    def _missing(self) -> NoReturn:
        """There is no expression where one must be."""
        if self.kind == "eof":
            found = "but nothing follows"
        elif self.kind == "newline":
            found = "but the line ends here. An expression goes on over the end of a line only within brackets"
        else:
            found = f'but found "{self.word()}"'
        self.fail("missing_expression", "Missing expression", f"A value or an expression must stand here, {found}.")

    def _number(self) -> Expression:
        value = parse_number(self.word())
        if value is None:
            self.fail(
                "invalid_number",
                "Invalid number",
                f'"{self.word()[:60]}" is not a number, or is too large. Numbers are written as 12, 0.5 or 1.5e3.',
                self.here(),
            )
        start = self.start
        self.advance()
        return Literal(self.since(start), value)

    def _parentheses(self) -> Expression:
        start = self.start
        outer = self.newlines
        self.newlines = False
        self.advance()
        inner = self.expression()
        if self.kind != ")":
            self.fail(
                "missing_parenthesis",
                "Missing closing parenthesis",
                'A ")" must follow here to close the one before.',
                missing=True,
            )
        self.newlines = outer
        self.advance()
        self.grow(self.height + 1, start)
        return Parentheses(self.since(start), inner)

    def _call(self, word: str, start: int) -> Expression:
        while self.kind == "::":
            self.advance()
            if self.kind != "ident":
                self.fail("missing_function_name", "Missing function name", 'The name of a function must follow "::".')
            word += "::" + self.word()
            self.advance()
        if self.kind != "(":
            self.fail(
                "missing_parenthesis",
                "Missing opening parenthesis",
                f"A function is called as {word}(...).",
                missing=True,
            )
        name_range = self.since(start)
        outer = self.newlines
        self.newlines = False
        opening = self.here()
        self.advance()
        arguments: list[Expression] = []
        expand = False
        height = 0
        while self.kind != ")":
            arguments.append(self.expression())
            height = max(height, self.height)
            if self.kind == "...":
                expand = True
                self.advance()
                if self.kind != ")":
                    self.fail(
                        "missing_parenthesis",
                        "Missing closing parenthesis",
                        "Only the last argument can be expanded with ..., so a closing parenthesis must follow.",
                        missing=True,
                    )
            elif self.kind == ",":
                self.advance()
            elif self.kind == "eof":
                detail = f"The parenthesis of this call of {word} is never closed."
                self.fail("missing_parenthesis", "Unclosed function call", detail, opening)
            elif self.kind != ")":
                detail = 'The arguments of a function are separated by commas, and a ")" ends them.'
                self.fail("missing_comma", "Missing argument separator", detail, missing=True)
        self.newlines = outer
        self.advance()
        self.grow(height + 1, start)
        return Call(self.since(start), word, tuple(arguments), expand, name_range)

    def _traversals(self, node: Expression, start: int) -> Expression:
        """What follows a term: `.name`, `.0`, `[key]`, `.*` and `[*]`."""
        while True:
            if self.kind == ".":
                node = self._attribute(node, start)
            elif self.kind == "[":
                outer = self.newlines
                height = self.height
                bracket = self.start
                self.advance()
                if self.kind == "*":
                    return self._full_splat(node, start, bracket)
                self.see_newlines(False)
                key = self.expression()
                if self.kind != "]":
                    self.fail(
                        "missing_bracket", "Missing closing bracket", 'A "]" must follow the index.', missing=True
                    )
                self.newlines = outer
                self.advance()
                self.grow(max(height, self.height) + 1, start)
                node = Index(self.since(start), node, key)
            else:
                return node

    def _attribute(self, node: Expression, start: int, in_splat: bool = False) -> Expression:
        """The current token is a dot."""
        height = self.height
        self.advance()
        if self.kind == "ident":
            word = nfc(self.word())
            self.advance()
            self.grow(height + 1, start)
            return GetAttr(self.since(start), node, word)
        if self.kind == "number":
            digits = self.word()
            if "." in digits:
                fixed = "".join(f"[{part}]" for part in digits.split("."))
                self.fail("invalid_index", "Invalid index", f"Two indexes in a row are written {fixed}.", self.here())
            literal = self._number()
            self.grow(height + 1, start)
            return Index(self.since(start), node, literal)
        if self.kind == "*" and not in_splat:
            return self._attribute_splat(node, start)
        detail = "An attribute's name must follow the dot."
        if self.kind == "*":
            detail = "A splat cannot follow another one of this kind. Write [*] instead."
        return self.fail("missing_attribute_name", "Missing attribute name", detail)

    def _attribute_splat(self, source: Expression, start: int) -> Expression:
        """`.*` takes the names and numbers that follow, and no more."""
        marker, height = self.start, self.height
        self.advance()
        self.height = 1
        each: Expression = SplatItem(self.since(marker))
        while self.kind == ".":
            each = self._attribute(each, marker, in_splat=True)
        self.grow(max(height, self.height) + 1, start)
        return Splat(self.since(start), source, each)

    def _full_splat(self, source: Expression, start: int, marker: int) -> Expression:
        """`[*]` takes everything that follows, other splats included; the star is the current token."""
        self.deeper()
        height = self.height
        self.advance()
        if self.kind != "]":
            self.fail("missing_bracket", "Missing closing bracket", 'A "]" must follow the star: [*].', missing=True)
        self.advance()
        self.height = 1
        each = self._traversals(SplatItem(self.since(marker)), marker)
        self.grow(max(height, self.height) + 1, start)
        self.depth -= 1
        return Splat(self.since(start), source, each)
