"""Serves a metadata store over gRPC with MLMD's own protocol, so that others need no password of the database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from contextlib import nullcontext
from typing import Any

import grpc
from ml_metadata import errors
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as serialized
from ml_metadata.proto import metadata_store_service_pb2 as service_pb

from zenctl.metadata.mlmd.connection import Connection
from zenctl.metadata.mlmd.remote import MESSAGE_BYTES
from zenctl.metadata.servers import ServerAddress
from zenctl.metadata.store import StoreError

_SERVICE = service_pb.DESCRIPTOR.services_by_name["MetadataStoreService"]
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_FAULTS = (errors.ABORTED, errors.INTERNAL, errors.UNAVAILABLE, errors.UNKNOWN)
"""Codes that say something of the store; others, such as "not found", answer the caller."""

_DETAIL_BYTES = 2000
"""How much of a message is sent. It travels in a header, each byte as up to three; gRPC drops the answer at 8 KiB of
headers, by chance, and at 16 KiB for sure. MLMD prints both types where one exists with other properties."""


class MetadataServer:
    """A gRPC server over one connection. Thread-safe: calls are made one after the other, as MLMD wants them."""

    def __init__(self, connection: Connection, address: ServerAddress) -> None:
        """Listen. Takes charge of the connection. Raises StoreError if the address cannot be had."""
        self._connection = connection
        self.name = connection.name.removeprefix("the metadata ")
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ]
        executor = futures.ThreadPoolExecutor(1)
        self._server = grpc.server(executor, handlers=[_Handler(connection)], options=options)
        host = f"[{address.host}]" if ":" in address.host else address.host
        try:
            if address.certificate:
                credentials = grpc.ssl_server_credentials([(address.key, address.certificate)])
                self.port = self._server.add_secure_port(f"{host}:{address.port}", credentials)
            else:
                self.port = self._server.add_insecure_port(f"{host}:{address.port}")
        except (RuntimeError, ValueError) as problem:
            connection.close()
            raise StoreError(
                f"cannot listen on {host}:{address.port}", "Is the port taken? Choose another with -listen."
            ) from problem
        self._server.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the server has stopped; gives whether it still runs."""
        return bool(self._server.wait_for_termination(seconds))

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Let calls that are under way finish, then stop."""
        self._server.stop(grace_seconds).wait()
        self._connection.close()


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Passes the bytes of a call on to MLMD, and those of the answer back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def service(self, details: Any) -> Any:
        """gRPC asks for the handler of a method; None is "unimplemented"."""
        service, _, name = details.method.lstrip("/").partition("/")
        function = getattr(serialized, name, None) if name in _SERVICE.methods_by_name else None
        if service != _SERVICE.full_name or function is None:
            return None

        def answer(request: bytes, context: Any) -> bytes:
            return self._answer(name, function, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    def _answer(self, name: str, function: Callable[..., Any], request: bytes, context: Any) -> bytes:
        writes = not name.startswith("Get")
        if writes and self._connection.read_only:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "the server was started with -read-only")

        def call(mlmd: Any) -> tuple[bytes, bytes, int]:
            # MLMD's Python class has no public way to pass bytes through.
            answer, message, code = function(mlmd._metadata_store, request)
            if code in _FAULTS:
                raise errors.make_exception(message.decode(), code)
            return answer, message, code

        try:
            with self._connection.turn() if writes else nullcontext():
                answer, message, code = self._connection.ask(call)
        except StoreError as problem:
            context.abort(grpc.StatusCode.INTERNAL, _detail(str(problem).encode()))
        if code:
            context.abort(_CODES[code], _detail(message))
        return answer


def _detail(message: bytes) -> str:
    if len(message) <= _DETAIL_BYTES:
        return message.decode()
    return message[:_DETAIL_BYTES].decode(errors="ignore") + " ..."
