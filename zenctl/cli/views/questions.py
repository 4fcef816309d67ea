"""Asks a person for the value of a variable that has none; each is asked once in a run."""

from __future__ import annotations

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.style import printable
from zenctl.config.given import Question


class Asker:
    """Puts questions to the terminal and keeps the answers."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._answers: dict[str, str | None] = {}

    def __call__(self, question: Question) -> str | None:
        """The answer; None where the input ends instead."""
        if question.name not in self._answers:
            self._answers[question.name] = self._ask(question)
        return self._answers[question.name]

    def known(self, question: Question) -> str | None:
        """The answer that was given before; nothing is asked."""
        return self._answers.get(question.name)

    def _ask(self, question: Question) -> str | None:
        style = self._terminal.style
        kinds = [word for word, wanted in (("ephemeral", question.ephemeral), (question.type, question.type)) if wanted]
        head = f"var.{question.name}" + (f" ({', '.join(kinds)})" if kinds else "")
        explained = [f"  {line}" for line in printable(question.description).strip().splitlines()]
        hidden = ["  What you type is not shown."] if question.hidden else []
        lines = ["", style.bold(head), *explained, *hidden, ""]
        return self._terminal.ask("\n".join(lines) + "\n" + style.bold("  Enter a value: "), hidden=question.hidden)


def asker(terminal: Terminal, *, allowed: bool) -> Asker | None:
    """Who asks, if a person can answer and questions are allowed."""
    return Asker(terminal) if allowed and terminal.can_answer else None
