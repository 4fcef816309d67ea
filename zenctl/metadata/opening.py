"""Opens the metadata store that a configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenctl.diagnostics import did_you_mean
from zenctl.metadata.credentials import resolve
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.servers import DEFAULT_PORTS, ServerAddress, server
from zenctl.metadata.store import MetadataStore, StoreError

if TYPE_CHECKING:
    from zenctl.metadata.mlmd.connection import Connection
    from zenctl.metadata.mlmd.serving import MetadataServer

DATABASE = "metadata.db"
"""The default database, in the project's data folder."""

TYPES = ("sqlite", "mysql", "postgresql", "grpc")


def open_store(type: str, config: Mapping[str, Any], data_dir: Path, *, create: bool) -> MetadataStore:
    """The store of a type, with the attributes of its `metadata` block; paths are relative to the configuration.

    `data_dir` is `.zenctl` in that folder. With `create` the store is made where it is missing, and can be written;
    without, nothing is made or written, and a store that is missing reads as empty. Raises StoreError, with a hint, for
    a type that is not known, and for a store that cannot be reached or read, or was written by a newer zenctl.
    """
    connect = _connector(type, config, data_dir, create=create)
    if connect is None:
        return MemoryStore(read_only=True)
    from zenctl.metadata.mlmd import MlmdStore

    return MlmdStore(connect())


def serve_store(
    type: str, config: Mapping[str, Any], data_dir: Path, address: ServerAddress, *, read_only: bool
) -> MetadataServer:
    """A gRPC server over the store of a type, which answers until it is stopped. Raises StoreError."""
    if type == "grpc":
        raise StoreError(
            "the metadata store of this configuration is a gRPC server already", "Serve the store that is behind it."
        )
    connect = _connector(type, config, data_dir, create=not read_only)
    if connect is None:
        raise StoreError(
            "there is no metadata store yet, and a server that only reads makes none",
            "Run `zenctl apply` first, or serve without -read-only.",
        )
    from zenctl.metadata.mlmd.serving import MetadataServer

    return MetadataServer(connect(), address)


def _connector(
    type: str, config: Mapping[str, Any], data_dir: Path, *, create: bool
) -> Callable[[], Connection] | None:
    """What connects to a store; None if there is none to read. Only a store that exists costs the import of MLMD."""
    root = data_dir.absolute().parent
    if type == "sqlite":
        path = root / config["path"] if config.get("path") else data_dir / DATABASE
        return _sqlite(path, create=create)
    if type == "grpc":
        return _remote(config, root, create=create)
    if type in TYPES:
        return _server(type, config, root, create=create)
    raise StoreError(
        f'there is no metadata store of type "{type}".{did_you_mean(type, TYPES)}',
        f"Known types: {', '.join(TYPES)}.",
    )


def _sqlite(path: Path, *, create: bool) -> Callable[[], Connection] | None:
    if path.is_dir():
        raise StoreError(f"{path} is a folder, where the metadata database should be", "Move it away, then try again.")
    if not create and _is_missing(path):
        return None
    from zenctl.metadata.mlmd import SqliteConnection

    return lambda: SqliteConnection(path, create=create)


def _server(type: str, config: Mapping[str, Any], root: Path, *, create: bool) -> Callable[[], Connection] | None:
    from zenctl.metadata.mlmd.drivers import driver
    from zenctl.metadata.mlmd.server import ServerConnection

    password = resolve(config["password"], root) if config.get("password") else ""
    found = driver(server(type, config, password, root))
    if not create and not found.has_tables():
        return None
    return lambda: ServerConnection(found, create=create)


def _remote(config: Mapping[str, Any], root: Path, *, create: bool) -> Callable[[], Connection]:
    from zenctl.metadata.mlmd.remote import Remote, RemoteConnection

    files = {key: str(root / config[f"ssl_{key}"]) for key in ("ca", "cert", "key") if config.get(f"ssl_{key}")}
    remote = Remote(config.get("host") or "127.0.0.1", config.get("port") or DEFAULT_PORTS["grpc"], **files)
    return lambda: RemoteConnection(remote, create=create)


def _is_missing(path: Path) -> bool:
    """An empty file is a database whose making was interrupted before anything was in it."""
    try:
        return (path.is_file() and path.stat().st_size == 0) or not path.exists()
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror}", "Check its permissions.") from problem
