"""`zenctl console`: evaluates expressions over what is recorded, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import JsonFlag, NoColor, Var, VarFile, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views.questions import asker
from zenctl.config.given import VariableArgument
from zenctl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zenctl.cli.prompt import Lines
    from zenctl.engine.console import Answer, Console

EPILOG = """
An expression is what can stand after an equals sign in the configuration, and
sees what the root module sees: var, local, step, datasource, module, path and
zenctl, and all functions. It goes on over several lines while a bracket or a
heredoc is open. What was never applied shows as (known after apply), what is
sensitive as (sensitive value); with -json both are null.

At a terminal, Tab completes names, Ctrl-C drops what was typed, `exit` or
Ctrl-D ends. What was typed is kept in zenctl/history of $XDG_STATE_HOME or
~/.local/state, without lines that hold the value of a sensitive variable.

Examples:

  zenctl console
  zenctl console -var epochs=10
  echo 'step.evaluate.penguins.metrics.accuracy > 0.9' | zenctl console
  echo 'step.split.penguins.train' | zenctl console -json | jq -r .digest
  echo 'type(local.shares)' | zenctl console

Exit codes: 0 done; 1 error, also if one of the piped expressions has one.
"""

WELCOME = "`help` says what can be typed; `exit` or Ctrl-D ends."

HELP = """An expression gives its value, for example:

  var.NAME                     a variable; local.NAME is a local value
  step.TYPE.NAME               what a step last produced, and its attributes
  datasource.TYPE.NAME.digest  of the snapshot that was taken last
  module.NAME.OUTPUT           an output of a module that is called
  max(1, 2)                    a function
  type(var.NAME)               the type of a value

Nothing is run and nothing is changed. `exit` or Ctrl-D ends."""


def console(
    ctx: typer.Context,
    json: JsonFlag = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Evaluate expressions over what is recorded.

    Reads one expression after another, from you or from a pipe, and prints the
    value of each as configuration would write it. Results of steps and datasources
    are those of the last apply. It takes no lock, changes nothing and imports none
    of your code.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    variables = values.variables(var, var_file, started.order, found)
    return started.report(found) if found else run(started, variables, json)


def run(run: Invocation, variables: tuple[VariableArgument, ...], json: bool) -> int:
    """Read and evaluate until the end; gives the exit code."""
    from zenctl.cli.prompt import PipedLines, TypedLines
    from zenctl.engine.console import open_console

    at_terminal = run.terminal.can_answer and run.terminal.live
    outcome = open_console(run.inputs(variables, asker(run.terminal, allowed=at_terminal)))
    failed = run.aside().report(outcome.diagnostics, outcome.sources)
    opened = outcome.console
    if opened is None or failed:
        return failed or exits.ERROR
    session = _Session(run, opened, outcome.sources, json)
    if at_terminal:
        run.terminal.write(run.terminal.style.dim(WELCOME))
        session.typed(TypedLines(run.terminal, opened.completions, opened.secrets()))
        return exits.OK
    return exits.OK if session.piped(PipedLines(run.terminal)) else exits.ERROR


class _Session:
    """Reads, evaluates and prints; `sources` are the configuration's texts, for diagnostics."""

    def __init__(self, run: Invocation, console: Console, sources: Mapping[str, str], json: bool) -> None:
        self.run = run
        self.console = console
        self.sources = sources
        self.json = json

    def piped(self, lines: Lines) -> bool:
        """Answer every expression; gives whether each had a value."""
        good = True
        while (found := _expression(lines)) is not None:
            good = self._answer(*found) and good
            self.run.terminal.out.flush()
        return good

    def typed(self, lines: Lines) -> None:
        """Answer until the person leaves; an interrupt drops what was typed."""
        while True:
            try:
                found = _expression(lines)
                if found is None:
                    break
                if found[0].strip() == "help":
                    self.run.terminal.write(HELP)
                else:
                    self._answer(found[0])
            except KeyboardInterrupt:
                self.run.terminal.write()

    def _answer(self, text: str, line: int = 1) -> bool:
        answer = self.console.evaluate(text, line)
        # The lines before it, which are gone, keep their place.
        self.run.aside().report(answer.diagnostics, {**self.sources, answer.filename: "\n" * (line - 1) + text})
        if answer.value is not None:
            self.run.terminal.write(self._shown(answer))
        return answer.value is not None

    def _shown(self, answer: Answer) -> str:
        from zenctl.cli.views import values as view

        assert answer.value is not None
        if self.json:
            return view.value_json(answer.value)
        if answer.is_type and isinstance(answer.value.raw, str):
            return answer.value.raw
        return view.value_text(answer.value, self.run.terminal.style)


def _expression(lines: Lines) -> tuple[str, int] | None:
    """The next expression and the number of its first line; None at the end, or on `exit`.

    It is one line, or several while a bracket, a heredoc or a comment is open.
    """
    from zenctl.lang.continuation import Continuation

    following = Continuation()
    typed: list[str] = []
    begins = 0
    while True:
        line = lines.read(more=bool(typed))
        if line is None:
            return ("\n".join(typed), begins) if typed else None
        if not typed and line.strip() == "exit":
            return None
        following.feed(line)
        if following.blank and not following.goes_on:
            following, typed, begins = Continuation(), [], 0
            continue
        begins = begins or lines.number
        typed.append(line)
        if not following.goes_on:
            return "\n".join(typed), begins
