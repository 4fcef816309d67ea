"""Holds requests and responses of a fake to Google's own description of the API: the discovery document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Method:
    """One method of the API, as the document has it."""

    id: str
    http: str
    path: re.Pattern[str]
    parameters: Mapping[str, Any]
    request: Mapping[str, Any] | None
    response: Mapping[str, Any] | None
    is_upload: bool = False


@dataclass
class Discovery:
    """An API. What does not fit it is in `problems`: a test that used it must find none."""

    document: Mapping[str, Any]
    methods: list[Method]
    problems: list[str] = field(default_factory=list)

    def match(self, http: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method of a request and what its path says; None for what the API does not have."""
        for method in self.methods:
            found = method.path.fullmatch(path)
            if found and method.http == http:
                return method, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    def check_query(self, method: Method, query: Mapping[str, str]) -> None:
        """Every parameter is one of the method's or of the API's, and of its type."""
        common = {**self.document["parameters"], "uploadType": {"type": "string"}, "upload_id": {"type": "string"}}
        for name, value in query.items():
            known = method.parameters.get(name) or common.get(name)
            if known is None:
                self.problems.append(f"{method.id}: unknown parameter {name}")
            elif known["type"] in ("integer",) or known.get("format") in ("int64", "uint32"):
                if not re.fullmatch(r"-?\d+", value):
                    self.problems.append(f"{method.id}: {name}={value!r} is no number")
            elif "enum" in known and value not in known["enum"]:
                self.problems.append(f"{method.id}: {name}={value!r} is none of {known['enum']}")

    def check_body(self, method: Method, what: str, value: Any) -> None:
        """A request's or a response's body has the fields and types of its schema."""
        self.problems += self.faults_of_body(method, what, value)

    def faults_of_body(self, method: Method, what: str, value: Any) -> list[str]:
        """What does not fit in a body; a request lacks nothing that its method requires."""
        schema = method.request if what == "request" else method.response
        if schema is None:
            return [] if value in (None, {}) else [f"{method.id}: a {what} body that the API does not have"]
        needing = method.id if what == "request" else ""
        return [f"{method.id} {what}{problem}" for problem in self._faults(schema, value, "", needing)]

    def faults_of_path(self, method: Method, found: Mapping[str, str]) -> list[str]:
        """Which parts of a path do not have the form that the API asks for."""
        return [
            f"{method.id}: {name}={value!r} does not match {pattern}"
            for name, value in found.items()
            if (pattern := method.parameters.get(name, {}).get("pattern")) and not re.fullmatch(pattern, value)
        ]

    def _faults(self, schema: Mapping[str, Any], value: Any, place: str, needing: str = "") -> Iterator[str]:
        if "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        kind = schema.get("type")
        if kind == "object":
            yield from self._object_faults(schema, value, place, needing)
        elif kind == "array":
            if not isinstance(value, list):
                yield f"{place}: not a list"
                return
            for number, item in enumerate(value):
                yield from self._faults(schema["items"], item, f"{place}[{number}]", needing)
        elif kind == "string":
            yield from _string_faults(schema, value, place)
        elif kind in ("integer", "boolean") and not isinstance(value, bool if kind == "boolean" else int):
            yield f"{place}: {value!r} is no {kind}"

    def _object_faults(self, schema: Mapping[str, Any], value: Any, place: str, needing: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{place}: not an object"
            return
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, item in value.items():
            if name in known:
                yield from self._faults(known[name], item, f"{place}.{name}", needing)
            elif others is not None:
                yield from self._faults(others, item, f"{place}.{name}", needing)
            else:
                yield f"{place}.{name}: no field of {schema.get('id')}"
        for name, described in known.items():
            if needing and needing in described.get("annotations", {}).get("required", ()) and name not in value:
                yield f"{place}.{name}: is required"


def _string_faults(schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{place}: {value!r} is no string"
    elif schema.get("format") in ("int64", "uint64") and not re.fullmatch(r"-?\d+", value):
        yield f"{place}: {value!r} is no number"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    elif "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{place}: {value!r} does not match {schema['pattern']}"


@lru_cache
def _document(name: str) -> Mapping[str, Any]:
    file = resources.files("googleapiclient.discovery_cache.documents") / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def discovery(name: str) -> Discovery:
    """The API of a name such as `storage.v1`."""
    document = _document(name)
    return Discovery(document, list(_methods(document, document.get("resources", {}))))


def _methods(document: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Method]:
    base = "/" + document["servicePath"]
    for resource in found.values():
        for method in resource.get("methods", {}).values():
            yield _method(method, base + method["path"])
            if method.get("useMediaDownloadService"):
                yield _method(method, "/download" + base + method["path"])
            for protocol in method.get("mediaUpload", {}).get("protocols", {}).values():
                yield _method(method, protocol["path"], is_upload=True)
        yield from _methods(document, resource.get("resources", {}))


def _parts(name: str, method: Mapping[str, Any]) -> str:
    pattern = method.get("parameters", {}).get(name, {}).get("pattern", "^[^/]+$")
    return f"(?P<{name}>{pattern.removeprefix('^').removesuffix('$')})"


def _method(method: Mapping[str, Any], path: str, *, is_upload: bool = False) -> Method:
    # `{+name}` is a name of several parts; how many its parameter says.
    pattern = re.sub(r"\\\{\\\+(\w+)\\\}", lambda found: _parts(found[1], method), re.escape(path))
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    return Method(
        method["id"],
        method["httpMethod"],
        re.compile(pattern),
        method.get("parameters", {}),
        method.get("request"),
        method.get("response"),
        is_upload,
    )
