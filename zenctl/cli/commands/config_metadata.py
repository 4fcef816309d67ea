"""`zenctl config metadata get`, `list` and `set`: where runs, artifacts and their lineage are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import JsonFlag, NoColor
from zenctl.cli.commands import config_store
from zenctl.cli.invocation import invocation
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.lazy_dataclasses import dataclass

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

_TYPES = "sqlite, mysql, postgresql or grpc"


def _option(name: str, metavar: str, help: str, *others: str) -> Any:
    names = [f"{dashes}{spelling}" for spelling in (name, *others) for dashes in ("-", "--")]
    return typer.Option(*names, metavar=metavar, help=help)


def get(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """Show which metadata store the configuration uses, and where that is set."""
    return config_store.show(invocation(ctx, no_color), "metadata", json)


def list_types(ctx: typer.Context, json: JsonFlag = False, no_color: NoColor = False) -> int:
    """List the types of metadata store that can be set, and the one in use."""
    return config_store.show_kinds(invocation(ctx, no_color), "metadata", json)


def set(
    ctx: typer.Context,
    type: Annotated[str, typer.Argument(metavar="TYPE", help=f"Type of the store: {_TYPES}.", show_default=False)] = "",
    path: Annotated[
        str | None, _option("path", "FILE", "sqlite: the file, relative to the configuration's folder.")
    ] = None,
    host: Annotated[str | None, _option("host", "HOST", "The server. Default: 127.0.0.1.")] = None,
    port: Annotated[str | None, _option("port", "PORT", "Its port. Default: 3306, 5432 or 8080, by the type.")] = None,
    database: Annotated[str | None, _option("database", "NAME", "The database on the server.")] = None,
    username: Annotated[str | None, _option("username", "USER", "Who signs in. Also -user.", "user")] = None,
    passwd: Annotated[
        str | None,
        _option("passwd", "PASSWORD", "Also -password. It, or where it is: env:NAME, file:PATH.", "password"),
    ] = None,
    socket: Annotated[str | None, _option("socket", "FILE", "mysql: a Unix socket, instead of host and port.")] = None,
    ssl_ca: Annotated[str | None, _option("ssl-ca", "FILE", "PEM file to check the server's certificate with.")] = None,
    ssl_cert: Annotated[str | None, _option("ssl-cert", "FILE", "PEM file with your own certificate.")] = None,
    ssl_key: Annotated[str | None, _option("ssl-key", "FILE", "PEM file with its key.")] = None,
    json: JsonFlag = False,
    no_color: NoColor = False,
) -> int:
    """Set the metadata store in the configuration."""
    run = invocation(ctx, no_color)
    if not type:
        return run.report([values.missing("The type of the store", "For example: zenctl config metadata set sqlite")])
    found: list[Diagnostic] = []
    number = None if port is None else values.port("-port", port, found)
    if found:
        return run.report(found)
    given = {
        "path": path, "host": host, "port": number, "database": database, "user": username, "socket": socket,
        "ssl_ca": ssl_ca, "ssl_cert": ssl_cert, "ssl_key": ssl_key,
    }  # fmt: skip
    attributes = {name: value for name, value in given.items() if value is not None}
    secret = _reference(type, attributes, passwd)
    if secret is not None:
        attributes["password"] = secret.reference

    def block(_: Registry) -> BlockData:
        from zenctl.config.stores import metadata_store

        return metadata_store(type, attributes)

    return config_store.change(run, block, json, secret.keep if secret else None)


@dataclass(frozen=True, slots=True)
class _Secret:
    """A password, and where it is to be found; `value` is empty if it is there already."""

    reference: str
    value: str

    def keep(self) -> str:
        """Keep it; gives what to tell of that. Raises DiagnosticError."""
        from zenctl.metadata.credentials import keep
        from zenctl.metadata.store import StoreError

        if not self.value:
            return ""
        try:
            keep(self.reference, self.value)
        except StoreError as problem:
            text = str(problem)
            found = error("unwritable_password", text[:1].upper() + text[1:], problem.hint)
            raise DiagnosticError(found) from problem
        kind, _, where = self.reference.partition(":")
        return f"The password is kept in {'the keyring as ' if kind == 'keyring' else ''}{where}."


def _reference(type: str, attributes: dict[str, Any], passwd: str | None) -> _Secret | None:
    from zenctl.config.metadata_stores import is_reference
    from zenctl.metadata.credentials import place

    if passwd is None:
        return None
    if is_reference(passwd):
        return _Secret(passwd, "")
    where = attributes.get("socket") or f"{attributes.get('host', 'localhost')}-{attributes.get('port', '')}"
    name = f"{type}-{attributes.get('user', '')}@{where}-{attributes.get('database', '')}"
    return _Secret(place(name), passwd)
