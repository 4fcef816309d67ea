"""Carries templates from one notation to another: in quotes, as a heredoc, and bare as in YAML.

A template is rewritten piece by piece; what stands inside `${...}` and `%{...}` is never touched.
"""

from __future__ import annotations

import re

from zenctl.lang.meaning import same_expression
from zenctl.lang.parser import BodyParser, parse_config, parse_expression
from zenctl.lang.quoting import escape, literal_template
from zenctl.lang.scanner import Mode, Tokens, scan
from zenctl.lang.source import Source
from zenctl.lang.syntax import ObjectExpr
from zenctl.lang.template import decode
from zenctl.lazy_dataclasses import dataclass

MARKER = "EOT"
"""The usual end mark of a heredoc."""

_UNFIT_FOR_HEREDOC = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_INDENTATION = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Literal text, or a whole `${...}` or `%{...}`; `left` and `right` say that a `~` trims what is beside it."""

    start: int
    end: int
    literal: bool
    left: bool = False
    right: bool = False


def _pieces(text: str, tokens: Tokens) -> list[_Piece]:
    """The pieces of the outermost template, in order; literal ones are tokens, so a line at most in a bare text."""
    pieces: list[_Piece] = []
    depth = start = 0
    left = False
    for kind, begin, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind in ("interp", "control"):
            if depth == 0:
                start, left = begin, text[end - 1] == "~"
            depth += 1
        elif kind == "seqend":
            depth -= 1
            if depth == 0:
                pieces.append(_Piece(start, end, False, left, end - begin == 2))
        elif depth == 0 and kind in ("text", "quoted"):
            pieces.append(_Piece(begin, end, True))
    return pieces


def _trimmed(text: str, pieces: list[_Piece], at: int) -> str:
    """A literal piece's text without what its neighbours' `~` trim."""
    if at > 0 and pieces[at - 1].right:
        text = text.lstrip()
    if at + 1 < len(pieces) and pieces[at + 1].left:
        text = text.rstrip()
    return text


def _split_sign(text: str, template: str, pieces: list[_Piece], at: int) -> tuple[str, str]:
    """A literal piece's text, and the `$` or `%` at its end that the next piece would make an escape of."""
    if at + 1 == len(pieces) or pieces[at + 1].literal:
        return text, ""
    kept = text.rstrip(template[pieces[at + 1].start])
    return kept, text[len(kept) :]


def bare_template(source: str) -> str | None:
    """The bare form of a quoted string or heredoc of HCL; None if no bare text trims or indents as this one does."""
    if source.startswith("<<"):
        return _bare_heredoc(source)
    parser = BodyParser(Source(source, ""))
    tokens = scan(source)
    pieces = _pieces(source, tokens)
    result: list[str] = []
    for at, piece in enumerate(pieces):
        if not piece.literal:
            result.append(source[piece.start : piece.end])
            continue
        text = decode(parser, piece.start, piece.end, quoted=True)
        if "\n" in text:
            # A ~ trims a quoted literal over all its lines, but only one line of a bare one.
            text = _trimmed(text, pieces, at)
        kept, signs = _split_sign(text, source, pieces, at)
        result.append(literal_template(kept))
        if signs:
            result.append(f'${{"{signs}"}}')
    if len(pieces) > 1 and len([text for text in result if text]) == 1:
        result.append('${""}')  # alone, the sequence would keep its type instead of being a text
    return "".join(result)


def _bare_heredoc(source: str) -> str | None:
    tokens = scan(source + "\n")
    start, end = tokens.ends[0], tokens.starts[-3]
    if not source.startswith("<<-"):
        return source[start:end]
    pieces = _pieces(source, tokens)
    if any(piece.left or piece.right for piece in pieces):
        return None
    indented = _line_starts(source, pieces)
    margin = min((_width(source, piece) for piece in indented), default=0)
    result: list[str] = []
    at = start
    for piece in indented:
        result.append(source[at : piece.start])
        at = piece.start + margin
    return "".join([*result, source[at:end]])


def _line_starts(text: str, pieces: list[_Piece]) -> list[_Piece]:
    """The first piece of each line of a template; lines that are blank are left out, as flush heredocs do."""
    found: list[_Piece] = []
    fresh = True
    for piece in pieces:
        written = text[piece.start : piece.end]
        if fresh and not (piece.literal and written.endswith("\n") and not written.strip()):
            found.append(piece)
        fresh = piece.literal and written.endswith("\n")
    return found


def _width(text: str, piece: _Piece) -> int:
    written = text[piece.start : piece.end]
    return len(written) - len(written.lstrip()) if piece.literal else 0


def quoted_template(template: str) -> str:
    """A bare template as a quoted string of HCL."""
    pieces = _pieces(template, scan(template, Mode.TEMPLATE))
    texts = [template[piece.start : piece.end] for piece in pieces]
    if any(piece.left or piece.right for piece in pieces) and any(
        "\n" in text for text, piece in zip(texts, pieces, strict=True) if piece.literal
    ):
        # In quotes a ~ would trim over several lines: do what it does here, and leave it out.
        for at, piece in enumerate(pieces):
            if piece.literal:
                texts[at] = _trimmed(texts[at], pieces, at)
            else:
                inside = template[piece.start + 2 + piece.left : piece.end - 1 - piece.right]
                texts[at] = f"{template[piece.start : piece.start + 2]}{inside}}}"
        if len(pieces) > 1 and len([text for text in texts if text]) == 1:
            texts.append('${""}')  # alone, the sequence would keep its type instead of being a text
    for at, piece in enumerate(pieces):
        if piece.literal:
            kept, signs = _split_sign(texts[at], template, pieces, at)
            texts[at] = escape(kept) + "".join(f"\\u{ord(sign):04x}" for sign in signs)
    return f'"{"".join(texts)}"'


def heredoc(template: str, margin: int) -> str | None:
    """A bare template as a heredoc whose lines are indented by `margin` where that changes nothing.

    None unless it is a text of several lines that ends one. A newline must follow the end mark.
    """
    if not template.endswith("\n") or "\n" not in template[:-1] or _UNFIT_FOR_HEREDOC.search(template):
        return None
    pieces = _pieces(template, scan(template, Mode.TEMPLATE))
    indented = _line_starts(template, pieces)
    marker = MARKER
    lines = {line.strip() for line in template.split("\n")}
    while marker in lines:
        marker += "_"
    flush = not any(piece.left or piece.right for piece in pieces)
    if not indented or not flush or min(_width(template, piece) for piece in indented) > 0:
        return f"<<{marker}\n{template}{marker}"
    result: list[str] = []
    at = 0
    for piece in indented:
        result += [template[at : piece.start], " " * margin]
        at = piece.start
    return f"<<-{marker}\n{''.join(result)}{template[at:]}{' ' * max(0, margin - 2)}{marker}"


def lone_expression(template: str) -> str | None:
    """The source of the expression that a template is as a whole, `${x}`; None if it is none.

    None, too, where the expression cannot stand outside the braces as it is written: with comments, or newlines that
    would end it.
    """
    tokens = scan(template, Mode.TEMPLATE, comments=True)
    pieces = _pieces(template, tokens)
    if len(pieces) != 1 or not template.startswith("${") or "comment" in tokens.kinds:
        return None
    piece = pieces[0]
    source = template[piece.start + 2 + piece.left : piece.end - 1 - piece.right].strip()
    if re.match(r"for\b", source):  # a variable of that name would begin a `for` expression in a list
        return None
    return source if "\n" not in source or _stands_alone(source) else None


def _stands_alone(source: str) -> bool:
    """Whether the expression is the same where newlines end a value."""
    alone, problems = parse_expression(source + "\n", "")
    body, found = parse_config(f"x = {{\nk = {source}\n}}\n", "")
    if problems or found or alone is None or "x" not in body.attributes:
        return False
    value = body.attributes["x"].expression
    return isinstance(value, ObjectExpr) and len(value.items) == 1 and same_expression(value.items[0].value, alone)


def interpolation(source: str) -> str:
    """An expression of HCL as a template, `${x}`."""
    return f"${{{source}\n}}" if ends_with_heredoc(source) else f"${{{source}}}"


def ends_with_heredoc(source: str) -> bool:
    """Whether a newline must follow."""
    return "<<" in source and scan(source + "\n").kinds[-3:] == ["cheredoc", "newline", "eof"]


def dedented(source: str, margin: int) -> str:
    """An expression whose lines after the first are indented by up to `margin` less; no text within it is touched."""
    if "\n" not in source:
        return source
    tokens = scan(source)
    result: list[str] = []
    at = 0
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind == "newline":
            found = _INDENTATION.match(source, end)
            width = len(found.group()) if found else 0
            result.append(f"{source[at:start]}\n")
            at = end + min(margin, width)
    return "".join([*result, source[at:]])
