"""A connection to MLMD's gRPC server, such as `zenctl metadata serve` offers. The server keeps its writers apart."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.mlmd.connection import Connection, Unreachable
from zenctl.metadata.mlmd.dialects import COMMON
from zenctl.metadata.store import StoreError

CALL_SECONDS = 60.0
"""How long the server may take for one call."""

MESSAGE_BYTES = 1 << 30
"""The largest answer; gRPC's own limit of 4 MiB is less than a large state."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A gRPC server. With `ca` (a PEM file) the connection is encrypted; `cert` and `key` are the client's own."""

    host: str
    port: int
    ca: str = ""
    cert: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"grpc://{self.host}:{self.port}"


class RemoteConnection(Connection):
    """One process's connection to one gRPC server, which has made MLMD's tables already."""

    def __init__(self, remote: Remote, *, create: bool) -> None:
        super().__init__(f"the metadata server {remote}", create=create)
        self._remote = remote
        self.dialect = COMMON
        self.open(patience=0.0)

    def turn(self) -> AbstractContextManager[None]:
        """The server gives the turns."""
        return nullcontext()

    def alone(self) -> AbstractContextManager[None]:
        """Types are registered one by one by the server, each as often as anybody likes."""
        return nullcontext()

    def _open(self) -> Any:
        remote = self._remote
        config = pb.MetadataStoreClientConfig(host=remote.host, port=remote.port, client_timeout_sec=CALL_SECONDS)
        config.channel_arguments.max_receive_message_length = MESSAGE_BYTES
        if remote.ca:
            config.ssl_config.custom_ca = _pem(remote.ca)
        if remote.cert:
            config.ssl_config.server_cert, config.ssl_config.client_key = _pem(remote.cert), _pem(remote.key)
        mlmd = metadata_store.MetadataStore(config)
        mlmd.get_context_types()  # the channel connects with the first call
        return mlmd

    def _failure(self, problem: Exception) -> StoreError:
        reason = str(problem).strip().partition("\n")[0] or type(problem).__name__
        if isinstance(problem, (errors.UnavailableError, errors.DeadlineExceededError)):
            return Unreachable(
                f"{self.name} cannot be reached: {reason}",
                "Is `zenctl metadata serve` running there, and are host, port and ssl_ca right?",
            )
        if isinstance(problem, errors.PermissionDeniedError):
            return StoreError(
                f"{self.name} may only be read from: {reason}",
                "Apply with the store itself, or a server that may write.",
            )
        if isinstance(problem, errors.UnimplementedError):
            return StoreError(f"{self.name} is no ML Metadata server: {reason}", "Check host and port.")
        return StoreError(f"{self.name} failed: {reason}")


def _pem(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise StoreError(f"{path} cannot be read as a PEM file: {problem}") from problem
