"""The terminal of one run: its streams, whether they show colour, how wide it is, and whether someone can answer."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TextIO

from zenctl.cli.views.style import PLAIN, Style
from zenctl.lazy_dataclasses import dataclass

PIPE_WIDTH = 78
"""Columns that text is wrapped to where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command reads and writes.

    `live` says that `out` can redraw lines; `can_answer` that a person can answer a question; `environment` is
    os.environ as it was at the start.
    """

    out: TextIO
    err: TextIO
    answers: TextIO
    style: Style = PLAIN
    err_style: Style = PLAIN
    width: int = PIPE_WIDTH
    live: bool = False
    can_answer: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)

    def plain(self) -> Terminal:
        """The same terminal without colour."""
        return replace(self, style=PLAIN, err_style=PLAIN)

    @property
    def in_automation(self) -> bool:
        """Whether hints on what to type next are left out (`ZENCTL_IN_AUTOMATION`)."""
        return bool(self.environment.get("ZENCTL_IN_AUTOMATION"))

    def write(self, text: str = "") -> None:
        """Write a line, or several, to standard output."""
        self.out.write(text + "\n")

    def write_exactly(self, text: str) -> None:
        """Write a text that a program may read, in UTF-8 whatever the terminal's encoding, and nothing after it."""
        self.out.flush()
        binary = getattr(self.out, "buffer", None)
        if binary is None:
            self.out.write(text)
        else:
            binary.write(text.encode("utf-8"))

    def read_all(self) -> bytes:
        """All that standard input holds, line ends as they are."""
        binary = getattr(self.answers, "buffer", None)
        if binary is None:
            return self.answers.read().encode("utf-8") if self.answers is not None else b""
        return bytes(binary.read())

    def complain(self, text: str) -> None:
        """Write a line, or several, to standard error, after all that standard output was given."""
        self.out.flush()
        self.err.write(text + "\n")
        self.err.flush()

    def ask(self, prompt: str, *, hidden: bool = False) -> str | None:
        """The line that a person types after the prompt; None at the end of input. A hidden one is not echoed.

        The prompt goes to standard error where standard output is no terminal, so that it is seen.
        """
        stream = self.out if self.live or not self.err.isatty() else self.err
        self.out.flush()
        if hidden and self.answers.isatty():
            from getpass import getpass

            try:
                return getpass(prompt, stream)
            except EOFError:
                stream.write("\n")
                return None
        stream.write(prompt)
        stream.flush()
        line = self.answers.readline()
        if not line.endswith("\n"):
            stream.write("\n")
        return line.rstrip("\r\n") if line else None


def standard(environment: Mapping[str, str] | None = None) -> Terminal:
    """The process's own streams. Colour needs a terminal that can show it and no `NO_COLOR`."""
    environment = dict(os.environ) if environment is None else environment
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end the command.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    capable = environment.get("TERM", "") != "dumb"
    colour = capable and not environment.get("NO_COLOR")
    tty = sys.stdout.isatty()
    return Terminal(
        out=sys.stdout,
        err=sys.stderr,
        answers=sys.stdin,
        style=Style(colour and tty),
        err_style=Style(colour and sys.stderr.isatty()),
        width=max(20, shutil.get_terminal_size((PIPE_WIDTH, 24)).columns) if tty else PIPE_WIDTH,
        live=tty and capable,
        can_answer=sys.stdin is not None and sys.stdin.isatty(),
        environment=environment,
    )
