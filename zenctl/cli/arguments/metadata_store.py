"""The arguments that describe a metadata store: its type, where it is, who signs in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zenctl.cli.arguments import values
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.lazy_dataclasses import dataclass

TYPES = "sqlite, mysql, postgresql or grpc"


def _option(name: str, metavar: str, help: str, *others: str) -> Any:
    names = [f"{dashes}{spelling}" for spelling in (name, *others) for dashes in ("-", "--")]
    return typer.Option(*names, metavar=metavar, help=help)


TypeArgument = Annotated[str, typer.Argument(metavar="TYPE", help=f"Type of the store: {TYPES}.", show_default=False)]
PathOption = Annotated[str | None, _option("path", "FILE", "sqlite: the file, relative to the configuration's folder.")]
HostOption = Annotated[str | None, _option("host", "HOST", "The server. Default: 127.0.0.1.")]
PortOption = Annotated[str | None, _option("port", "PORT", "Its port. Default: 3306, 5432 or 8080, by the type.")]
DatabaseOption = Annotated[str | None, _option("database", "NAME", "The database on the server.")]
UsernameOption = Annotated[str | None, _option("username", "USER", "Who signs in. Also -user.", "user")]
PasswdOption = Annotated[
    str | None, _option("passwd", "PASSWORD", "Also -password. It, or where it is: env:NAME, file:PATH.", "password")
]
SocketOption = Annotated[str | None, _option("socket", "FILE", "mysql: a Unix socket, instead of host and port.")]
SslCaOption = Annotated[str | None, _option("ssl-ca", "FILE", "PEM file to check the server's certificate with.")]
SslCertOption = Annotated[str | None, _option("ssl-cert", "FILE", "PEM file with your own certificate.")]
SslKeyOption = Annotated[str | None, _option("ssl-key", "FILE", "PEM file with its key.")]


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, and where it is to be found; `value` is empty if it is there already."""

    reference: str
    value: str = ""

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


@dataclass(frozen=True, slots=True)
class StoreArguments:
    """The store that was described: the attributes of its block, the password as a reference, and the password."""

    type: str
    attributes: dict[str, Any]
    secret: Secret = Secret("")


def store_arguments(
    type: str, given: dict[str, str | None], passwd: str | None, example: str, found: list[Diagnostic]
) -> StoreArguments:
    """What was typed, as a store; mistakes go to `found`."""
    if not type:
        found.append(values.missing("The type of the store", f"For example: {example}"))
    port = given.pop("port")
    number = None if port is None else values.port("-port", port, found)
    attributes = {name: value for name, value in {**given, "port": number}.items() if value is not None}
    if passwd is None or found:
        return StoreArguments(type, attributes)
    secret = _secret(type, attributes, passwd)
    return StoreArguments(type, {**attributes, "password": secret.reference}, secret)


def _secret(type: str, attributes: dict[str, Any], passwd: str) -> Secret:
    from zenctl.config.metadata_stores import is_reference
    from zenctl.metadata.credentials import place

    if is_reference(passwd):
        return Secret(passwd)
    where = attributes.get("socket") or f"{attributes.get('host', 'localhost')}-{attributes.get('port', '')}"
    name = f"{type}-{attributes.get('user', '')}@{where}-{attributes.get('database', '')}"
    return Secret(place(name), passwd)
