"""Cuts HCL text into tokens, in time linear in its length; what is no token becomes one of kind `bad`."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum


class Mode(Enum):
    """What a text is read as from its start."""

    NORMAL = "normal"
    TEMPLATE = "template"


class Tokens:
    """Token number i has kind `kinds[i]` and spans the text from `starts[i]` to `ends[i]`.

    Kinds: operators and brackets are their own kind; `ident`, `number`, `newline`, `oquote`, `cquote`, `quoted` (text
    in quotes, escapes as written), `oheredoc`, `cheredoc`, `text` (a piece of a heredoc or bare template, at most one
    line), `interp` (`${`), `control` (`%{`), `seqend` (their `}`), `comment`, `bad`, `badnewline` (a quoted string
    that is not closed on its line) and, last, `eof`.
    """

    __slots__ = ("ends", "kinds", "starts")

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, kind: str, start: int, end: int) -> None:
        """Append a token."""
        self.kinds.append(kind)
        self.starts.append(start)
        self.ends.append(end)

    def drop(self, at: int) -> None:
        """Remove a token."""
        del self.kinds[at], self.starts[at], self.ends[at]


# All but what is ASCII and no letter, `_` or, behind the first, digit or `-`. To compile a class that names what lies
# beyond ASCII would take 5 ms.
_IDENT_FIRST = r"[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f]"
_IDENT_REST = r"[^\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*"
_NORMAL = re.compile(
    r"[ \t]*(?:"
    rf"(?P<ident>{_IDENT_FIRST}{_IDENT_REST})"
    r"|(?P<newline>\r?\n)"
    r"|(?P<number>[0-9](?:(?:[0-9.]|[eE][+-]?[0-9])*(?:[0-9]|[eE][+-]?[0-9]))?)"
    r'|(?P<oquote>")'
    r"|(?P<comment>(?:\#|//)[^\n]*|/\*)"
    rf"|(?P<heredoc><<-?{_IDENT_FIRST}{_IDENT_REST}\r?\n)"
    r"|(?P<brace>[{}]|~\})"
    r"|(?P<operator>==|!=|>=|<=|&&|\|\||::|\.\.\.|=>|[\[\]().,*/%+\-=<>!?:])"
    r"|(?P<bad>[^ \t]))"
)
_QUOTED = re.compile(r'(?:[^"\\$%\r\n]+|\\[^\r\n]|\$\$+\{|%%+\{|\$+(?!\{)|%+(?!\{))+')
_TEXT = re.compile(r"(?:[^$%\n]+|\$\$+\{|%%+\{|\$+(?!\{)|%+(?!\{))+")


class _String:
    """Inside quotes."""

    __slots__ = ()


class _Sequence:
    """Inside `${` or `%{`; `braces` counts the open braces within."""

    __slots__ = ("braces",)

    def __init__(self) -> None:
        self.braces = 0


class _Heredoc:
    """Inside a heredoc that `marker` ends; `fresh` at the start of a line."""

    __slots__ = ("fresh", "marker")

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self.fresh = True


class _Bare:
    """At the top of a bare template."""

    __slots__ = ()


def scan(text: str, mode: Mode = Mode.NORMAL, *, comments: bool = False) -> Tokens:
    """All tokens of a text. Without `comments`, a comment to the end of a line leaves its newline only."""
    return _Scanner(text, mode, comments).run()


class LineScanner:
    """Scans a text that comes line by line: heredocs, templates and comments stay open from one line to the next.

    `in_comment` says that the last line ended between /* and */.
    """

    def __init__(self) -> None:
        self._modes: list[_String | _Sequence | _Heredoc | _Bare] = []
        self.in_comment = False

    def line(self, text: str) -> Tokens:
        """The tokens of the next line, given without its end."""
        if self.in_comment:
            text = f"/*{text}"
        scanner = _Scanner(text + "\n", Mode.NORMAL, False)
        scanner.modes = self._modes
        tokens = scanner.run()
        last = len(tokens.kinds) - 2
        self.in_comment = last >= 0 and tokens.kinds[last] == "bad" and text.startswith("/*", tokens.starts[last])
        if self.in_comment:
            tokens.drop(last)
        return tokens


class _Scanner:
    def __init__(self, text: str, mode: Mode, comments: bool) -> None:
        self.text = text
        self.at = 0
        self.comments = comments
        self.tokens = Tokens()
        self.modes: list[_String | _Sequence | _Heredoc | _Bare] = [_Bare()] if mode is Mode.TEMPLATE else []

    def run(self) -> Tokens:
        length = len(self.text)
        while self.at < length:
            mode = self.modes[-1] if self.modes else None
            if mode is None or isinstance(mode, _Sequence):
                self._code()
            elif isinstance(mode, _String):
                self._string()
            elif isinstance(mode, _Heredoc):
                self._heredoc(mode)
            else:
                self._text()
        self.tokens.add("eof", length, length)
        return self.tokens

    def _code(self) -> None:
        """Read tokens until the mode changes or the text ends."""
        text, match = self.text, _NORMAL.match
        kinds, starts, ends = self.tokens.kinds, self.tokens.starts, self.tokens.ends
        at = self.at
        while True:
            found = match(text, at)
            if found is None:  # nothing but spaces is left
                self.at = len(text)
                return
            kind = found.lastgroup or ""
            start, end = found.span(kind)
            if kind == "operator":
                kind = text[start:end]
            elif kind == "ident":
                word = text[start:end]
                if not word.isascii() and _name_length(word) < len(word):
                    at = self._broken_name(start, end)
                    continue
            elif kind == "brace":
                self.at = at = end
                if self._brace(start, end):
                    return
                continue
            elif kind == "oquote":
                self.tokens.add(kind, start, end)
                self.modes.append(_String())
                self.at = end
                return
            elif kind == "comment":
                at = self._comment(start, end)
                continue
            elif kind == "heredoc":
                self.tokens.add("oheredoc", start, end)
                self.modes.append(_Heredoc(text[start + 2 : end].removeprefix("-").rstrip("\r\n")))
                self.at = end
                return
            kinds.append(kind)
            starts.append(start)
            ends.append(end)
            at = end

    def _broken_name(self, start: int, end: int) -> int:
        """Add what is a name in a run of letters and others; the rest becomes one bad token, to keep this linear."""
        good = start + _name_length(self.text[start:end])
        if good > start:
            self.tokens.add("ident", start, good)
        self.tokens.add("bad", good, end)
        return end

    def _brace(self, start: int, end: int) -> bool:
        """Add a brace; True if it ends a template sequence, and so changes the mode."""
        mode = self.modes[-1] if self.modes else None
        closing = self.text[end - 1] == "}"
        if isinstance(mode, _Sequence):
            if closing and mode.braces == 0:
                self.tokens.add("seqend", start, end)
                self.modes.pop()
                return True
            mode.braces += -1 if closing else 1
        self.tokens.add("seqend" if end - start == 2 else self.text[start], start, end)
        return False

    def _comment(self, start: int, end: int) -> int:
        text = self.text
        if text.startswith("/*", start):
            close = text.find("*/", start + 2)
            if close < 0:
                self.tokens.add("bad", start, len(text))
                return len(text)
            end = close + 2
        elif text[end - 1] == "\r" and text.startswith("\n", end):
            end -= 1
        if self.comments:
            self.tokens.add("comment", start, end)
        return end

    def _string(self) -> None:
        text = self.text
        found = _QUOTED.match(text, self.at)
        if found:
            self.tokens.add("quoted", self.at, found.end())
            self.at = found.end()
        elif text[self.at] == '"':
            self.tokens.add("cquote", self.at, self.at + 1)
            self.at += 1
            self.modes.pop()
        elif not self._sequence():
            # The line ends in the middle of a string, or in the middle of an escape: read on as if all strings and
            # sequences that are open on this line were closed, so that the next line makes sense again.
            newline = text[self.at] in "\r\n"
            self.tokens.add("badnewline" if newline else "bad", self.at, self.at if newline else self.at + 1)
            if newline:
                while self.modes and isinstance(self.modes[-1], (_String, _Sequence)):
                    self.modes.pop()
                if text[self.at] == "\r" and not text.startswith("\n", self.at + 1):
                    self.at += 1
            else:
                self.at += 1

    def _sequence(self) -> bool:
        """Enter `${` or `%{` if one is here."""
        text, at = self.text, self.at
        if not text.startswith(("${", "%{"), at):
            return False
        end = at + (3 if text.startswith("~", at + 2) else 2)
        self.tokens.add("interp" if text[at] == "$" else "control", at, end)
        self.modes.append(_Sequence())
        self.at = end
        return True

    def _heredoc(self, mode: _Heredoc) -> None:
        text, start = self.text, self.at
        if mode.fresh:
            end = text.find("\n", start)
            if end >= 0 and text[start:end].strip() == mode.marker:
                end -= 1 if end > start and text[end - 1] == "\r" else 0
                self.tokens.add("cheredoc", start, end)
                self.at = end
                self.modes.pop()
                return
        mode.fresh = False
        if self._text():
            mode.fresh = True

    def _text(self) -> bool:
        """Read literal text to the end of the line or to a sequence, or enter the sequence; True if a line ended."""
        text, start = self.text, self.at
        found = _TEXT.match(text, start)
        end = found.end() if found else start
        ended = text.startswith("\n", end)
        if ended:
            end += 1
        if end > start:
            self.tokens.add("text", start, end)
            self.at = end
        else:
            self._sequence()
        return ended


_LETTERS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"))
_MARKS = frozenset(("Mn", "Mc", "Nd", "Pc"))
# What Unicode counts as letters and as marks of names for historical reasons.
_MORE_LETTERS = frozenset("\u1885\u1886\u2118\u212e\u309b\u309c")
_MORE_MARKS = frozenset("\u00b7\u0387\u19da\u1369\u136a\u136b\u136c\u136d\u136e\u136f\u1370\u1371")


def _name_length(word: str) -> int:
    """How much of it is a name, from the start: ID_Start, then ID_Continue and dashes, in Unicode's words.

    Python's own rule for names leaves out some letters, as it looks at their compatibility forms.
    """
    for at, character in enumerate(word):
        if character.isascii():  # the scanner has looked at these
            continue
        category = unicodedata.category(character)
        if category in _LETTERS or character in _MORE_LETTERS:
            continue
        if at == 0 or not (category in _MARKS or character in _MORE_MARKS):
            return at
    return len(word)
