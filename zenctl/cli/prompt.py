"""Reads the console's lines: from a pipe as they are, or from a person, with history and completion of names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import redirect_stdout
from types import ModuleType
from typing import Protocol, TextIO

from zenctl.cli.history import History, history_file
from zenctl.cli.terminal import Terminal

PROMPT = "> "
MORE = ": "

_DELIMITERS = " \t\n(){},=<>!?:+*/%&|~$"
"""What ends a word that can be completed; dots, brackets, quotes and dashes are part of an address."""


class Lines(Protocol):
    """Where lines come from. `number` is that of the line read last, from 1."""

    number: int

    def read(self, *, more: bool) -> str | None:
        """The next line without its end, None after the last one; `more` while an expression is not complete."""
        ...


class PipedLines:
    """The lines of standard input."""

    def __init__(self, terminal: Terminal) -> None:
        self.number = 0
        self._stream = terminal.answers
        _accept_any_bytes(self._stream)

    def read(self, *, more: bool) -> str | None:  # noqa: ARG002 - nobody is asked
        line = self._stream.readline() if self._stream is not None else ""
        self.number += 1
        return line.rstrip("\r\n") if line else None


class TypedLines:
    """What a person types at a terminal; `secrets` are texts that are not to be kept in the history.

    Line editing is the standard library's readline: it brings history, completion and the user's own key bindings, and
    drags in nothing. A Python without it reads plain lines.
    """

    def __init__(self, terminal: Terminal, complete: Callable[[str], list[str]], secrets: Collection[str] = ()) -> None:
        _accept_any_bytes(terminal.answers)
        self.number = 0
        self._out = terminal.out
        self._complete = complete
        self._found: list[str] = []
        self._history = History(history_file(terminal.environment), secrets)
        self._editing: ModuleType | None = None
        try:
            import readline
        except ImportError:
            return
        self._editing = readline
        readline.set_auto_history(False)
        readline.clear_history()
        for line in self._history.lines:
            readline.add_history(line)
        readline.set_completer(self._candidate)
        readline.set_completer_delims(_DELIMITERS)
        if "libedit" in (readline.__doc__ or ""):
            # Some Pythons are built with it; its syntax is another.
            readline.parse_and_bind("bind ^I rl_complete")
        else:
            readline.parse_and_bind("tab: complete")
            # What is pasted must arrive line by line, as what is typed does.
            readline.parse_and_bind("set enable-bracketed-paste off")

    def read(self, *, more: bool) -> str | None:
        """Raises KeyboardInterrupt on Ctrl-C; None is Ctrl-D."""
        try:
            # Lines are edited only where standard output is the terminal itself.
            with redirect_stdout(self._out):
                line = input(MORE if more else PROMPT)
        except EOFError:
            return None
        self.number += 1
        if self._editing is not None and line.strip():
            self._editing.add_history(line)
        self._history.add(line)
        return line

    def _candidate(self, word: str, state: int) -> str | None:
        """Readline asks for the candidates one by one."""
        if state == 0:
            self._found = self._complete(word)
        return self._found[state] if state < len(self._found) else None


def _accept_any_bytes(stream: TextIO | None) -> None:
    """What is no UTF-8 is to be a diagnostic of its line, not the end of the command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape")
