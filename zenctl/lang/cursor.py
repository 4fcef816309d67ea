"""Cursor: where a parser stands in its tokens, how deep it is, and what it found wrong."""

from __future__ import annotations

from typing import NoReturn

from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.scanner import Mode, scan
from zenctl.lang.source import Source

MAX_DEPTH = 100
"""How many brackets, strings and blocks may nest: the parser and all that walk the tree recurse no deeper."""

MAX_PROBLEMS = 200
"""After so many problems in a text the rest of it is not read."""

MAX_HEIGHT = 200
"""How tall an expression's tree may be; long chains (`a + b + c`) grow it without nesting."""


class SyntaxFailure(Exception):
    """Parsing cannot go on within this item; the diagnostic is recorded already."""


class Cursor:
    """The current token is `kind`, from `start`. Newline tokens show only while `newlines` is set."""

    def __init__(self, source: Source, mode: Mode = Mode.NORMAL) -> None:
        tokens = scan(source.text, mode)
        self.source = source
        self.text = source.text
        self.kinds = tokens.kinds
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.at = 0
        self.kind = tokens.kinds[0]
        self.end = 0
        """Where the last token read ended."""
        self.newlines = True
        self.depth = 0
        self.height = 0
        """Of the tree of the expression read last."""
        self.diagnostics: list[Diagnostic] = [source.problem] if source.problem else []
        self._failed_line = 0

    @property
    def start(self) -> int:
        """Where the current token starts."""
        return self.starts[self.at]

    def advance(self) -> None:
        """Go to the next token; at the end of the file, stay."""
        at = self.at
        self.end = self.ends[at]
        if self.kind == "eof":
            return
        at += 1
        if not self.newlines:
            while self.kinds[at] == "newline":
                at += 1
        self.at = at
        self.kind = self.kinds[at]

    def see_newlines(self, visible: bool) -> None:
        """Show or skip newlines from the current token on."""
        self.newlines = visible
        if not visible:
            while self.kind == "newline":
                self.at += 1
                self.kind = self.kinds[self.at]

    def word(self) -> str:
        """The text of the current token."""
        return self.text[self.starts[self.at] : self.ends[self.at]]

    def is_word(self, word: str) -> bool:
        """Whether the current token is this identifier."""
        return self.kind == "ident" and self.word() == word

    def here(self) -> SourceRange:
        """The range of the current token; empty where a newline is."""
        start = self.starts[self.at]
        return self.source.range(start, start if self.kind == "newline" else self.ends[self.at])

    def gap(self) -> SourceRange:
        """Where something is missing before the current token: there, or at the end of an earlier line."""
        if "\n" in self.text[self.end : self.start]:
            return self.source.range(self.end, self.end)
        return self.here()

    def since(self, start: int) -> SourceRange:
        """From an offset to the end of the last token read."""
        return self.source.range(start, max(start, self.end))

    def report(self, code: str, summary: str, detail: str, range: SourceRange) -> None:
        """Record an error and go on."""
        if len(self.diagnostics) < MAX_PROBLEMS:
            self.diagnostics.append(error(code, summary, detail, range=range))

    def fail(
        self, code: str, summary: str, detail: str, range: SourceRange | None = None, *, missing: bool = False
    ) -> NoReturn:
        """Record an error and give up this item. Without a range, a bad token at the current place is told instead.

        `missing` says that something should stand before the current token.
        """
        if range is None and self.kind in ("bad", "badnewline"):
            code, summary, detail = _bad_token(self.word(), self.kind)
            missing = False
        place = range or (self.gap() if missing else self.here())
        # A second failure on one line is most likely a consequence of the first.
        if place.start.line != self._failed_line:
            self.diagnostics.append(error(code, summary, detail, range=place))
            self._failed_line = place.start.line
        raise SyntaxFailure

    def deeper(self) -> None:
        """Enter one more level; the caller takes it back with `depth -= 1`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(
                "nested_too_deeply",
                "Nested too deeply",
                f"Brackets, strings and blocks can nest {MAX_DEPTH} levels deep. Give parts of it names with locals.",
                self.here(),
            )

    def grow(self, height: int, start: int) -> None:
        """Note the height of the expression that began at `start`."""
        self.height = height
        if height > MAX_HEIGHT:
            self.fail(
                "expression_too_long",
                "Expression too long",
                f"An expression can chain about {MAX_HEIGHT} operations. Give parts of it names with locals.",
                self.source.range(start, start + 1),
            )


def _bad_token(word: str, kind: str) -> tuple[str, str, str]:
    """Code, summary and detail for what the scanner could not read."""
    if kind == "badnewline":
        return (
            "unclosed_string",
            "Unclosed string",
            "A string in quotes must end on the line where it begins. Close it with a quote, write \\n for a line "
            "break, or use a heredoc (<<-EOT) for a text of several lines.",
        )
    if word.startswith("/*"):
        return "unclosed_comment", "Unclosed comment", "There is no */ to end this comment."
    detail = _BAD.get(word[0])
    if detail is None:
        name = f'"{word[0]}"' if word[0].isprintable() else f"U+{ord(word[0]):04X}"
        detail = f"The character {name} means nothing here. In a text, put it in quotes."
    return "invalid_character", "Invalid character", detail


_BAD = {
    "'": 'A string is written in double quotes: "text".',
    "`": "Backticks are not used. A text of several lines is a heredoc: <<-EOT on the first line, EOT on the last.",
    ";": "Semicolons are not used. Arguments and blocks are separated by newlines, items of a collection by commas.",
    "&": 'There are no bitwise operators. Did you mean the logical "and", &&?',
    "|": 'There are no bitwise operators. Did you mean the logical "or", ||?',
    "^": "There are no bitwise operators. Powers are written with pow(base, exponent).",
    "~": "A ~ has a meaning only inside ${~ and ~}.",
    "$": 'A ${...} has a meaning only within quotes, as in "${var.name}". Outside, write the expression alone.',
    "\\": "A backslash has a meaning only within quotes.",
    "\ufeff": "A byte order mark may stand at the very start of a file only.",
    "\u00a0": "This is a no-break space, which looks like a space but is none. Type a plain space.",
    "\u201c": 'A string is written in plain quotes ("), not typographic ones.',
    "\u201d": 'A string is written in plain quotes ("), not typographic ones.',
    "\r": "A carriage return must be followed by a line feed.",
    "\0": "A NUL cannot stand in a configuration.",
}
