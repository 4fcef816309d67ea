"""Asks a model server how it is and tells it to change its model; standard library only, as plan uses it."""

from __future__ import annotations

import http.client
import json
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl_local.server_state import ServerState

TOKEN_HEADER = "X-Zenctl-Token"  # noqa: S105 - the header's name


class NoAnswer(Exception):
    """The server does not answer, or not as a model server does; the text says how."""


class Refused(Exception):
    """The server cannot serve the model; the text says why."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a server says of itself."""

    name: str
    pid: int
    ready: bool
    model_digest: str | None


def health(state: ServerState, timeout: float) -> Health:
    """Ask the server; raises NoAnswer. `timeout` is in seconds."""
    _, said = _ask(state, "GET", "/healthz", timeout)
    return _health(said)


def change_model(state: ServerState, digest: str, timeout: float) -> Health:
    """Let the server serve the model of that digest, laid out in its folder; returns when it does.

    Raises Refused if it cannot load it, NoAnswer if it does not say so within `timeout` seconds.
    """
    status, said = _ask(state, "POST", "/-/model", timeout, {"model_digest": digest})
    if status == 422:
        raise Refused(str(said.get("error", "no reason given")))
    if status != 200:
        raise NoAnswer(f"HTTP {status}: {said.get('error', '')}")
    return _health(said)


def _ask(
    state: ServerState, method: str, path: str, timeout: float, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(state.address, state.port, timeout=timeout)
    try:
        headers = {"Content-Type": "application/json"}
        if body is not None:
            headers[TOKEN_HEADER] = state.token
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        said = json.loads(response.read(2**20))
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout:g} seconds") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if not isinstance(said, dict):
        raise NoAnswer("it is no model server")
    return response.status, said


def _health(said: dict[str, Any]) -> Health:
    try:
        digest = said["model_digest"]
        return Health(
            str(said["name"]), int(said["pid"]), said["ready"] is True, None if digest is None else str(digest)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer("it is no model server") from error
