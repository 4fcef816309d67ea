"""A small, strict BigQuery: tables with a past, queries that are run, read sessions, faults on demand.

Every REST request and response is held to Google's bigquery.v2 discovery document; what does not fit is in `problems`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa

from tests.certificates import Certificates
from tests.fakes.bigquery_reads import Reads, serve
from tests.fakes.bigquery_sql import BadQuery, Read, Translation, statement
from tests.fakes.bigquery_tables import Clock, Stored, described
from tests.fakes.discovery import Discovery, discovery
from tests.fakes.faults import Faults
from tests.fakes.loopback import loopback

_STATES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


@dataclass
class Job:
    """A query that was run."""

    resource: dict[str, Any]
    result: Any
    polls: int = 0


@dataclass
class FakeBigQuery:
    """The state behind the servers. `seen` lists the methods that were asked for; `once` are calls before one of them.

    `denied` are tables that may not be read; with `tokens`, one of them is needed, or for reads one that one of the
    service `accounts` signed. `slow` is how often a query's end is asked for in vain.
    """

    tables: dict[str, Stored] = field(default_factory=dict)
    routines: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    once: dict[str, Callable[[], object]] = field(default_factory=dict)
    slow: int = 0
    faults: Faults = field(default_factory=Faults)
    clock: Clock = field(default_factory=Clock)
    api: Discovery = field(default_factory=lambda: discovery("bigquery.v2"))
    lock: Any = field(default_factory=threading.RLock)
    numbers: Any = field(default_factory=lambda: count(1))

    @property
    def problems(self) -> list[str]:
        return self.api.problems

    def put(self, name: str, content: Any, **about: Any) -> Stored:
        """Make a table, or give it another content."""
        with self.lock:
            at = self.clock.change()
            if name not in self.tables:
                self.tables[name] = Stored(name, at, [], **about)
            self.tables[name].put(content, at)
            return self.tables[name]

    def view(self, name: str, query: str, kind: str = "VIEW") -> None:
        """Make a view."""
        result = self._translation(name.split(".")[0]).result(query)
        self.put(name, result.slice(0, 0), kind=kind, view=query)

    def happen(self, method: str) -> None:
        """What a test wants to happen just before a method."""
        call = self.once.pop(method, None)
        if call is not None:
            call()

    def find(self, name: str) -> Stored:
        project, dataset, table = name.rsplit(".", 2)
        if name in self.denied:
            said = f"Access Denied: Table {project}:{dataset}.{table}: Permission bigquery.tables.get denied"
            raise Refused(403, "accessDenied", said)
        if name not in self.tables:
            raise Refused(404, "notFound", f"Not found: Table {project}:{dataset}.{table}")
        return self.tables[name]

    def run(self, project: str, query: str) -> tuple[Any, Read]:
        """A query's rows, and what it read."""
        translation = self._translation(project)
        try:
            return translation.result(query), translation.read
        except BadQuery as problem:
            raise Refused(400, "invalidQuery", str(problem)) from problem

    def _translation(self, project: str) -> Translation:
        return Translation(project, self.find, self._partitions, self.routines)

    def _partitions(self, dataset: str) -> Any:
        rows = [
            (stored.name.rsplit(".", 1)[1], id, part.rows, part.bytes, part.changed)
            for stored in self.tables.values()
            if stored.name.rsplit(".", 1)[0] == dataset
            for id, part in stored.partitions.items()
        ]
        names = ("table_name", "partition_id", "total_rows", "total_logical_bytes", "last_modified_time")
        types = (pa.string(), pa.string(), pa.int64(), pa.int64(), pa.int64())
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        made = {n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)}
        made["last_modified_time"] = made["last_modified_time"].cast(pa.timestamp("us", "UTC"))
        return pa.table(made)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    fake: FakeBigQuery

    def do(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._method(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)
        except Refused as refused:
            told = {"domain": "global", "reason": refused.reason, "message": str(refused)}
            error = {"code": refused.status, "message": str(refused), "errors": [told]}
            error |= {"status": _STATES[refused.status]} if refused.status in _STATES else {}
            self._send(refused.status, {"error": error}, refused.headers)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do  # noqa: N815 - the server's names

    def _method(self, path: str, query: dict[str, str], body: bytes) -> None:
        if path == "/token":
            # Google's token server: who shows what a service account signed gets the token that is good here.
            assert b"assertion=" in body
            self._send(200, {"access_token": min(self.fake.tokens), "expires_in": 3600, "token_type": "Bearer"}, {})
            return
        matched = self.fake.api.match(self.command, path)
        if matched is None:
            self.fake.problems.append(f"{self.command} {path} is no method of the API")
            raise Refused(404, "notFound", "Not Found")
        method, found = matched
        short = method.id.removeprefix("bigquery.")
        self.fake.seen.append(short)
        self.fake.api.check_query(method, query)
        if self.fake.tokens and self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.fake.tokens:
            raise Refused(401, "authError", "Request had invalid authentication credentials.")
        given = json.loads(body) if body else None
        if given is not None:
            self.fake.api.check_body(method, "request", given)
        self.fake.happen(short)
        fault = self.fake.faults.take(short, path)
        if fault is not None and fault.status:
            raise Refused(fault.status, fault.reason or "backendError", fault.message, fault.headers)
        with self.fake.lock:
            answer = getattr(self, "_" + short.replace(".", "_"))(found, query, given)
        self.fake.api.check_body(method, "response", answer)
        if fault is not None and fault.lost:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self._send(200, answer, {})

    def _tables_get(self, found: Mapping[str, str], *_: Any) -> dict[str, Any]:
        return self.fake.find(f"{found['projectId']}.{found['datasetId']}.{found['tableId']}").resource()

    def _routines_get(self, found: Mapping[str, str], *_: Any) -> dict[str, Any]:
        name = f"{found['projectId']}.{found['datasetId']}.{found['routineId']}"
        if name not in self.fake.routines:
            raise Refused(404, "notFound", f"Not found: Routine {name}")
        return self.fake.routines[name]

    def _jobs_insert(self, found: Mapping[str, str], _: Any, given: Any) -> dict[str, Any]:
        project, wanted = found["projectId"], given["configuration"]["query"]
        if wanted.get("useLegacySql", True):
            raise Refused(400, "invalidQuery", "the fake knows no legacy SQL")
        reference = {"location": "US", **given["jobReference"]}
        if reference["jobId"] in self.fake.jobs:
            raise Refused(409, "duplicate", f"Already Exists: Job {project}:US.{reference['jobId']}")
        kind = statement(wanted["query"])
        result, read = self.fake.run(project, wanted["query"]) if kind == "SELECT" else (pa.table({}), Read())
        size = sum(self.fake.tables[name].content.nbytes for name in read.tables)
        statistics = {
            "creationTime": str(self.fake.clock.now() // 1000),
            "totalBytesProcessed": str(size),
            "query": {
                "statementType": kind,
                "totalBytesProcessed": str(size),
                "schema": {"fields": [described(column) for column in result.schema]},
                "referencedTables": [_reference(name) for name in sorted(read.tables)],
                "referencedLogicalViews": [_reference(name) for name in sorted(read.views)],
                "referencedRoutines": [_reference(name, "routineId") for name in sorted(read.routines)],
            },
        }
        resource: dict[str, Any] = {
            "kind": "bigquery#job", "id": f"{project}:US.{reference['jobId']}", "jobReference": reference,
            "configuration": {**given["configuration"], "jobType": "QUERY"}, "statistics": statistics,
            "status": {"state": "DONE"},
        }  # fmt: skip
        if given["configuration"].get("dryRun"):
            return resource
        if kind != "SELECT":
            raise AssertionError(f"a datasource ran {wanted['query']}")
        self.fake.queries.append(wanted["query"])
        if size > int(wanted.get("maximumBytesBilled", size)):
            said = f"Query exceeded limit for bytes billed: {wanted['maximumBytesBilled']}. {size} or higher required."
            resource["status"]["errorResult"] = {"reason": "bytesBilledLimitExceeded", "message": said}
        place = f"{project}._anon.anon{next(self.fake.numbers)}"
        self.fake.put(place, result)
        resource["configuration"]["query"] = {**wanted, "destinationTable": _reference(place)}
        self.fake.jobs[reference["jobId"]] = Job(resource, result, self.fake.slow)
        return {**resource, "status": {"state": "RUNNING"}}

    def _job(self, found: Mapping[str, str], query: Mapping[str, str]) -> Job:
        job = self.fake.jobs.get(found["jobId"])
        if job is None or query.get("location") != job.resource["jobReference"]["location"]:
            raise Refused(404, "notFound", f"Not found: Job {found['projectId']}:{found['jobId']}")
        return job

    def _jobs_get(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> dict[str, Any]:
        return self._job(found, query).resource

    def _jobs_cancel(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> dict[str, Any]:
        return {"kind": "bigquery#jobCancelResponse", "job": self._job(found, query).resource}

    def _jobs_getQueryResults(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> dict[str, Any]:  # noqa: N802
        job = self._job(found, query)
        failed = job.resource["status"].get("errorResult")
        if failed:
            raise Refused(400, failed["reason"], failed["message"])
        answer: dict[str, Any] = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job.resource["jobReference"],
        }
        if job.polls:
            job.polls -= 1
            return {**answer, "jobComplete": False}
        begin, most = int(query.get("pageToken", "0")), int(query.get("maxResults", "100000"))
        rows = job.result.slice(begin, most).to_pylist()
        if most and begin + most < job.result.num_rows:
            answer["pageToken"] = str(begin + most)
        cells = [{"f": [{"v": None if v is None else str(v)} for v in row.values()]} for row in rows]
        fields = [described(column) for column in job.result.schema]
        total = str(job.result.num_rows)
        return {**answer, "jobComplete": True, "totalRows": total, "schema": {"fields": fields}, "rows": cells}

    def _send(self, status: int, value: Any, headers: Mapping[str, str]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, said in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _reference(name: str, last: str = "tableId") -> dict[str, str]:
    project, dataset, table = name.rsplit(".", 2)
    return {"projectId": project, "datasetId": dataset, last: table}


@dataclass(frozen=True)
class Running:
    """A fake that is served."""

    fake: FakeBigQuery
    endpoint: str
    read_endpoint: str


@contextmanager
def serving(certificates: Certificates | None = None) -> Iterator[Running]:
    """Serve a fake on free ports of loopback; over TLS with certificates."""
    fake = FakeBigQuery()
    with loopback(Handler, fake, certificates) as endpoint:
        reads, port = serve(Reads(fake), certificates)
        try:
            yield Running(fake, endpoint, f"{endpoint.partition('://')[0]}://127.0.0.1:{port}")
        finally:
            reads.stop(None).wait()
