"""What `plan`, `apply` and `destroy` were given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zenctl.cli.arguments import values
from zenctl.config.given import VariableArgument
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass

DEFAULT_PARALLELISM = "4"


@dataclass(frozen=True, slots=True)
class Choice:
    """What makes a plan differ from the plain one: variables, addresses, whether to look at the world."""

    variables: tuple[VariableArgument, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    refresh: bool = True
    destroy: bool = False
    trusted_config: str = ""
    refresh_only: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        """The flags that were given and decide what is planned, as typed; a plan file allows none of them."""
        found = [
            ("-target", self.targets),
            ("-exclude", self.excludes),
            ("-replace", self.replace),
            ("-refresh=false", not self.refresh),
            ("-destroy", self.destroy),
            ("-refresh-only", self.refresh_only),
        ]
        return tuple(flag for flag, is_given in found if is_given)


@dataclass(frozen=True, slots=True)
class PlanArguments:
    """Of `zenctl plan`."""

    choice: Choice
    out: Path | None = None
    json: bool = False
    detailed_exitcode: bool = False
    compact_warnings: bool = False
    input: bool = True
    diff_code: bool = False
    drift: bool = False


@dataclass(frozen=True, slots=True)
class ApplyArguments:
    """Of `zenctl apply` and `zenctl destroy`. `lock_timeout` is in seconds, and so is `grace_period`, None for ever."""

    choice: Choice
    plan_file: Path | None = None
    auto_approve: bool = False
    json: bool = False
    input: bool = True
    lock_timeout: float = 0.0
    grace_period: float | None = None
    parallelism: int = 4
    compact_warnings: bool = False

    @property
    def command(self) -> str:
        return "destroy" if self.choice.destroy else "apply"


def choice(
    *,
    var: Sequence[str],
    var_file: Sequence[str],
    order: Sequence[str],
    target: Sequence[str] = (),
    exclude: Sequence[str] = (),
    replace: Sequence[str] = (),
    refresh: bool = True,
    destroy: bool = False,
    trusted_config: str = "",
    refresh_only: bool = False,
    found: list[Diagnostic],
) -> Choice:
    """Check the flags that choose what to plan; `order` are the names of all flags as they were typed."""
    chosen = Choice(
        variables=values.variables(var, var_file, order, found),
        targets=values.addresses("-target", target, found),
        excludes=values.addresses("-exclude", exclude, found),
        replace=values.addresses("-replace", replace, found),
        refresh=refresh,
        destroy=destroy,
        trusted_config=trusted_config,
        refresh_only=refresh_only,
    )
    if target and exclude:
        found.append(
            error("bad_argument", "-target and -exclude together", "Say either what to plan or what to leave out.")
        )
    if refresh_only:
        others = [("-destroy", destroy), ("-replace", replace), ("-refresh=false", not refresh)]
        found += [
            error("bad_argument", f"-refresh-only with {flag}", "It changes records only, to what it finds by looking.")
            for flag, given in others
            if given
        ]
    if replace and destroy:
        found.append(error("bad_argument", "-replace with a destroy", "What is destroyed cannot be replaced as well."))
    return chosen


def refuse_with_plan_file(arguments: ApplyArguments, found: list[Diagnostic]) -> None:
    """A plan file is complete: flags that would make another plan are refused."""
    if arguments.plan_file is not None and arguments.choice.given:
        flags = ", ".join(arguments.choice.given)
        detail = (
            "A plan file already holds what was decided when it was made (only sensitive and ephemeral variables are "
            "not in it: give those with -var). Give these flags to `zenctl plan -out=FILE` instead."
        )
        found.append(error("bad_argument", f"{flags} with a plan file", detail))
