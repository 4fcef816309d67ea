"""Templates: quoted strings, heredocs and bare ones, from tokens to one tree with trimming and escapes resolved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from zenctl.diagnostics import SourceRange, did_you_mean
from zenctl.lang.normal_form import nfc
from zenctl.lang.syntax import Expression, Literal, Template, TemplateFor, TemplateIf, TemplateWrap
from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from zenctl.lang.expressions import ExpressionParser

_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,4}|U[0-9a-fA-F]{0,8}|.)|\$\$(?=\{)|%%(?=\{)", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_DIRECTIVES = ("if", "else", "endif", "for", "endfor")


@dataclass(slots=True)
class _Part:
    """A piece of a template: `text`, an interpolated `value`, or a directive by its keyword."""

    kind: str
    start: int
    end: int
    text: str = ""
    expression: Expression | None = None
    names: tuple[str, str] = ("", "")
    height: int = 0


def parse_quoted(parser: ExpressionParser) -> Expression:
    """A quoted string or heredoc; its opening token is current."""
    kinds, at, start = parser.kinds, parser.at, parser.start
    if kinds[at] == "oquote":
        # Most strings are plain: spare them the long way.
        if kinds[at + 1] == "cquote":
            parser.advance()
            parser.advance()
            return Literal(parser.since(start), "")
        if kinds[at + 1] == "quoted" and kinds[at + 2] == "cquote":
            parser.advance()
            text = decode(parser, parser.start, parser.ends[parser.at], quoted=True)
            parser.advance()
            parser.advance()
            return Literal(parser.since(start), text)
    heredoc = kinds[at] == "oheredoc"
    opening = parser.here()
    flush = heredoc and parser.word().startswith("<<-")
    parser.deeper()
    parser.advance()
    parts = _read_parts(parser)
    if parser.kind != ("cheredoc" if heredoc else "cquote"):
        _unclosed(parser, opening, heredoc)
    parser.advance()
    parser.depth -= 1
    if flush:
        _strip_indentation(parts)
    return _assemble(parser, parts, start, parser.end)


def parse_bare(parser: ExpressionParser) -> Expression:
    """A whole text as a template."""
    parts = _read_parts(parser)
    return _assemble(parser, parts, 0, len(parser.text))


def _unclosed(parser: ExpressionParser, opening: SourceRange, heredoc: bool) -> NoReturn:
    if heredoc:
        marker = parser.text[opening.start.byte :].split("\n", 1)[0]
        marker = marker.lstrip("<-").strip() if parser.text.isascii() else "the marker"
        parser.fail(
            "unclosed_heredoc",
            "Unclosed heredoc",
            f"A line with nothing but {marker} must end this text, and a newline must follow it.",
            opening,
        )
    parser.fail("unclosed_string", "Unclosed string", "There is no closing quote for this string.")


def decode(parser: ExpressionParser, start: int, end: int, *, quoted: bool) -> str:
    """The text that a stretch of a template stands for. A wrong escape is reported and left as it is."""
    text = parser.text[start:end]
    if ("\\" in text and quoted) or "$${" in text or "%%{" in text:
        pieces: list[str] = []
        at = 0
        for found in _ESCAPE.finditer(text) if quoted else re.finditer(r"\$\$(?=\{)|%%(?=\{)", text):
            pieces.append(text[at : found.start()])
            at = found.end()
            escape = found.group()
            if escape[0] != "\\":
                pieces.append(escape[0])
                continue
            value, problem = _escape(escape)
            if problem:
                range = parser.source.range(start + found.start(), start + found.end())
                parser.report("invalid_escape", "Invalid escape sequence", problem, range)
            pieces.append(value)
        pieces.append(text[at:])
        text = "".join(pieces)
    return nfc(text)


def _escape(escape: str) -> tuple[str, str]:
    """What a backslash escape stands for, and what is wrong with it."""
    letter = escape[1]
    if letter in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[letter], ""
    if letter in "uU":
        digits = escape[2:]
        wanted = 4 if letter == "u" else 8
        if len(digits) != wanted:
            return escape, f"\\{letter} must be followed by {wanted} hexadecimal digits."
        code = int(digits, 16)
        if code > 0x10FFFF:
            return escape, f"There is no Unicode character {digits}."
        if 0xD800 <= code <= 0xDFFF:
            detail = f"{digits} is half of a pair that UTF-16 makes of a character. Write the character as \\UNNNNNNNN."
            return escape, detail
        return chr(code), ""
    detail = f'"{escape}" is no escape sequence: there are \\n, \\r, \\t, \\", \\\\, \\uNNNN and \\UNNNNNNNN.'
    if letter in "$%":
        detail += f" To write {letter}{{ as text, double the sign: {letter}{letter}{{."
    else:
        detail += " To write a backslash as text, double it."
    return escape, detail


def _read_parts(parser: ExpressionParser) -> list[_Part]:
    """All parts up to the first token that is none, `~` trimming done."""
    parts: list[_Part] = []
    trim_next = False
    while True:
        kind, start = parser.kind, parser.start
        if kind == "text" or kind == "quoted":
            end = parser.ends[parser.at]
            text = decode(parser, start, end, quoted=kind == "quoted")
            parts.append(_Part("text", start, end, text.lstrip() if trim_next else text))
            trim_next = False
            parser.advance()
        elif kind == "interp" or kind == "control":
            if parser.word().endswith("~") and parts and parts[-1].kind == "text":
                parts[-1].text = parts[-1].text.rstrip()
            outer = parser.newlines
            opening = parser.here()
            parser.newlines = False
            parser.advance()
            part = _interpolation(parser, start, opening) if kind == "interp" else _directive(parser, start, opening)
            trim_next = parser.word() == "~}"
            # The next token is template text, which knows no newlines of its own.
            parser.newlines = outer
            parser.advance()
            part.end = parser.end
            parts.append(part)
        else:
            return parts


def _interpolation(parser: ExpressionParser, start: int, opening: SourceRange) -> _Part:
    if parser.kind == "seqend":
        parser.fail("missing_expression", "Missing expression", "An expression must stand between ${ and }.", opening)
    expression = parser.expression()
    _expect_end(parser, opening, "${")
    return _Part("value", start, start, expression=expression, height=parser.height)


def _expect_end(parser: ExpressionParser, opening: SourceRange, what: str) -> None:
    """The closing brace of a sequence must be the current token."""
    if parser.kind == "seqend":
        return
    if parser.kind in ("eof", "oquote", "cquote", "badnewline"):
        detail = f"There is no closing brace for this {what}. Write {what[0]}{what} for {what} as text."
        parser.fail("unclosed_interpolation", "Unclosed template sequence", detail, opening)
    detail = f'A closing brace must follow the expression, but found "{parser.word()}". '
    detail += f"If this is meant for another language, such as a shell, write {what[0]}{what} instead of {what}."
    parser.fail("extra_characters", "Extra characters in a template sequence", detail)


def _directive(parser: ExpressionParser, start: int, opening: SourceRange) -> _Part:
    if parser.kind != "ident":
        parser.fail("invalid_directive", "Invalid template directive", "A word such as if or for must follow %{.")
    keyword = parser.word()
    if keyword not in _DIRECTIVES:
        detail = f'"{keyword}" is no directive: there are {", ".join(_DIRECTIVES)}.{did_you_mean(keyword, _DIRECTIVES)}'
        parser.fail("invalid_directive", "Invalid template directive", detail, parser.here())
    parser.advance()
    part = _Part(keyword, start, start)
    if keyword == "if":
        part.expression, part.height = parser.expression(), parser.height
    elif keyword == "for":
        key, value = "", _directive_name(parser)
        if parser.kind == ",":
            parser.advance()
            key, value = value, _directive_name(parser)
        if not parser.is_word("in"):
            parser.fail("invalid_directive", "Invalid for directive", "It is written %{ for x in xs }.")
        parser.advance()
        part.names = (key, value)
        part.expression, part.height = parser.expression(), parser.height
    _expect_end(parser, opening, "%{")
    return part


def _directive_name(parser: ExpressionParser) -> str:
    if parser.kind != "ident":
        parser.fail("invalid_directive", "Invalid for directive", "A name must stand here: %{ for x in xs }.")
    word = nfc(parser.word())
    parser.advance()
    return word


def _strip_indentation(parts: list[_Part]) -> None:
    """Take from every line of a `<<-` heredoc the indentation common to all, blank lines left out of account."""
    leading: list[_Part] = []
    smallest: int | None = None
    line_start = True
    for part in parts:
        if line_start:
            line_start = False
            spaces = 0
            blank = False
            if part.kind == "text":
                rest = part.text.lstrip()
                blank = not rest and part.text.endswith("\n")
                if not blank:
                    spaces = len(part.text) - len(rest)
                    leading.append(part)
            if not blank:
                smallest = spaces if smallest is None else min(smallest, spaces)
        if part.kind == "text" and part.text.endswith("\n"):
            line_start = True
    for part in leading:
        part.text = part.text[smallest or 0 :]


class _Frame:
    """A template under construction: the whole, or the inside of a directive that is still open."""

    __slots__ = ("height", "items", "opener", "otherwise", "start", "texts")

    def __init__(self, opener: _Part | None, start: int) -> None:
        self.opener = opener
        self.start = start
        self.items: list[Expression] = []
        self.texts: list[_Part] = []
        self.otherwise: tuple[Template, _Part] | None = None
        self.height = 0

    def flush(self, parser: ExpressionParser) -> None:
        """Join neighbouring texts into one literal."""
        if self.texts:
            range = parser.source.range(self.texts[0].start, self.texts[-1].end)
            self.items.append(Literal(range, "".join(part.text for part in self.texts)))
            self.texts = []

    def template(self, parser: ExpressionParser, end: int) -> Template:
        """What was collected since the start, as a template."""
        self.flush(parser)
        return Template(parser.source.range(self.start, end), tuple(self.items))


def _assemble(parser: ExpressionParser, parts: list[_Part], start: int, end: int) -> Expression:
    """The tree of a template's parts."""
    range = parser.source.range(start, end)
    if len(parts) == 1 and parts[0].kind == "value" and parts[0].expression is not None:
        parser.grow(parts[0].height + 1, start)
        return TemplateWrap(range, parts[0].expression)
    frames = [_Frame(None, start)]
    for part in parts:
        frame = frames[-1]
        if part.kind == "text":
            frame.texts.append(part)
            continue
        frame.flush(parser)
        if part.kind == "value" and part.expression is not None:
            frame.items.append(part.expression)
            frame.height = max(frame.height, part.height)
        elif part.kind in ("if", "for"):
            parser.deeper()
            frames.append(_Frame(part, part.end))
            frames[-1].height = part.height
        elif part.kind == "else":
            _otherwise(parser, frame, part)
        else:
            _close(parser, frames, part)
    last = frames[-1]
    if last.opener is not None:
        word = last.opener.kind
        place = parser.source.range(last.opener.start, last.opener.end)
        parser.fail("unclosed_directive", f"Unclosed {word} directive", f"Its %{{ end{word} }} is missing.", place)
    last.flush(parser)
    parser.grow(last.height + 1, start)
    if all(isinstance(item, Literal) and isinstance(item.value, str) for item in last.items) and not _has_values(parts):
        first = last.items[0] if last.items else None
        return Literal(range, first.value if isinstance(first, Literal) else "")
    return Template(range, tuple(last.items))


def _has_values(parts: list[_Part]) -> bool:
    return any(part.kind != "text" for part in parts)


def _otherwise(parser: ExpressionParser, frame: _Frame, part: _Part) -> None:
    place = parser.source.range(part.start, part.end)
    if frame.opener is None or frame.opener.kind != "if" or frame.otherwise is not None:
        detail = "An else must stand between %{ if } and %{ endif }, once."
        parser.fail("unexpected_directive", "Unexpected else directive", detail, place)
    frame.otherwise = (frame.template(parser, part.start), frame.opener)
    frame.items = []
    frame.start = part.end


def _close(parser: ExpressionParser, frames: list[_Frame], part: _Part) -> None:
    """An `endif` or `endfor`: the frame becomes one item of the frame around it."""
    frame = frames[-1]
    opener = frame.opener
    if opener is None or part.kind != "end" + opener.kind or opener.expression is None:
        place = parser.source.range(part.start, part.end)
        detail = "There is no open directive for it." if opener is None else f"%{{ end{opener.kind} }} must come first."
        parser.fail("unexpected_directive", f"Unexpected {part.kind} directive", detail, place)
    frames.pop()
    parser.depth -= 1
    parser.grow(frame.height + 2, opener.start)
    outer = frames[-1]
    outer.height = max(outer.height, parser.height)
    range = parser.source.range(opener.start, part.end)
    inside = frame.template(parser, part.start)
    if opener.kind == "for":
        outer.items.append(TemplateFor(range, *opener.names, opener.expression, inside))
    elif frame.otherwise is not None:
        outer.items.append(TemplateIf(range, opener.expression, frame.otherwise[0], inside))
    else:
        outer.items.append(TemplateIf(range, opener.expression, inside, None))
