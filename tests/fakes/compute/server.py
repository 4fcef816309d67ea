"""The REST interface of a fake Compute Engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.compute.cloud import FakeCompute, Instance, Operation, Refused
from tests.fakes.compute.filters import matches
from tests.fakes.loopback import JsonHandler, loopback


class Handler(JsonHandler):
    """Answers one connection."""

    fake: FakeCompute

    def do(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._method(parts.path, query, body)
        except Refused as refused:
            error = {"domain": "global", "reason": refused.reason, "message": str(refused)}
            answer = {"error": {"code": refused.status, "message": str(refused), "errors": [error]}}
            self._send(refused.status, answer, refused.headers)

    do_GET = do_POST = do_DELETE = do  # noqa: N815 - the server's names

    def _method(self, path: str, query: dict[str, str], body: bytes) -> None:
        fake = self.fake
        matched = fake.api.match(self.command, path)
        if matched is None:
            fake.problems.append(f"{self.command} {path} is no method of the API")
            raise Refused(404, "notFound", "Not Found")
        method, found = matched
        short = method.id.removeprefix("compute.")
        fake.seen.append(short)
        # Its own clients ask in this way for enumerations as numbers, and get texts.
        fake.api.check_query(method, {name: value for name, value in query.items() if name != "$alt"})
        wanted = json.loads(body) if body else None
        faults = [*fake.api.faults_of_path(method, found), *fake.api.faults_of_body(method, "request", wanted)]
        if faults:
            fake.problems.extend(faults)
            raise Refused(400, "invalid", f"Invalid value: {faults[0]}")
        fault = fake.faults.take(short, path)
        if fault is not None and fault.status:
            raise Refused(fault.status, fault.reason or "backendError", fault.message, fault.headers)
        answer = getattr(self, "_" + short.replace(".", "_"))(found, query, wanted)
        fake.api.check_body(method, "response", answer)
        if fault is not None and fault.lost:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self._send(200, answer, {})

    def _instances_insert(self, found: Mapping[str, str], query: Mapping[str, str], wanted: Any) -> Any:
        made = self.fake.insert(found["project"], found["zone"], wanted, query.get("requestId", ""))
        return self._operation(made)

    def _instances_delete(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> Any:
        return self._operation(self.fake.delete(found["zone"], found["instance"], query.get("requestId", "")))

    def _instances_stop(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> Any:
        return self._operation(self.fake.stop(found["zone"], found["instance"], query.get("requestId", "")))

    def _instances_get(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> Any:
        with self.fake.lock:
            instance = self._instance(found)
            described = self._described(instance)
            self.fake.look(found["zone"])
            return described

    def _instances_list(self, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> Any:
        listed = self._listed([found["zone"]], query)
        return {"kind": "compute#instanceList", "id": "list", "items": listed}

    def _instances_aggregatedList(  # noqa: N802 - the API's name
        self, found: Mapping[str, str], query: Mapping[str, str], _: Any
    ) -> Any:
        items: dict[str, Any] = {}
        for zone in self.fake.zones:
            listed = self._listed([zone], query)
            nothing = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for scope."}}
            items[f"zones/{zone}"] = {"instances": listed} if listed else nothing
        return {"kind": "compute#instanceAggregatedList", "id": "list", "items": items}

    def _instances_getSerialPortOutput(  # noqa: N802 - the API's name
        self, found: Mapping[str, str], query: Mapping[str, str], _: Any
    ) -> Any:
        start = int(query.get("start", "0"))
        with self.fake.lock:
            data = self._instance(found).guest.serial[start:]
        kind = "compute#serialPortOutput"
        text = data.decode("utf-8", "replace")
        return {"kind": kind, "contents": text, "start": str(start), "next": str(start + len(data))}

    def _zoneOperations_get(  # noqa: N802 - the API's name
        self, found: Mapping[str, str], query: Mapping[str, str], _: Any
    ) -> Any:
        with self.fake.lock:
            operation = self.fake.operations.get(found["operation"])
            if operation is None or operation.is_lost:
                raise Refused(404, "notFound", f"The resource '{found['operation']}' was not found")
            self.fake.look(found["zone"])
            return self._operation(operation)

    _zoneOperations_wait = _zoneOperations_get  # noqa: N815 - the API's name

    def _zoneOperations_list(  # noqa: N802 - the API's name
        self, found: Mapping[str, str], query: Mapping[str, str], _: Any
    ) -> Any:
        with self.fake.lock:
            listed = [self._operation(o) for o in self.fake.operations.values() if o.target.zone == found["zone"]]
        return {"kind": "compute#operationList", "id": "list", "items": self._filtered(listed, query)}

    def _instance(self, found: Mapping[str, str]) -> Instance:
        return self.fake.get(found["zone"], found["instance"], found["project"])

    def _listed(self, zones: list[str], query: Mapping[str, str]) -> list[Any]:
        with self.fake.lock:
            all_ = [self._described(i) for i in self.fake.instances.values() if i.zone in zones]
            for zone in zones:
                self.fake.look(zone)
        return self._filtered(all_, query)

    def _filtered(self, listed: list[Any], query: Mapping[str, str]) -> list[Any]:
        try:
            return [value for value in listed if matches(query.get("filter", ""), value)]
        except ValueError as problem:
            self.fake.problems.append(str(problem))
            raise Refused(400, "invalid", f"Invalid value for field 'filter': {problem}") from problem

    def _described(self, instance: Instance) -> dict[str, Any]:
        return {
            **instance.wanted, "kind": "compute#instance", "id": instance.id, "status": instance.status,
            "creationTimestamp": instance.made, "selfLink": self._link(instance.path),
            "zone": self._link(f"projects/{instance.project}/zones/{instance.zone}"),
        }  # fmt: skip

    def _operation(self, operation: Operation) -> dict[str, Any]:
        target = operation.target
        done = operation.status == "DONE"
        described = {
            "kind": "compute#operation", "id": operation.id, "name": operation.name, "operationType": operation.type,
            "status": operation.status, "progress": 100 if done else 0, "targetId": target.id,
            "targetLink": self._link(target.path), "insertTime": target.made,
            "zone": self._link(f"projects/{target.project}/zones/{target.zone}"),
            "selfLink": self._link(f"projects/{target.project}/zones/{target.zone}/operations/{operation.name}"),
        }  # fmt: skip
        if done and operation.error is not None:
            code, message, status = operation.error
            described["error"] = {"errors": [{"code": code, "message": message}]}
            described["httpErrorStatusCode"] = status
            described["httpErrorMessage"] = {403: "FORBIDDEN", 503: "SERVICE UNAVAILABLE"}[status]
        return described

    def _link(self, path: str) -> str:
        return f"https://www.googleapis.com/compute/v1/{path}"


@dataclass(frozen=True)
class Running:
    """A fake that is served."""

    fake: FakeCompute
    endpoint: str


@contextmanager
def serving() -> Iterator[Running]:
    """Serve a fake on a free port of loopback; its machines are switched off in the end."""
    fake = FakeCompute()
    with loopback(Handler, fake) as endpoint:
        try:
            yield Running(fake, endpoint)
        finally:
            fake.close()
