"""Tells of an expression that is typed line by line whether it goes on: a bracket, heredoc or comment is still open."""

from __future__ import annotations

from zenctl.lang.scanner import LineScanner

_CLOSES = {")": "(", "]": "[", "}": "{", "seqend": "sequence", "cheredoc": "oheredoc"}
_OPENS = {"(": "(", "[": "[", "{": "{", "interp": "sequence", "control": "sequence", "oheredoc": "oheredoc"}


class Continuation:
    """Follows one expression. `goes_on` says whether more lines must follow; `blank` that there were only comments yet.

    Where brackets do not match, more lines would not help: the expression ends there and the parser says what is wrong.
    """

    def __init__(self) -> None:
        self._scanner = LineScanner()
        self._opened: list[str] = []
        self.blank = True
        self.goes_on = False

    def feed(self, line: str) -> None:
        """Take in the next line, given without its end."""
        kinds = self._scanner.line(line).kinds
        self.blank = self.blank and all(kind in ("newline", "eof") for kind in kinds)
        for kind in kinds:
            if kind in _OPENS:
                self._opened.append(_OPENS[kind])
            elif kind == "badnewline" or (kind in _CLOSES and self._unmatched(kind)):
                self.goes_on = False
                return
        self.goes_on = bool(self._opened) or self._scanner.in_comment

    def _unmatched(self, kind: str) -> bool:
        return not self._opened or self._opened.pop() != _CLOSES[kind]
