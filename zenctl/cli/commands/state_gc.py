"""`zenctl state gc`: frees stored results that nothing needs, and what interrupted commands left."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import DryRun, JsonFlag, LockTimeout, NoColor, Var, VarFile, WorkspaceFlag
from zenctl.cli.arguments.state import CollectArguments, collect_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
What stays, of all workspaces: current results and all that they were made
from, what endpoints serve, snapshots that the configuration pins (`version`),
code, job orders and logs. What is freed cannot be reused or rolled back to;
that it was made, when and from what stays recorded. -keep and -older-than leave
more.

It works while no apply runs; applies that begin meanwhile wait until it lets
them pass. Interrupted, it goes on with the next call. An artifact store belongs
to one metadata store: where another is seen to use it, nothing is freed.

Examples:

  zenctl state gc -dry-run
  zenctl state gc -keep=3
  zenctl state gc -older-than=30d -auto-approve -lock-timeout=1h   # nightly

Exit codes: 0 done; 1 error or not approved; 4 an apply runs.
"""


def state_gc(
    ctx: typer.Context,
    keep: Annotated[
        str,
        typer.Option("-keep", "--keep", metavar="N", help="Keep the newest N versions of each address, used or not."),
    ] = "",
    older_than: Annotated[
        str,
        typer.Option(
            "-older-than", "--older-than", metavar="DURATION", help="Only what was last run or reused before: 30d, 12h."
        ),
    ] = "",
    dry_run: DryRun = False,
    auto_approve: Annotated[
        bool, typer.Option("-auto-approve", "--auto-approve", help="Do not ask. Needed without a terminal.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("-force", "--force", help="Also if the artifact store holds results of another metadata store."),
    ] = False,
    json: JsonFlag = False,
    var: Var = [],  # noqa: B006 - typer reads the default and copies it
    var_file: VarFile = [],  # noqa: B006
    lock_timeout: LockTimeout = "0s",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Free stored results that nothing needs any more, and abandoned files.

    Shows what is freed of each address, asks, and deletes it from the artifact
    store. Plans stay as they are, but for old results that could be reused.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    given = collect_arguments(
        found,
        keep=keep,
        older_than=older_than,
        dry_run=dry_run,
        auto_approve=auto_approve,
        force=force,
        json=json,
        variables=values.variables(var, var_file, started.order, found),
        lock_timeout=values.seconds("-lock-timeout", lock_timeout, found),
    )
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: CollectArguments) -> int:
    """Find, show, ask, free; gives the exit code."""
    from zenctl.cli.views import garbage as view
    from zenctl.cli.views.approval import approved
    from zenctl.cli.views.progress import PlainProgress
    from zenctl.engine import collecting

    if given.json:
        return _json(run, given)
    inputs, policy = run.inputs(given.variables), collecting.Policy(given.keep, given.older_than)
    outcome = collecting.find(inputs, policy, force=given.force)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.garbage is None:
        return code or exits.ERROR
    run.terminal.write("\n".join(view.garbage_lines(outcome.garbage, run.terminal.style)))
    if outcome.garbage.is_empty or given.dry_run:
        return code
    question = "Do you really want to free all of this?"
    explained = ["The files are deleted; this cannot be undone.", "What was recorded of them stays."]
    if not given.auto_approve and not approved(run.terminal, question, explained):
        run.terminal.complain("\nNot approved, so nothing was freed.")
        return exits.ERROR
    with PlainProgress(run.terminal) as progress:
        collected = collecting.collect(
            inputs, policy, outcome.garbage, listener=progress, force=given.force, lock_timeout=given.lock_timeout
        )
    if collected.finished or collected.files:
        run.terminal.write(view.collected_line(collected, run.terminal.style))
    return run.report(collected.diagnostics, collected.sources)


def _json(run: Invocation, given: CollectArguments) -> int:
    """The same as one document."""
    from zenctl.cli.views import garbage as view
    from zenctl.engine import collecting

    inputs, policy = run.inputs(given.variables), collecting.Policy(given.keep, given.older_than)
    outcome = collecting.find(inputs, policy, force=given.force)
    collected = None
    diagnostics, texts = outcome.diagnostics, outcome.sources
    if outcome.garbage is not None and not given.dry_run:
        collected = collecting.Collected(outcome.garbage, finished=True)
        if not outcome.garbage.is_empty:
            collected = collecting.collect(
                inputs,
                policy,
                outcome.garbage,
                listener=lambda _: None,
                force=given.force,
                lock_timeout=given.lock_timeout,
            )
            diagnostics, texts = collected.diagnostics, collected.sources
    document = view.garbage_document(outcome.garbage, collected, diagnostics, run.sources(texts))
    run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    return exits.exit_code(diagnostics)
