"""What every command is given besides its own arguments: the folder, the workspace, the terminal, the words typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenctl.cli import exits
from zenctl.cli.terminal import Terminal
from zenctl.cli.views import diagnostics as diagnostics_view
from zenctl.cli.views.diagnostics import Sources
from zenctl.diagnostics import Diagnostic, raise_errors
from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zenctl.config.given import Ask, VariableArgument
    from zenctl.engine.workflow import Inputs


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of the program. `command` is the command line as typed, with the values of `-var` left out.

    `order` are the names of the flags with a value, as they were typed: of `-var` and `-var-file` the later wins.
    `workspace_from` is what chose the workspace, `ZENCTL_WORKSPACE` or `-workspace`; empty if `workspace select` did.
    """

    root: Path
    terminal: Terminal
    workspace: str = "default"
    command: str = ""
    order: tuple[str, ...] = ()
    workspace_from: str = ""

    def drawn(self, no_color: bool) -> Invocation:
        """The same run, without colour if that was asked for."""
        return replace(self, terminal=self.terminal.plain()) if no_color else self

    def aside(self) -> Invocation:
        """The same run, where all that is said goes to standard error: standard output holds what was asked for."""
        said = replace(self.terminal, out=self.terminal.err, style=self.terminal.err_style)
        return replace(self, terminal=said)

    def path(self, typed: str) -> Path:
        """A path as typed, seen from the configuration's folder (`-chdir`)."""
        return self.root / typed

    def inputs(self, variables: Sequence[VariableArgument] = (), ask: Ask | None = None) -> Inputs:
        """The engine's inputs; `ask` asks for variables without a value."""
        from zenctl.engine.workflow import Inputs

        return Inputs(
            root=self.root,
            workspace=self.workspace,
            variables=tuple(variables),
            environment=self.terminal.environment,
            command=self.command,
            ask=ask,
        )

    def sources(self, texts: Mapping[str, str] | None = None) -> Sources:
        """The texts to quote lines from."""
        return Sources(texts, self.root)

    def report(
        self,
        diagnostics: Sequence[Diagnostic],
        texts: Mapping[str, str] | None = None,
        *,
        compact_warnings: bool = False,
    ) -> int:
        """Show diagnostics; gives the exit code they call for."""
        diagnostics_view.show(self.terminal, diagnostics, self.sources(texts), compact_warnings=compact_warnings)
        return exits.exit_code(diagnostics)


def invocation(ctx: Any, no_color: bool = False, workspace: str = "") -> Invocation:
    """The run that a typer context belongs to, in the workspace of the flag if it was given."""
    from zenctl.config.selected import check_name

    run = ctx.find_root().obj
    assert isinstance(run, Invocation)
    run = run.drawn(no_color)
    if not workspace:
        return run
    raise_errors(check_name(workspace, f'-workspace="{workspace}"'))
    return replace(run, workspace=workspace, workspace_from="-workspace")
