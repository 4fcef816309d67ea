"""Tells for formatting what each token does, and from that whether two neighbours stand apart; knows no lines."""

from __future__ import annotations

import re
from functools import cache

from zenctl.lang.scanner import Tokens

BRACKETS = {"{": 1, "[": 1, "(": 1, "interp": 1, "control": 1, "}": -1, "]": -1, ")": -1, "seqend": -1}
"""Roles that open (1) and close (-1)."""

_OPERAND_ENDS = frozenset({"ident", "number", "cquote", "cheredoc", "heredoc", ")", "]", "}", "splat"})
"""Roles that an operand may end with: a minus after one subtracts, a bracket after one is an index."""

_AFTER_BREAK = "newline"
"""Stands for what came before where an item of a body or an object begins."""

_LINE_END = re.compile(r"\r+\n")
_EXPONENT = re.compile(r"[eE]-?[0-9]")


class Pieces:
    """Piece number i is written as `texts[i]` and does what `roles[i]` says.

    Roles are the scanner's kinds, but for these: `keyword` (`for`, `in` and `if` where they are no names), `label` (a
    block's, written without quotes), `negation` (a minus with one operand), `splat` (a star that is one), `apart` (a
    dot that would become part of a number) and `heredoc` (a whole one).
    """

    __slots__ = ("roles", "texts")

    def __init__(self, roles: list[str], texts: list[str]) -> None:
        self.roles = roles
        self.texts = texts

    def joined(self, start: int, end: int) -> str:
        """The pieces from `start` up to `end` as one line."""
        if start >= end:
            return ""
        roles, texts = self.roles, self.texts
        parts = [texts[start]]
        left = roles[start]
        for at in range(start + 1, end):
            right = roles[at]
            if stand_apart(left, right):
                parts.append(" ")
            parts.append(texts[at])
            left = right
        return "".join(parts)


@cache
def stand_apart(left: str, right: str) -> bool:
    """Whether one space stands between two neighbours on a line; otherwise none does."""
    if left in ("quoted", "text", "oquote") or right in ("quoted", "text", "cquote"):
        return False
    if left == "seqend" and right in ("interp", "control"):
        return False
    if right == "apart":
        return True
    if left in (".", "::", "apart") or right in (".", "::", ",", "..."):
        return False
    if left == ",":
        return True
    if left in ("negation", "!") or (left == "ident" and right == "("):
        return False
    if right == "[" and left in _OPERAND_ENDS:
        return False
    if (left, right) == ("{", "}"):
        return False
    if left == "{" or right == "}" or (left == "}" and right == "seqend"):
        return True
    if left in ("interp", "control") and right == "{":
        return True
    return BRACKETS.get(left, 0) <= 0 and BRACKETS.get(right, 0) >= 0


def pieces(text: str, tokens: Tokens, *, expression: bool = False) -> Pieces:
    """What the tokens of a valid text are written as, and what they do: comments, newlines and `eof` included."""
    return _Reader(text, tokens, expression).read()


class _Reader:
    """Walks over the tokens once. `contexts` says of each open bracket what a newline in it means: `body` and
    `object` where it ends an item, `free` where it means nothing.
    """

    def __init__(self, text: str, tokens: Tokens, expression: bool) -> None:
        self.text = text
        self.kinds = tokens.kinds
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.texts = [text[start:end] for start, end in zip(tokens.starts, tokens.ends, strict=True)]
        self.roles = list(tokens.kinds)
        self.contexts = ["free" if expression else "body"]
        self.before = _AFTER_BREAK
        """The role of the last piece that is neither a comment nor a newline without meaning."""
        self.header = False
        """Whether a block has begun whose brace is still to come."""

    def read(self) -> Pieces:
        read = {
            "ident": self._ident,
            ".": self._dot,
            "-": self._minus,
            "*": self._star,
            "{": self._brace,
            "comment": self._comment,
            "newline": self._newline,
        }
        roles, contexts = self.roles, self.contexts
        for at, kind in enumerate(self.kinds):
            special = read.get(kind)
            if special is not None:
                special(at)
                continue
            change = BRACKETS.get(kind)
            if change == 1:
                contexts.append("free")
            elif change == -1 and len(contexts) > 1:
                contexts.pop()
            self.before = roles[at]
        return self._with_whole_heredocs()

    def _comment(self, at: int) -> None:
        text = self.texts[at]
        self.texts[at] = _LINE_END.sub("\n", text) if text.startswith("/*") else text.rstrip("\r")

    def _newline(self, at: int) -> None:
        self.texts[at] = "\n"
        if self.contexts[-1] != "free":
            self.before = _AFTER_BREAK

    def _ident(self, at: int) -> None:
        before, word = self.before, self.texts[at]
        if self.header:
            self.roles[at] = "label"
            self.texts[at] = f'"{word}"'
        elif before == _AFTER_BREAK and self.contexts[-1] == "body":
            self.header = self.kinds[self._next(at, "comment")] in ("ident", "oquote", "{")
        elif (
            before in _OPERAND_ENDS  # no operand follows another one, so this is `in` or `if`
            or before == "..."
            or (before == "control" and word in ("for", "if"))
            or (before in ("[", "{") and word == "for")
        ):
            self.roles[at] = "keyword"
        self.before = self.roles[at]

    def _dot(self, at: int) -> None:
        after = self.kinds[at + 1]
        if self.kinds[at - 1] == "number" and (
            after == "number" or (after == "ident" and _EXPONENT.match(self.texts[at + 1]))
        ):
            self.roles[at] = "apart"
        self.before = "."

    def _minus(self, at: int) -> None:
        if self.before not in _OPERAND_ENDS:
            self.roles[at] = "negation"
        self.before = "-"

    def _star(self, at: int) -> None:
        if self.before in (".", "["):
            self.roles[at] = "splat"
        self.before = self.roles[at]

    def _brace(self, at: int) -> None:
        self.before = "{"
        if self.header:
            self.header = False
            self.contexts.append("body")
            self.before = _AFTER_BREAK
            return
        first = self._next(at, "comment", "newline")
        is_for = self.kinds[first] == "ident" and self.texts[first] == "for"
        self.contexts.append("free" if is_for else "object")

    def _next(self, at: int, *skipped: str) -> int:
        """The next token after one that is of none of these kinds."""
        at += 1
        while self.kinds[at] in skipped:
            at += 1
        return at

    def _with_whole_heredocs(self) -> Pieces:
        """All pieces, those of each heredoc made one."""
        every = Pieces(self.roles, self.texts)
        if "oheredoc" not in self.kinds:
            return every
        taken = Pieces([], [])
        at, end = 0, len(self.kinds)
        while at < end:
            role, text, after = self.roles[at], self.texts[at], at + 1
            if role == "oheredoc":
                close = self._close(at, ("oheredoc",), "cheredoc")
                role, text, after = "heredoc", self._heredoc(every, at, close), close + 1
            taken.roles.append(role)
            taken.texts.append(text)
            at = after
        return taken

    def _heredoc(self, every: Pieces, opening: int, close: int) -> str:
        """A heredoc: its text as it is; a `${}` or `%{}` in it is spaced out if it stands on one line."""
        parts = [self.texts[opening].rstrip("\r\n"), "\n"]
        at = opening + 1
        while at < close:
            end = at + 1
            if self.kinds[at] in ("interp", "control"):
                end = self._close(at, ("interp", "control"), "seqend") + 1
            written = self.text[self.starts[at] : self.ends[end - 1]]
            parts.append(written if "\n" in written else every.joined(at, end))
            at = end
        parts.append(self.texts[close].rstrip())
        return "".join(parts)

    def _close(self, at: int, openers: tuple[str, ...], closer: str) -> int:
        """The token that closes the one at `at`."""
        depth = 0
        while True:
            kind = self.kinds[at]
            depth += (kind in openers) - (kind == closer)
            if depth == 0:
                return at
            at += 1
