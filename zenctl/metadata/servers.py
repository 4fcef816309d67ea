"""Database servers as the configuration names them: where one is and how to sign in. Imports no driver and no MLMD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zenctl.lazy_dataclasses import dataclass

DEFAULT_PORTS = {"mysql": 3306, "postgresql": 5432, "grpc": 8080}


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a server. `type` is mysql or postgresql; `socket` (MySQL) takes the place of host and port.

    The TLS files (MySQL) are absolute paths or empty. The password is in no `repr`.
    """

    type: str
    host: str
    port: int
    database: str
    user: str
    password: str = field(default="", repr=False)
    socket: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = field(default="", repr=False)

    def __str__(self) -> str:
        place = quote(self.socket, safe="") if self.socket else f"{self.host}:{self.port}"
        return f"{self.type}://{quote(self.user)}@{place}/{quote(self.database)}"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a gRPC server listens; port 0 is any that is free. With `certificate` and `key` (PEM) it speaks TLS."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORTS["grpc"]
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


def server(type: str, config: Mapping[str, Any], password: str, root: Path) -> Server:
    """The server of a `metadata` block; paths in it are relative to `root`, the configuration's folder."""

    def file(name: str) -> str:
        given = config.get(name)
        return str(root / Path(given).expanduser()) if given else ""

    return Server(
        type=type,
        host=config.get("host") or "127.0.0.1",
        port=config.get("port") or DEFAULT_PORTS[type],
        database=config["database"],
        user=config["user"],
        password=password,
        socket=file("socket"),
        tls_ca=file("ssl_ca"),
        tls_cert=file("ssl_cert"),
        tls_key=file("ssl_key"),
    )
