"""`zenctl config metadata get`, `list` and `set`: where runs, artifacts and their lineage are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

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
    TypeArgument,
    UsernameOption,
    store_arguments,
)
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.commands import config_store
from zenctl.cli.invocation import invocation
from zenctl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zenctl.lang.document import BlockData
    from zenctl.provider.registry import Registry

GET_EPILOG = """
Examples:

  zenctl config metadata get
  zenctl config metadata get -json | jq -r .location

Exit codes: 0 done, 1 error.
"""

LIST_EPILOG = """
The one in use has a star, with where it is and where that is set. Below each
are the attributes that `set` and the configuration take.

Examples:

  zenctl config metadata list
  zenctl config metadata list -json | jq -r '.types[].type'

Exit codes: 0 done, 1 error.
"""

SET_EPILOG = """
Types of metadata store:

  sqlite      a database file of this machine; .zenctl/metadata.db without -path
  mysql       MySQL or MariaDB
  postgresql  PostgreSQL
  grpc        a server of ML Metadata's protocol: zenctl metadata serve

It is written into the zenctl block of the configuration, whose comments and
layout stay as they are, in HCL as in YAML; into settings.zen.hcl if there is no
such block yet. The result is checked before it is written.

The password is not written there. It goes into the system's keyring (if the
package keyring is installed), or into a file that only you can read, in
~/.config/zenctl/credentials; the configuration says where it is. With
-passwd=env:NAME it is taken from the environment whenever it is needed.

Examples:

  zenctl config metadata set sqlite
  zenctl config metadata set sqlite -path=records/metadata.db
  zenctl config metadata set mysql --host 127.0.0.1 --port 3306 \\
    --username zen --passwd secret --database mlmd
  zenctl config metadata set postgresql -host=db -username=zen \\
    -passwd=env:PGPASSWORD -database=mlmd
  zenctl config metadata set grpc -host=records -port=8080

Exit codes: 0 done (also if it was set so already), 1 error; then nothing is
written.
"""


def get(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show which metadata store the configuration uses, and where that is set."""
    return config_store.show(invocation(ctx, no_color), "metadata", json)


def list_types(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """List the types of metadata store that can be set, and the one in use."""
    return config_store.show_kinds(invocation(ctx, no_color), "metadata", json)


def set(
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
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Set the metadata store in the configuration."""
    run = invocation(ctx, no_color)
    typed = {
        "path": path, "host": host, "port": port, "database": database, "user": username, "socket": socket,
        "ssl_ca": ssl_ca, "ssl_cert": ssl_cert, "ssl_key": ssl_key,
    }  # fmt: skip
    found: list[Diagnostic] = []
    store = store_arguments(type, typed, passwd, "zenctl config metadata set sqlite", found)
    if found:
        return run.report(found)

    def block(_: Registry) -> BlockData:
        from zenctl.config.stores import metadata_store

        return metadata_store(store.type, store.attributes)

    return config_store.change(run, block, json, store.secret.keep)
