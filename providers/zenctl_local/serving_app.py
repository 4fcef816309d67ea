"""The HTTP side of a served model: TensorFlow Serving's REST API, readiness, and the change of the model."""

from __future__ import annotations

import hmac
import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zenctl.diagnostics import did_you_mean
from zenctl_local.serving_model import LoadedModel, UnreadableModel, load_model
from zenctl_local.serving_tensors import BadRequest, predict

MAX_BODY = 64 * 2**20
"""The largest body that is read, in bytes."""

TOKEN_HEADER = "x-zenctl-token"  # noqa: S105 - the header's name
"""Carries the token of the server's state file; without the right one the model cannot be changed."""


class Served:
    """The model that answers now, and the one that is being loaded to follow it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model: LoadedModel | None = None
        self.loading: int | None = 1
        self._changing = threading.Lock()

    def load(self, folder: Path, digest: str) -> LoadedModel:
        """Load a model, then let it answer; the one before answers until then. Raises UnreadableModel."""
        with self._changing:
            if self.model is not None and self.model.digest == digest:
                return self.model
            version = self.model.version + 1 if self.model else 1
            self.loading = version
            try:
                model = load_model(folder, digest, version)
                self.model = model
                return model
            finally:
                self.loading = None


def build_app(served: Served, models: Path, token: str = "", max_body: int = MAX_BODY) -> Starlette:
    """The application. Models to change to are read below `models` only; an empty token forbids changes."""
    return Starlette(
        routes=_Routes(served, models, token, max_body).routes(),
        exception_handlers={Exception: _failed, HTTPException: _refused},
    )


class _Routes:
    def __init__(self, served: Served, models: Path, token: str, max_body: int) -> None:
        self._served = served
        self._models = models
        self._token = token
        self._max_body = max_body

    def routes(self) -> list[Route]:
        one = "/v1/models/{name}"
        version = one + "/versions/{version:int}"
        found = [Route("/healthz", self.health), Route("/-/model", self.change, methods=["POST"])]
        for prefix in (version, one):
            found.append(Route(f"{prefix}/metadata", self.metadata))
            found.append(Route(f"{prefix}:predict", self.predict, methods=["GET", "POST"]))
            found.append(Route(f"{prefix}:{{verb}}", self.other_verb, methods=["GET", "POST"]))
        # After the verbs, which a bare name would match too.
        return [*found, Route(f"{one}/versions", self.status), Route(version, self.status), Route(one, self.status)]

    async def health(self, _: Request) -> Response:
        model = self._served.model
        facts = {"name": self._served.name, "pid": os.getpid(), "loading": self._served.loading is not None}
        if model is None:
            return JSONResponse({"ready": False, "model_digest": None, **facts}, 503)
        return JSONResponse({"ready": True, "model_digest": model.digest, **facts})

    async def status(self, request: Request) -> Response:
        self._check_name(request)
        model, loading = self._served.model, self._served.loading
        versions = {model.version: "AVAILABLE"} if model else {}
        if loading is not None:
            versions.setdefault(loading, "LOADING")
        if "version" in request.path_params:
            wanted = request.path_params["version"]
            versions = {wanted: versions[wanted]} if wanted in versions else {}
        if not versions:
            raise self._no_version(request)
        fine = {"error_code": "OK", "error_message": ""}
        states = [
            {"version": str(v), "state": state, "status": fine} for v, state in sorted(versions.items(), reverse=True)
        ]
        return JSONResponse({"model_version_status": states})

    async def metadata(self, request: Request) -> Response:
        model = self._ready(request)
        signatures = {name: _signature(info) for name, info in model.signatures.items()}
        spec = {"name": self._served.name, "signature_name": "", "version": str(model.version)}
        return JSONResponse({"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}})

    async def predict(self, request: Request) -> Response:
        if request.method != "POST":
            raise HTTPException(405, ":predict takes a POST with a JSON body", {"Allow": "POST"})
        model = self._ready(request)
        body = await self._body(request)
        # In a thread: readiness is to be answered while TensorFlow computes.
        return await run_in_threadpool(_predict, model, body)

    async def other_verb(self, request: Request) -> Response:
        self._check_name(request)
        verb = request.path_params["verb"]
        if verb in ("classify", "regress"):
            said = (
                f"Expected a signature of method tensorflow/serving/{verb}; this model's are tensorflow/serving/predict"
            )
            raise HTTPException(400, f"{said}: ask with :predict.")
        hint = did_you_mean(verb, ("predict",)) or " A model takes :predict."
        raise HTTPException(404, f'There is no method "{verb}".{hint}')

    async def change(self, request: Request) -> Response:
        given = request.headers.get(TOKEN_HEADER, "")
        if not self._token or not hmac.compare_digest(given.encode(), self._token.encode()):
            raise HTTPException(403, "the token is missing or wrong")
        try:
            wanted = json.loads(await self._body(request))
            digest = str(wanted["model_digest"])
        except (ValueError, KeyError, TypeError) as error:
            raise HTTPException(400, 'the body must be {"model_digest": "..."}') from error
        if not digest.isalnum():
            raise HTTPException(400, "model_digest must be a digest")
        try:
            await run_in_threadpool(self._served.load, self._models / digest, digest)
        except UnreadableModel as error:
            raise HTTPException(422, str(error)) from error
        return await self.health(request)

    def _check_name(self, request: Request) -> None:
        name = request.path_params["name"]
        if name != self._served.name:
            hint = did_you_mean(name, [self._served.name]) or f' This server serves "{self._served.name}".'
            raise HTTPException(404, f'No model "{name}" is served here.{hint}')

    def _ready(self, request: Request) -> LoadedModel:
        self._check_name(request)
        model = self._served.model
        if model is None:
            raise HTTPException(503, f'The model "{self._served.name}" is still being loaded; ask again soon.')
        if request.path_params.get("version", model.version) != model.version:
            raise self._no_version(request)
        return model

    def _no_version(self, request: Request) -> HTTPException:
        version = request.path_params.get("version", 1)
        now = f" It serves version {self._served.model.version}." if self._served.model else ""
        return HTTPException(404, f'The model "{self._served.name}" has no version {version} here.{now}')

    async def _body(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._max_body:
                raise HTTPException(413, f"the body is larger than {self._max_body} bytes: send fewer rows a request")
            chunks.append(chunk)
        return b"".join(chunks)


def _predict(model: LoadedModel, text: bytes) -> Response:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        return JSONResponse({"error": f"the body is not JSON: {error}"}, 400)
    try:
        return JSONResponse(predict(model, body))
    except BadRequest as error:
        return JSONResponse({"error": str(error)}, 400)


def _signature(info: Any) -> dict[str, Any]:
    """A signature as TensorFlow's SignatureDef is written in JSON."""

    def tensors(specs: Any) -> dict[str, Any]:
        return {name: _tensor(name, **asdict(spec)) for name, spec in specs.items()}

    return {
        "inputs": tensors(info.inputs),
        "outputs": tensors(info.outputs),
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def _tensor(name: str, dtype: str, shape: tuple[int | None, ...] | None) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in shape or ()]
    kind = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}.get(dtype, f"DT_{dtype.upper()}")
    return {"name": name, "dtype": kind, "tensor_shape": {"dim": sizes, "unknown_rank": shape is None}}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = error.detail
    if said == "Not Found":
        # The framework's own words for a path that has no route.
        said = f"Malformed request: {request.method} {request.url.path}"
    return JSONResponse({"error": said}, error.status_code, headers=error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{type(error).__name__} in the server; its log has the details"}, 500)
