"""Reads rows through the Storage Read API, several streams at a time. The only importer of Google's SDK."""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.refusals import LOG_IN
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.bigquery.rest import PERMISSIONS, Service, credentials, split_name, translated

STREAMS = 4
"""Streams that are read at a time, at most."""
_AHEAD = 8
"""Batches that wait to be taken."""
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class Reading:
    """What is read of a table `project.dataset.table`: `columns`, of rows that meet `condition`, as of Unix time `at`.

    `at` is 0 for the results of queries, which do not change.
    """

    table: str
    columns: tuple[str, ...]
    condition: str
    at: float


class Reader:
    """A client. Every method raises StorageError. Not to be carried to another process."""

    def __init__(self, service: Service, payer: str) -> None:
        self._service = service
        self._payer = payer
        self._client: Any = None

    def __enter__(self) -> Reader:
        with warnings.catch_warnings():
            # It tells of Pythons that it will not support some day: nothing that who runs zenctl must know.
            warnings.simplefilter("ignore", FutureWarning)
            try:
                import google.cloud.bigquery_storage_v1  # noqa: F401
            except ModuleNotFoundError as problem:
                hint = "Install it where the job runs: pip install 'zenctl[bigquery]'"
                raise StorageError("INVALID", "google-cloud-bigquery-storage is not installed", hint) from problem
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.transport.close()

    def batches(self, reading: Reading) -> Iterator[Any]:
        """The rows, in no order: Arrow record batches as BigQuery makes them."""
        with _told():
            session = translated(lambda: self._session(reading))
        schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        names = [stream.name for stream in session.streams]
        if len(names) <= 1:
            for name in names:
                yield from self._stream(name, schema)
            return
        yield from _together([lambda name=name: self._stream(name, schema) for name in names])  # type: ignore[misc]

    def _session(self, reading: Reading) -> Any:
        client = self._opened()
        from google.cloud.bigquery_storage_v1 import types

        project, dataset, table = split_name(reading.table)
        wanted = types.ReadSession(
            table=f"projects/{project}/datasets/{dataset}/tables/{table}",
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(
                selected_fields=list(reading.columns),
                row_restriction=reading.condition,
                arrow_serialization_options=types.ArrowSerializationOptions(
                    buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
                ),
            ),
        )
        if reading.at:
            moment = datetime.fromtimestamp(reading.at, timezone.utc)
            wanted.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=moment)
        return client.create_read_session(
            parent=f"projects/{self._payer}",
            read_session=wanted,
            max_stream_count=STREAMS,
            retry=self._patience(),
            timeout=60,
        )

    def _stream(self, name: str, schema: Any) -> Iterator[Any]:
        with _told():
            # It goes on where it broke off, by itself.
            for message in self._opened().read_rows(name, retry=self._patience(), timeout=24 * 3600):
                if not message.row_count:
                    continue
                buffer = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
                batch = pa.ipc.read_record_batch(buffer, schema)
                if batch.num_rows != message.row_count:
                    raise StorageError("TRANSIENT", "a batch of BigQuery has other rows than it says", "Try again.")
                yield batch

    def _patience(self) -> Any:
        from google.api_core import exceptions as api
        from google.api_core.retry import Retry, if_exception_type

        passing = if_exception_type(
            api.ServiceUnavailable, api.DeadlineExceeded, api.ResourceExhausted, api.Unknown, api.Aborted
        )
        return Retry(passing, initial=0.25, maximum=16, timeout=self._service.patience)

    def _opened(self) -> Any:
        if self._client is None:
            from google.cloud.bigquery_storage_v1 import BigQueryReadClient

            where = self._service.read_endpoint
            if where.startswith("http://"):
                import grpc
                from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
                    BigQueryReadGrpcTransport,
                )

                channel = grpc.insecure_channel(where.removeprefix("http://"), options=_UNLIMITED)
                self._client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
            else:
                options = {"api_endpoint": where.removeprefix("https://")} if where else None
                self._client = BigQueryReadClient(credentials=credentials()[0], client_options=options)
        return self._client


def _together(streams: Sequence[Callable[[], Iterator[Any]]]) -> Iterator[Any]:
    """What several streams give, as it comes; an error of one ends all."""
    found: queue.Queue[Any] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                found.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def run(stream: Callable[[], Iterator[Any]]) -> None:
        try:
            for batch in stream():
                if not put(batch):
                    return
            put(None)
        except Exception as error:  # noqa: BLE001 - raised again where it is taken
            put(error)

    threads = [threading.Thread(target=run, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    try:
        open_streams = len(threads)
        while open_streams:
            item = found.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                open_streams -= 1
            else:
                yield item
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@contextmanager
def _told() -> Iterator[None]:
    """What the SDK raises is a StorageError."""
    from google.api_core import exceptions as api

    try:
        yield
    except api.RetryError as error:
        raise _refusal(error.cause) if isinstance(error.cause, api.GoogleAPICallError) else _refusal(error) from error
    except api.GoogleAPICallError as error:
        raise _refusal(error) from error


def _refusal(error: Any) -> StorageError:
    from google.api_core import exceptions as api

    said = str(getattr(error, "message", error))
    if isinstance(error, api.NotFound):
        return StorageError("NOT_FOUND", said, "It was there a moment ago.")
    if isinstance(error, api.Unauthenticated):
        return StorageError("UNAUTHORIZED", f"BigQuery does not know who asks: {said}", LOG_IN)
    if isinstance(error, api.PermissionDenied):
        return StorageError("UNAUTHORIZED", f"BigQuery denies permission: {said}", PERMISSIONS)
    if isinstance(error, (api.InvalidArgument, api.FailedPrecondition, api.OutOfRange)):
        return StorageError(
            "INVALID", f"BigQuery does not read this: {said}", "Check `columns`, `filter` and `snapshot_time`."
        )
    return StorageError("TRANSIENT", f"BigQuery broke off: {said}", "Try again later.")
