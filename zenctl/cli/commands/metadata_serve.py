"""`zenctl metadata serve`: offers the metadata store to others over gRPC."""

from __future__ import annotations

import signal
import threading
from ipaddress import ip_address
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import NoColor
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic, DiagnosticError, warning

EPILOG = """
Those who use it write in their configuration:

  metadata "grpc" {
    host = "records.example.com"
    port = 8080
  }

ML Metadata's protocol knows no users: whoever reaches the port may read, and
write unless the server is -read-only. It therefore listens on this machine only,
unless -listen names another address; then let it speak TLS (-tls-cert and
-tls-key), or put it behind something that decides who may come through.

Examples:

  zenctl metadata serve
  zenctl metadata serve -read-only -listen=0.0.0.0:8080 \\
    -tls-cert=server.pem -tls-key=server.key

Exit codes: 0 stopped (Ctrl-C, SIGTERM), 1 error.
"""


def metadata_serve(
    ctx: typer.Context,
    listen: Annotated[
        str,
        typer.Option("-listen", "--listen", metavar="HOST:PORT", help="Where to listen. Port 0 is any that is free."),
    ] = "127.0.0.1:8080",
    read_only: Annotated[bool, typer.Option("-read-only", "--read-only", help="Refuse all that writes.")] = False,
    tls_cert: Annotated[
        str, typer.Option("-tls-cert", "--tls-cert", metavar="FILE", help="PEM file with the server's certificates.")
    ] = "",
    tls_key: Annotated[str, typer.Option("-tls-key", "--tls-key", metavar="FILE", help="PEM file with its key.")] = "",
    no_color: NoColor = False,
) -> int:
    """Serve the metadata store over gRPC.

    The store of the configuration, whatever its type, is offered with ML Metadata's
    own protocol, so that those who use it need no password of the database. Runs
    until it is stopped.
    """
    run = invocation(ctx, no_color)
    found: list[Diagnostic] = []
    address = values.host_and_port("-listen", listen, found)
    if bool(tls_cert) != bool(tls_key):
        found.append(values.missing("The other half of the certificate", "Give -tls-cert and -tls-key together."))
    if found:
        return run.report(found)
    if not tls_cert and not _is_loopback(address[0]):
        may = "read it" if read_only else "read and write it"
        summary = f"Whoever reaches {listen} may {may}, and can be listened to"
        run.report([warning("open_server", summary, "Give -tls-cert and -tls-key, or listen on this machine only.")])
    return _serve(run, address, (tls_cert, tls_key), read_only)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _serve(run: Invocation, address: tuple[str, int], tls: tuple[str, str], read_only: bool) -> int:
    from zenctl.engine.serving import serve

    host, port = address
    files = (run.path(tls[0]), run.path(tls[1])) if tls[0] else None
    try:
        served = serve(run.inputs(), host, port, files, read_only=read_only)
    except DiagnosticError as problem:
        return run.report(problem.diagnostics)
    stopped = threading.Event()
    handlers = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        how = "to read" if read_only else "to read and write"
        run.terminal.write(f"Serving {served.name} {how} at {host}:{served.port}. Ctrl-C stops it.")
        run.terminal.out.flush()
        stopped.wait()
        served.stop()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    run.terminal.write("Stopped.")
    return exits.OK
