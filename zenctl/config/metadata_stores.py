"""The `metadata` block: what can be set for each type of metadata store, and how a store is named to people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, WithJsonSchema, model_validator

from zenctl.schema import BlockModel, attribute

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_DATABASE = ".zenctl/metadata.db"
"""Where records are kept if nothing is set, relative to the configuration."""

_REFERENCE = r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:[^/]+/.+"


def is_reference(text: str) -> bool:
    """Whether a text says where a password is."""
    return re.fullmatch(_REFERENCE, text) is not None


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError(
            'give where the password is, not the password: "env:NAME", "file:PATH" or "keyring:SERVICE/USER"'
        )
    return text


PasswordReference = Annotated[
    str, AfterValidator(_reference), WithJsonSchema({"type": "string", "pattern": f"^({_REFERENCE})$"})
]
"""Where a password is found."""


class MetadataModel(BlockModel):
    """A `metadata` block."""

    def location(self) -> str:
        """Where the store is, without a secret."""
        raise TypeError(f"{type(self).__name__} says no location")


class SqliteStore(MetadataModel):
    """`metadata "sqlite" {}`"""

    path: str | None = attribute(
        f"The database file, relative to the configuration. Default: {DEFAULT_DATABASE}", default=None, min_length=1
    )

    def location(self) -> str:
        """The file, as it is given."""
        return self.path or DEFAULT_DATABASE


class _ServerStore(MetadataModel):
    """A database on a server."""

    host: str = attribute("The server's name or address.", default="127.0.0.1", min_length=1)
    database: str = attribute(
        "The database: letters, digits and underscores. It is made with the first apply, if the user may.",
        pattern="^[A-Za-z_][A-Za-z0-9_]{0,62}$",
    )
    user: str = attribute("Who signs in.", min_length=1)
    password: PasswordReference | None = attribute(
        'Where the password is, never the password itself: "env:NAME", "file:PATH" or "keyring:SERVICE/USER". '
        "`zenctl config metadata set` keeps it and writes this.",
        default=None,
    )

    def _place(self, scheme: str, port: int) -> str:
        return f"{scheme}://{self.user}@{self.host}:{port}/{self.database}"


class _Encrypted(MetadataModel):
    """A server whose connection can be encrypted."""

    ssl_ca: str | None = attribute(
        "PEM file with the certificates that the server's must come from; the connection is then encrypted.",
        default=None,
        min_length=1,
    )
    ssl_cert: str | None = attribute("PEM file with the client's own certificate.", default=None, min_length=1)
    ssl_key: str | None = attribute("PEM file with the key of that certificate.", default=None, min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.ssl_cert or self.ssl_key) and not (self.ssl_ca and self.ssl_cert and self.ssl_key):
            raise ValueError("ssl_cert and ssl_key go together, and with ssl_ca")
        return self


class MysqlStore(_ServerStore, _Encrypted):
    """`metadata "mysql" {}`: MySQL or MariaDB."""

    port: int = attribute("The server's port.", default=3306, ge=1, le=65535)
    socket: str | None = attribute(
        "A Unix socket of this machine, instead of host and port.", default=None, min_length=1
    )

    def location(self) -> str:
        """A URL without the password."""
        return f"mysql://{self.user}@{self.socket}/{self.database}" if self.socket else self._place("mysql", self.port)


class PostgresqlStore(_ServerStore):
    """`metadata "postgresql" {}`. ML Metadata's PostgreSQL client is built without TLS, so nothing is set for that."""

    port: int = attribute("The server's port.", default=5432, ge=1, le=65535)

    def location(self) -> str:
        """A URL without the password."""
        return self._place("postgresql", self.port)


class GrpcStore(_Encrypted):
    """`metadata "grpc" {}`: a server of ML Metadata's own protocol, such as `zenctl metadata serve`."""

    host: str = attribute("The server's name or address.", default="127.0.0.1", min_length=1)
    port: int = attribute("The server's port.", default=8080, ge=1, le=65535)

    def location(self) -> str:
        """Host and port."""
        return f"grpc://{self.host}:{self.port}"


METADATA_STORES: dict[str, type[MetadataModel]] = {
    "sqlite": SqliteStore,
    "mysql": MysqlStore,
    "postgresql": PostgresqlStore,
    "grpc": GrpcStore,
}
"""Types of metadata store, by the label of the `metadata` block."""

ABOUT = {
    "sqlite": "a database file of this machine",
    "mysql": "MySQL or MariaDB",
    "postgresql": "PostgreSQL",
    "grpc": "a server of ML Metadata's protocol: zenctl metadata serve",
}
"""What each type of metadata store is, in a few words."""
