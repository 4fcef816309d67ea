"""The Storage Read API of the fake BigQuery, over gRPC: gives rows in no order, and refuses as the service does."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

from tests.fakes.bigquery_sql import BadQuery, meeting

if TYPE_CHECKING:
    from tests.certificates import Certificates
    from tests.fakes.bigquery import FakeBigQuery

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
STREAM_ROWS, MESSAGE_ROWS = 400, 150
_WEEK = 7 * 24 * 3600 * 1_000_000
_STATUS = {
    403: grpc.StatusCode.PERMISSION_DENIED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}


@dataclass
class Stream:
    """Rows of a session."""

    rows: Any
    is_compressed: bool


class Reads:
    """The service behind a server. `random` decides in which order rows come, and how they are spread over streams."""

    def __init__(self, fake: FakeBigQuery) -> None:
        self.fake = fake
        self.streams: dict[str, Stream] = {}
        self._numbers = count(1)
        self.random = random.Random(4)

    def create(self, request: Any, context: Any) -> Any:
        self._seen("CreateReadSession", request.read_session.table, context)
        wanted = request.read_session
        project = request.parent.removeprefix("projects/")
        if not project or "/" in project or not request.parent.startswith("projects/"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"request failed: bad parent {request.parent!r}")
        if wanted.data_format != types.DataFormat.ARROW:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "request failed: the fake reads ARROW only")
        rows = self._content(wanted, context)
        options = wanted.read_options
        try:
            rows = meeting(rows, options.row_restriction)
        except BadQuery as problem:
            said = f"request failed: Query error: {problem}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
        missing = [name for name in options.selected_fields if name not in rows.schema.names]
        if missing:
            said = f"request failed: The following selected fields do not exist in the table schema: {missing[0]}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
        if options.selected_fields:
            # Selected fields come in the order of the table.
            rows = rows.select([name for name in rows.schema.names if name in options.selected_fields])
        compression = types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
        names = self._spread(
            project, rows, request, options.arrow_serialization_options.buffer_compression == compression
        )
        found = types.ReadSession(
            name=names[0].rsplit("/", 2)[0] if names else f"projects/{project}/locations/us/sessions/empty",
            table=wanted.table,
            data_format=types.DataFormat.ARROW,
            arrow_schema=types.ArrowSchema(serialized_schema=rows.schema.serialize().to_pybytes()),
            streams=[types.ReadStream(name=name) for name in names],
            estimated_row_count=rows.num_rows,
        )
        self.fake.happen("CreateReadSession.done")
        return found

    def _spread(self, project: str, rows: Any, request: Any, is_compressed: bool) -> list[str]:
        order = list(range(rows.num_rows))
        self.random.shuffle(order)
        streams = min(request.max_stream_count or 100, -(-rows.num_rows // STREAM_ROWS))
        session = f"projects/{project}/locations/us/sessions/s{next(self._numbers)}"
        names = []
        for number in range(streams):
            name = f"{session}/streams/{number}"
            self.streams[name] = Stream(rows.take(pa.array(order[number::streams], pa.int64())), is_compressed)
            names.append(name)
        return names

    def _content(self, wanted: Any, context: Any) -> Any:
        parts = wanted.table.split("/")
        if len(parts) != 6 or parts[::2] != ["projects", "datasets", "tables"]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"request failed: bad table {wanted.table!r}")
        name = ".".join(parts[1::2])
        stored = self.fake.tables.get(name)
        where = f"{parts[1]}:{parts[3]}.{parts[5]}"
        if name in self.fake.denied:
            said = f"request failed: the user does not have 'bigquery.readsessions.create' permission for {where}"
            context.abort(grpc.StatusCode.PERMISSION_DENIED, said)
        if stored is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"request failed: Not found: Table {where}")
        if stored.kind not in ("TABLE", "SNAPSHOT"):
            said = f"request failed: {where} of type {stored.kind} cannot be read"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
        if not wanted.table_modifiers.snapshot_time:
            return stored.content
        at = round(wanted.table_modifiers.snapshot_time.timestamp() * 1_000_000)
        now = self.fake.clock.now()
        found = stored.as_of(at) if now - _WEEK <= at <= now else None
        if found is None:
            said = f"request failed: Invalid snapshot time {at // 1000} for table {where}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
        return found

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        fault = self._seen("ReadRows", request.read_stream, context)
        stream = self.streams.get(request.read_stream)
        if stream is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there was an error operating on '{request.read_stream}'")
            return
        if not 0 <= request.offset <= stream.rows.num_rows:
            context.abort(grpc.StatusCode.OUT_OF_RANGE, f"offset {request.offset} is beyond the stream")
        rest = stream.rows.slice(request.offset).combine_chunks()
        for number, batch in enumerate(rest.to_batches(MESSAGE_ROWS)):
            if fault is not None and number == fault.cut:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the stream was broken off")
            yield types.ReadRowsResponse(
                arrow_record_batch=types.ArrowRecordBatch(
                    serialized_record_batch=_serialized(batch, stream.is_compressed)
                ),
                row_count=batch.num_rows,
            )

    def split(self, request: Any, context: Any) -> Any:
        self._seen("SplitReadStream", request.name, context)
        # A stream that cannot be split any more gives nothing.
        return types.SplitReadStreamResponse()

    def _is_good(self, token: str) -> bool:
        # The SDK lets a service account sign its own tokens for gRPC.
        return token in self.fake.tokens or _issuer(token) in self.fake.accounts

    def _seen(self, method: str, key: str, context: Any) -> Any:
        self.fake.seen.append(method)
        self.fake.happen(method)
        tokens = [value for name, value in context.invocation_metadata() if name == "authorization"]
        if self.fake.tokens and not any(self._is_good(str(token).removeprefix("Bearer ")) for token in tokens):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        fault = self.fake.faults.take(method, key)
        if fault is not None and fault.status:
            context.abort(_STATUS[fault.status], fault.message)
        return fault


def _issuer(token: str) -> str:
    """Who signed a JSON web token for the Storage API; "" for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    good_for = f"{claims.get('aud', '')} {claims.get('scope', '')}"
    return str(claims["iss"]) if "bigquery" in good_for else ""


def _serialized(batch: Any, is_compressed: bool) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4" if is_compressed else None)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    messages = pa.ipc.MessageReader.open_stream(sink.getvalue())
    messages.read_next_message()
    return bytes(messages.read_next_message().serialize().to_pybytes())


def serve(reads: Reads, certificates: Certificates | None = None) -> tuple[Any, int]:
    """A server on a free port of loopback; over TLS with certificates."""
    server = grpc.server(ThreadPoolExecutor(8))
    handlers = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            reads.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            reads.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        ),
        "SplitReadStream": grpc.unary_unary_rpc_method_handler(
            reads.split, types.SplitReadStreamRequest.deserialize, types.SplitReadStreamResponse.serialize
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if certificates is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (certificates.key.read_bytes(), certificates.server.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    return server, port
