"""Formats HCL as `terraform fmt` does: changes spaces, line ends and the quotes of labels, and never what is meant."""

from __future__ import annotations

from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.lang.layout import laid_out
from zenctl.lang.parser import parse_config, parse_expression
from zenctl.lang.scanner import Tokens, scan
from zenctl.lang.source import Source
from zenctl.lang.spacing import pieces
from zenctl.lang.syntax import same_meaning
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Formatted:
    """A formatted text. With errors among the diagnostics, it is the text that was given."""

    text: str
    diagnostics: tuple[Diagnostic, ...] = ()


def format(source: str) -> str:
    """The text of a configuration, or of a lone expression, in the one canonical layout.

    Each line stays a line: nothing is wrapped or joined. Comments and the literal text of templates and heredocs stay
    as they are, and so does a text with errors. Line ends become `\\n`; a configuration ends with one of them.
    """
    found = format_config(source, "<input>")
    if not has_errors(found.diagnostics):
        return found.text
    expression, _ = parse_expression(source, "<input>")
    if expression is None:
        return source
    text = Source(source, "<input>").text
    written = laid_out(pieces(text, scan(text, comments=True), expression=True))
    again, _ = parse_expression(written, "<input>")
    return written if again is not None and same_meaning(expression, again) else source


def format_config(text: str, filename: str) -> Formatted:
    """A configuration file's text in canonical layout; with errors, the text as it is and what is wrong with it."""
    body, problems = parse_config(text, filename)
    if has_errors(problems):
        return Formatted(text, tuple(problems))
    plain = Source(text, filename).text
    tokens = scan(plain, comments=True)
    written = laid_out(pieces(plain, tokens)).rstrip("\n")
    written = f"{written}\n" if written else ""
    if written != text and not _reads_the_same(plain, tokens, written):
        # Only quoted labels may differ; whatever else does is a bug that must not reach the file.
        again, found = parse_config(written, filename)
        if has_errors(found) or not same_meaning(body, again):
            detail = "It is left as it is. This is a bug of zenctl: please report it with the file."
            return Formatted(text, (error("not_formatted", f"{filename} would mean something else", detail),))
    return Formatted(written, tuple(problems))


def _reads_the_same(text: str, tokens: Tokens, written: str) -> bool:
    """Whether a parser is given the same by two texts: it sees tokens only, and no comments."""
    return _significant(text, tokens) == _significant(written, scan(written))


def _significant(text: str, tokens: Tokens) -> list[tuple[str, str]]:
    found = []
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind == "newline":
            found.append((kind, ""))
        elif kind == "oheredoc" or kind == "cheredoc":
            found.append((kind, text[start:end].strip()))
        elif kind != "comment":
            found.append((kind, text[start:end]))
    found.pop()  # the end of the file, and what newlines stand before it
    while found and found[-1][0] == "newline":
        found.pop()
    return found
