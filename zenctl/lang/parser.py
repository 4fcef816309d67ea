"""Reads HCL into a syntax tree and reports every broken item of a file, not only the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from zenctl.diagnostics import Diagnostic, Position, SourceRange
from zenctl.lang.cursor import MAX_PROBLEMS, SyntaxFailure
from zenctl.lang.expressions import ExpressionParser
from zenctl.lang.normal_form import nfc
from zenctl.lang.scanner import Mode, scan
from zenctl.lang.source import Source
from zenctl.lang.syntax import Attribute, Block, Body, Expression
from zenctl.lang.template import decode, parse_bare

MAX_RESCANNED = 100_000
"""How many characters, besides as many as the file has, are scanned anew behind strings that are not closed."""

_INSIDE = {"oquote": 1, "cquote": -1, "oheredoc": 1, "cheredoc": -1, "interp": 1, "control": 1, "seqend": -1}
"""How a token changes the depth within strings, heredocs and the sequences in them."""


def parse_config(text: str, filename: str) -> tuple[Body, list[Diagnostic]]:
    """A file's body. With errors, the body holds the items that could be read."""
    parser = BodyParser(Source(text, filename))
    body = parser.file()
    return body, parser.diagnostics


def parse_expression(
    text: str, filename: str, start: Position | None = None
) -> tuple[Expression | None, list[Diagnostic]]:
    """One expression, over several lines if need be; None if there are errors. `start` is where the text begins."""
    parser = BodyParser(Source(text, filename, start))
    return parser.whole(parser.lone_expression), parser.diagnostics


def parse_template(
    text: str, filename: str, start: Position | None = None
) -> tuple[Expression | None, list[Diagnostic]]:
    """A text with `${}` and `%{}` in it; None if there are errors."""
    return parse_template_source(Source(text, filename, start))


def parse_template_source(source: Source) -> tuple[Expression | None, list[Diagnostic]]:
    """The same for a source with its own way to positions."""
    parser = BodyParser(source, Mode.TEMPLATE)
    return parser.whole(lambda: parse_bare(parser)), parser.diagnostics


class BodyParser(ExpressionParser):
    """Adds attributes, blocks and bodies to what an expression parser reads."""

    def __init__(self, source: Source, mode: Mode = Mode.NORMAL) -> None:
        super().__init__(source, mode)
        self._unclosed = False
        self._excused = 0
        """Closing braces that a broken item may have left over, and that are no mistakes of their own."""
        self._rescanned = 0
        self._margin = -1
        """The column where the block around begins."""

    def whole(self, read: Callable[[], Expression]) -> Expression | None:
        """What `read` reads, if that is the whole text and without errors."""
        try:
            result = read()
            if self.kind != "eof":
                detail = "An operator or the end of the expression was expected here."
                self.fail("extra_characters", "Extra characters after the expression", detail)
        except SyntaxFailure:
            return None
        return None if self.diagnostics else result

    def lone_expression(self) -> Expression:
        """The expression that the whole text is; newlines in it count no more than in parentheses."""
        self.see_newlines(False)
        return self.expression()

    def file(self) -> Body:
        """Everything up to the end of the file."""
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        broken = False
        while True:
            broken = self._items(attributes, blocks) or broken
            if self.kind == "eof":
                return Body(self.source.range(0, len(self.text)), attributes, tuple(blocks), broken)
            if self._excused:
                self._excused -= 1
            else:
                detail = "There is no open block that it could close."
                self.report("extra_brace", "Unexpected closing brace", detail, self.here())
            self.advance()

    def _items(self, attributes: dict[str, Attribute], blocks: list[Block]) -> bool:
        """Read items up to a closing brace or the end of the file; returns whether one of them is broken."""
        broken = False
        while True:
            kind = self.kind
            if kind == "newline":
                self.advance()
            elif len(self.diagnostics) >= MAX_PROBLEMS:
                self._unclosed = True
                self.at, self.kind = len(self.kinds) - 1, "eof"
                return True
            elif kind == "eof" or kind == "}":
                return broken
            else:
                first, depth, margin = self.at, self.depth, self._margin
                try:
                    self._item(attributes, blocks)
                except SyntaxFailure:
                    self.depth, self.newlines, self._margin = depth, True, margin
                    self._excused += 1
                    self._recover(first)
                    broken = True

    def _item(self, attributes: dict[str, Attribute], blocks: list[Block]) -> None:
        start = self.start
        if self.kind != "ident":
            self._no_item()
        word = self.word()
        name_range = self.here()
        self.advance()
        if self.kind == "=":
            self.advance()
            expression = self.expression()
            self._attribute_end()
            self._add(attributes, Attribute(self.since(start), nfc(word), name_range, expression))
            if self.kind == "newline":
                self.advance()
        elif self.kind in ("{", "oquote", "ident") or self._brace_below():
            blocks.append(self._block(word, start, name_range))
        else:
            detail = f"To set an argument, write {word} = value; to begin a block, write {word} {{."
            if self.kind == ":":
                detail = f"An argument is set with an equals sign, not a colon: {word} = value."
            self.fail("invalid_item", "Argument or block expected", detail, None if self.kind == "bad" else name_range)

    def _no_item(self) -> NoReturn:
        if self.kind == "oquote":
            self.fail("invalid_item", "Invalid argument name", "The name of an argument is written without quotes.")
        self.fail("invalid_item", "Argument or block expected", "An argument (name = value) or a block must begin.")

    def _attribute_end(self) -> None:
        """An attribute must be followed by the end of the line."""
        if self.kind in ("newline", "eof"):
            return
        detail = "Each argument stands on its own line."
        if self.kind == ",":
            self.fail("missing_newline", "Unexpected comma after argument", f"{detail} Remove the comma.")
        if self.kind == "}":
            self.fail("missing_newline", "Missing newline after argument", f"{detail} Put the brace on the next line.")
        self.fail("missing_newline", "Missing newline after argument", detail)

    def _add(self, attributes: dict[str, Attribute], attribute: Attribute) -> None:
        earlier = attributes.get(attribute.name)
        if earlier is None:
            attributes[attribute.name] = attribute
            return
        detail = f'"{attribute.name}" is set on line {earlier.name_range.start.line} already. Remove one of the two.'
        self.report("duplicate_attribute", "Argument set twice", detail, attribute.name_range)

    def _block(self, type: str, start: int, type_range: SourceRange) -> Block:
        """From the labels to the newline after the closing brace."""
        labels: list[str] = []
        label_ranges: list[SourceRange] = []
        while self.kind != "{":
            if self.kind == "ident":
                labels.append(nfc(self.word()))
                label_ranges.append(self.here())
                self.advance()
            elif self.kind == "oquote":
                label, range = self._label()
                labels.append(label)
                label_ranges.append(range)
            elif self._brace_below():
                detail = 'The opening brace "{" of a block must stand on the same line as its name.'
                self.report("invalid_block", "Invalid block definition", detail, self.source.range(start, self.end))
                self.advance()
            else:
                self._bad_header()
        header_range = self.since(start)
        self.deeper()
        outer, self._margin = self._margin, self.source.column(start)
        body = self._block_body(type_range)
        self._margin = outer
        self.depth -= 1
        block = Block(self.since(start), nfc(type), tuple(labels), tuple(label_ranges), type_range, header_range, body)
        if self.kind == "newline":
            self.advance()
        elif self.kind != "eof":
            # The block itself is whole: keep it, and read on behind the brace.
            detail = "The next argument or block must begin on a new line."
            self.report("missing_newline", "Missing newline after block", detail, self.here())
            self._failed_line = self.here().start.line
            self._excused += 1
        return block

    def _brace_below(self) -> bool:
        """Whether the line ends here and the next one begins with an opening brace."""
        return self.kind == "newline" and self.kinds[self.at + 1] == "{"

    def _bad_header(self) -> NoReturn:
        if self.kind == "=":
            detail = "An equals sign sets an argument, whose name has no labels. A block is written without it."
        elif self.kind == "newline":
            detail = 'The opening brace "{" of a block must stand on the same line as its name.'
        else:
            detail = 'A label in quotes or an opening brace "{" must stand here.'
        self.fail("invalid_block", "Invalid block definition", detail)

    def _label(self) -> tuple[str, SourceRange]:
        """A quoted text without templates."""
        start = self.start
        self.advance()
        text = ""
        if self.kind == "quoted":
            text = decode(self, self.start, self.ends[self.at], quoted=True)
            self.advance()
        if self.kind in ("interp", "control"):
            sign = self.word()[0]
            detail = f"A label is a plain text, without templates. Write {sign}{sign}{{ for {sign}{{ as text."
            self.fail("invalid_label", "Invalid block label", detail)
        if self.kind != "cquote":
            self.fail("unclosed_string", "Unclosed string", "There is no closing quote for this label.")
        self.advance()
        return text, self.since(start)

    def _block_body(self, type_range: SourceRange) -> Body:
        """From the opening to the closing brace, which is read."""
        start = self.start
        self.advance()
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        broken = False
        if self.kind not in ("newline", "}", "eof"):
            self._single(attributes)
        else:
            broken = self._items(attributes, blocks)
        if self.kind != "}":
            if self._unclosed:  # the innermost one has been told
                raise SyntaxFailure
            self._unclosed = True
            detail = 'There is no closing brace "}" for this block before the end of the file.'
            self.fail("unclosed_block", "Unclosed block", detail, type_range)
        self.advance()
        return Body(self.since(start), attributes, tuple(blocks), broken)

    def _single(self, attributes: dict[str, Attribute]) -> None:
        """The one argument of a block that is written on one line."""
        start = self.start
        if self.kind != "ident":
            self._no_item()
        word, name_range = nfc(self.word()), self.here()
        self.advance()
        if self.kind in ("{", "oquote", "ident"):
            detail = "A block on one line can hold one argument only. Put a block inside it on a line of its own."
            self.fail("invalid_block", "Invalid block on one line", detail, name_range)
        if self.kind != "=":
            detail = f"To set an argument, write {word} = value."
            self.fail("invalid_item", "Argument expected", detail, None if self.kind == "bad" else name_range)
        self.advance()
        expression = self.expression()
        if self.kind == ",":
            detail = "A block on one line can hold one argument only. Put each argument on its own line."
            self.fail("invalid_block", "Invalid block on one line", detail)
        if self.kind == "newline":
            detail = "An argument on the line of the opening brace must be followed by the closing brace."
            self.fail("invalid_block", "Invalid block on one line", detail)
        if self.kind not in ("}", "eof"):
            detail = 'A closing brace "}" must follow the only argument of a block on one line.'
            self.fail("invalid_block", "Invalid block on one line", detail)
        attributes[word] = Attribute(self.since(start), word, name_range, expression)

    def _recover(self, first: int) -> None:
        """Go on where the next item begins, most likely.

        That is behind the line on which the brackets opened since token `first` are closed again; or, if they do not
        close, on a line that is indented no more than the broken item and looks like an item or the end of a block.
        """
        if self._unclosed and self.kind == "eof":  # each block around would look through all of itself again
            return
        kinds, starts = self.kinds, self.starts
        margin = self.source.column(starts[first])
        stop = self.at
        while stop - 1 > first and kinds[stop - 1] == "newline":
            stop -= 1
        open_brackets = inside = 0
        at = first
        while kinds[at] != "eof":
            kind = kinds[at]
            inside = 0 if kind == "badnewline" else inside + _INSIDE.get(kind, 0)
            if kind in ("{", "[", "(", "interp", "control"):
                open_brackets += 1
            elif kind in ("}", "]", ")", "seqend"):
                if kind == "}" and open_brackets == 0 and at >= stop and self._closes(at):
                    break
                open_brackets = max(0, open_brackets - 1)
            elif kind == "newline" and at >= stop and (open_brackets == 0 or self._looks_new(at + 1, margin)):
                if inside > 0:
                    self._rescan(at)
                break
            at += 1
        else:
            self._unclosed = True
        self.at = at
        self.kind = kinds[at]
        self.end = self.ends[at - 1] if at else 0

    def _rescan(self, at: int) -> None:
        """Read the tokens from a newline on anew, as it was scanned as part of a string that is never closed."""
        start, length = self.starts[at], len(self.text)
        self._rescanned += length - start
        if self._rescanned > MAX_RESCANNED + length:  # for the time to stay linear
            return
        tokens = scan(self.text[start:])
        self.kinds[at:] = tokens.kinds
        self.starts[at:] = [start + offset for offset in tokens.starts]
        self.ends[at:] = [start + offset for offset in tokens.ends]

    def _closes(self, at: int) -> bool:
        """Whether a brace behind a broken item ends the block around it, and is not just a slip in the item."""
        kinds = self.kinds
        if kinds[at - 1] == "newline":
            return True
        if kinds[at + 1] not in ("newline", "eof"):
            return False
        at += 1
        while kinds[at] == "newline":
            at += 1
        return kinds[at] != "}" and self.source.column(self.starts[at]) <= self._margin

    def _looks_new(self, at: int, margin: int) -> bool:
        """Whether an item, or the end of the block around it, begins at a token that follows a newline."""
        kinds = self.kinds
        if self.source.column(self.starts[at]) > margin:
            return False
        if kinds[at] == "}":
            return self.source.column(self.starts[at]) < margin
        return kinds[at] == "ident" and kinds[at + 1] in ("=", "{", "oquote", "ident")
