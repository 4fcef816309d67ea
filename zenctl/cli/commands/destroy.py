"""`zenctl destroy`: removes endpoints and machines; records and artifacts stay."""

from __future__ import annotations

import typer

from zenctl.cli.arguments import plan as arguments
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import (
    AutoApprove,
    CompactWarnings,
    Exclude,
    GracePeriod,
    Input,
    JsonFlag,
    Lock,
    LockTimeout,
    NoColor,
    Parallelism,
    Refresh,
    Target,
    Var,
    VarFile,
    WorkspaceFlag,
)
from zenctl.cli.arguments.plan import DEFAULT_PARALLELISM, ApplyArguments
from zenctl.cli.commands import apply as apply_command
from zenctl.cli.invocation import invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
Examples:

  zenctl plan -destroy                 # look first
  zenctl destroy
  zenctl destroy -target=endpoint.local.penguins
  zenctl destroy -auto-approve         # in scripts

Exit codes: 0 done; 1 error or not approved; 4 another apply holds the lock;
130 or 143 interrupted.
"""


def destroy(
    ctx: typer.Context,
    auto_approve: AutoApprove = False,
    json: JsonFlag = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    target: Target = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    refresh: Refresh = True,
    compact_warnings: CompactWarnings = False,
    input: Input = True,
    lock: Lock = True,
    lock_timeout: LockTimeout = "0s",
    grace_period: GracePeriod = "",
    parallelism: Parallelism = DEFAULT_PARALLELISM,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Remove the endpoints of this workspace.

    Stops every endpoint (or the targeted ones) and the machines that zenctl made.
    Records and artifacts stay: a later apply brings the endpoints back without
    running any step again. The same as `zenctl apply -destroy`.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    values.lock(lock, found)
    given = ApplyArguments(
        choice=arguments.choice(
            var=var,
            var_file=var_file,
            order=started.order,
            target=target,
            exclude=exclude,
            refresh=refresh,
            destroy=True,
            found=found,
        ),
        auto_approve=auto_approve,
        json=json,
        input=input,
        lock_timeout=values.seconds("-lock-timeout", lock_timeout, found),
        grace_period=values.seconds("-grace-period", grace_period, found) if grace_period else None,
        parallelism=values.parallelism(parallelism, found),
        compact_warnings=compact_warnings,
    )
    return started.report(found) if found else apply_command.run(started, given)
