"""Serves the metadata store of a configuration over gRPC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.opening import open_settings, store_failure
from zenctl.engine.requests import Inputs
from zenctl.metadata.opening import serve_store
from zenctl.metadata.servers import ServerAddress
from zenctl.metadata.store import StoreError

if TYPE_CHECKING:
    from zenctl.metadata.mlmd.serving import MetadataServer


def serve(inputs: Inputs, host: str, port: int, tls: tuple[Path, Path] | None, *, read_only: bool) -> MetadataServer:
    """A server that answers until it is stopped; `tls` are the files with the certificates and the key.

    Raises DiagnosticError.
    """
    settings = open_settings(inputs)[0].metadata
    certificate, key = (_read(file) for file in tls) if tls else (b"", b"")
    address = ServerAddress(host, port, certificate, key)
    try:
        return serve_store(settings.type, settings.config, inputs.data_dir, address, read_only=read_only)
    except StoreError as problem:
        raise DiagnosticError(store_failure(problem, settings.range)) from problem


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        summary = f"{file} cannot be read: {problem.strerror}"
        raise DiagnosticError(error("unreadable_file", summary, "It must be a PEM file.")) from problem
