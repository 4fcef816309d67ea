"""`zenctl state migrate`: copies all records into another metadata store, and has the configuration use it."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.metadata_store import (
    DatabaseOption,
    HostOption,
    PasswdOption,
    PathOption,
    PortOption,
    SocketOption,
    SslCaOption,
    SslCertOption,
    SslKeyOption,
    StoreArguments,
    TypeArgument,
    UsernameOption,
    store_arguments,
)
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.commands import config_store
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from zenctl.config.stores import Edited

EPILOG = """
Everything is copied that the store of the configuration holds: every workspace
and project, their applies, results and lineage. Then all of it is read back
and compared, by number and digest, and the configuration is set to the new
store. Artifacts stay where they are.

It may be interrupted and run again: it goes on where it was. What was recorded
in the old store meanwhile is brought too. It refuses while an apply is under
way, and a store that has another history of the same workspace. The old store
is only read, and stays.

Types of store and their options are those of zenctl config metadata set.

Examples:

  zenctl state migrate mysql -host=127.0.0.1 -username=ada -passwd=env:SECRET \\
    -database=mlmd
  zenctl state migrate sqlite -path=records/metadata.db
  zenctl state migrate sqlite -path=backup.db -keep-config

Exit codes: 0 copied, 1 error; then the configuration stays as it is.
"""


def state_migrate(
    ctx: typer.Context,
    type: TypeArgument = "",
    path: PathOption = None,
    host: HostOption = None,
    port: PortOption = None,
    database: DatabaseOption = None,
    username: UsernameOption = None,
    passwd: PasswdOption = None,
    socket: SocketOption = None,
    ssl_ca: SslCaOption = None,
    ssl_cert: SslCertOption = None,
    ssl_key: SslKeyOption = None,
    keep_config: Annotated[
        bool, typer.Option("-keep-config", "--keep-config", help="Copy only; the configuration stays as it is.")
    ] = False,
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Copy all records into another metadata store, and use that."""
    started = invocation(ctx, no_color)
    typed = {
        "path": path, "host": host, "port": port, "database": database, "user": username, "socket": socket,
        "ssl_ca": ssl_ca, "ssl_cert": ssl_cert, "ssl_key": ssl_key,
    }  # fmt: skip
    found: list[Diagnostic] = []
    store = store_arguments(type, typed, passwd, "zenctl state migrate sqlite -path=records.db", found)
    return started.report(found) if found else run(started, store, keep_config=keep_config, json=json)


def run(run: Invocation, store: StoreArguments, *, keep_config: bool, json: bool) -> int:
    """Copy, and set the configuration; gives the exit code."""
    from zenctl.cli.views import migration as view
    from zenctl.config.stores import EditError, write
    from zenctl.engine.migrating import MigrateOutcome, migrate_state

    edited, told = None, ""
    try:
        _edited(run, store)  # whether the store is described well, before anything is copied
        told = store.secret.keep()
        progress = view.Copying(run.terminal)
        outcome = migrate_state(run.inputs(), store.type, store.attributes, (lambda *_: None) if json else progress)
        if outcome.migrated is not None and not keep_config:
            edited = _edited(run, store)  # anew: the files may have changed meanwhile
            write(run.root, edited)
    except EditError as problem:
        outcome = MigrateOutcome(None, problem.diagnostics, problem.texts)
    except DiagnosticError as problem:
        outcome = MigrateOutcome(None, problem.diagnostics)
    if json:
        document = view.migrated_document(outcome, run.sources(outcome.sources), edited.file if edited else None)
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return exits.exit_code(outcome.diagnostics)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.migrated is not None:
        run.terminal.write(view.migrated_text(outcome.migrated))
        for line in (told, config_store.edited_text(edited) if edited else ""):
            if line:
                run.terminal.write(line)
    return code


def _edited(run: Invocation, store: StoreArguments) -> Edited:
    from zenctl.config.stores import metadata_store, set_store
    from zenctl.provider.registry import discover

    return set_store(run.root, discover(), metadata_store(store.type, store.attributes))
