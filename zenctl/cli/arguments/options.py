"""The flags that several commands share, declared once for typer."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[
    bool,
    typer.Option("-json", "--json", help="Print JSON for programs instead of text for people.", show_default=False),
]
DiffCode = Annotated[
    bool,
    typer.Option("-diff-code", "--diff-code", help="Show what changed in the source of steps, as a unified diff."),
]
Drift = Annotated[
    bool,
    typer.Option("-drift", "--drift", help="Read datasources that have changed, and show how far their columns moved."),
]
NoColor = Annotated[
    bool,
    typer.Option("-no-color", "--no-color", help="No colour. NO_COLOR and a pipe do the same.", show_default=False),
]
WorkspaceFlag = Annotated[
    str,
    typer.Option(
        "-workspace",
        "--workspace",
        metavar="NAME",
        help="Work in this workspace, not in the selected one.",
        show_default=False,
    ),
]
CompactWarnings = Annotated[
    bool,
    typer.Option(
        "-compact-warnings",
        "--compact-warnings",
        help="Show warnings by their first line only, if there are no errors.",
    ),
]
Var = Annotated[
    list[str],
    typer.Option("-var", "--var", metavar="NAME=VALUE", help="Set a variable of the configuration."),
]
VarFile = Annotated[
    list[str],
    typer.Option(
        "-var-file",
        "--var-file",
        metavar="FILE",
        help="Set variables from a file, besides zenctl.zenvars and *.auto.zenvars. The later of -var and -var-file "
        "wins.",
    ),
]
Target = Annotated[
    list[str],
    typer.Option("-target", "--target", metavar="ADDRESS", help="Only this address and what it depends on."),
]
Exclude = Annotated[
    list[str],
    typer.Option("-exclude", "--exclude", metavar="ADDRESS", help="Not this address, nor what depends on it."),
]
Replace = Annotated[
    list[str],
    typer.Option(
        "-replace",
        "--replace",
        metavar="ADDRESS",
        help="Run a step again, or replace an endpoint, though it is up to date.",
    ),
]
Refresh = Annotated[
    bool,
    typer.Option(
        "-refresh/-no-refresh",
        "--refresh/--no-refresh",
        help="Trust what was last recorded; look at no datasource and no endpoint.",
    ),
]
RefreshOnly = Annotated[
    bool,
    typer.Option(
        "-refresh-only",
        "--refresh-only",
        help="Only compare what is recorded with what is there, and record that; run and change nothing.",
    ),
]
Input = Annotated[
    bool,
    typer.Option(
        "-input/-no-input", "--input/--no-input", help="Ask no question, neither for variables nor for approval."
    ),
]
Lock = Annotated[
    bool,
    typer.Option(
        "-lock/-no-lock",
        "--lock/--no-lock",
        help="Known from Terraform. Plan takes no lock anyway; apply cannot do without.",
    ),
]
LockTimeout = Annotated[
    str,
    typer.Option(
        "-lock-timeout", "--lock-timeout", metavar="DURATION", help="How long to wait for the lock: 30s, 5m, 1h."
    ),
]
GracePeriod = Annotated[
    str,
    typer.Option(
        "-grace-period",
        "--grace-period",
        metavar="DURATION",
        help="How long running steps may go on after Ctrl-C or SIGTERM; to their ends if not given.",
        show_default=False,
    ),
]
Parallelism = Annotated[
    str,
    typer.Option("-parallelism", "--parallelism", metavar="N", help="How many changes may be under way at once."),
]
AutoApprove = Annotated[
    bool, typer.Option("-auto-approve", "--auto-approve", help="Do not ask; apply at once. Needed without a terminal.")
]
DryRun = Annotated[
    bool, typer.Option("-dry-run", "--dry-run", help="Show what would be done, and change nothing.", show_default=False)
]
