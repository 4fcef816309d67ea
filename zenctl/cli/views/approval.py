"""Asks whether to go ahead: only the word yes approves."""

from __future__ import annotations

from collections.abc import Sequence

from zenctl.cli.terminal import Terminal


def ask(terminal: Terminal, *, destroy: bool, workspace: str) -> bool:
    """Put the question and read the answer; the end of input is a no."""
    where = "" if workspace == "default" else f' in workspace "{workspace}"'
    if destroy:
        question = f"Do you really want to destroy all of this{where}?"
        explained = ["The endpoints above stop serving; this cannot be undone.", "Records and artifacts stay."]
    else:
        question = f"Do you want to do all of this{where}?"
        explained = ["zenctl will do what is shown above, and nothing else."]
    return approved(terminal, question, explained)


def approved(terminal: Terminal, question: str, explained: Sequence[str]) -> bool:
    """Put a question, with what it means below it."""
    lines = [
        "",
        terminal.style.bold(question),
        *(f"  {line}" for line in explained),
        "  Only the answer 'yes' approves.",
        "",
    ]
    answer = terminal.ask("\n".join(lines) + "\n" + terminal.style.bold("  Enter a value: "))
    return answer is not None and answer.strip() == "yes"
