"""Names the moments of an apply between which something becomes lasting, and kills the apply at one of them.

The moments are found by the code as it runs: before and after each write to the metadata store, each commit of an
artifact (in zenctl or in a job), each call of a backend, of a cloud's machines
and of an endpoint. They have names that are equal in every
run: WHO/WHAT#COUNT:before. ZENCTL_TEST_POINTS is a file that every moment is written to as it comes;
ZENCTL_TEST_KILL_AT is the moment at which the apply is killed with SIGKILL.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from after_import import after_import

APPLY = "ZENCTL_TEST_APPLY_PID"
"""Set by the first process, which is the apply, for those that it starts."""

JOB_ID = re.compile(r"[0-9a-f]{6}-\d+-(.+)-[0-9a-f]{8}")


class Points:
    """The moments that this process has come to."""

    def __init__(self) -> None:
        self._file = os.open(os.environ["ZENCTL_TEST_POINTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._kill_at = os.environ.get("ZENCTL_TEST_KILL_AT", "")
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.who = "job" if APPLY in os.environ else "apply"
        self.apply = int(os.environ.setdefault(APPLY, str(os.getpid())))

    def around(self, what: str, call: Callable[[], Any]) -> Any:
        """Call it, with a moment before and one after it."""
        with self._lock:
            self._counts[what] += 1
            name = f"{self.who}/{what}#{self._counts[what]}"
        self._reached(f"{name}:before")
        answer = call()
        self._reached(f"{name}:after")
        return answer

    def _reached(self, name: str) -> None:
        os.write(self._file, f"{name}\n".encode())
        if name == self._kill_at:
            os.kill(self.apply, signal.SIGKILL)
            # A job comes no further than to here: it ends with the apply.
            while True:
                signal.pause()


def install() -> None:
    """Wrap the ports in every module that holds one."""
    points = Points()
    after_import("zenctl.metadata.mlmd.store", lambda module: _metadata(points, module))
    after_import("zenctl.jobs.storage", lambda module: _artifacts(points, module))
    after_import("zenctl.jobs.stores.objects", lambda module: _stores(points, module.ObjectStorage))
    after_import("zenctl_local.compute", lambda module: _backend(points, module.LocalCompute))
    after_import("zenctl_gcp.gce", lambda module: _machines_backend(points, module.GceCompute))
    after_import("zenctl_gcp.compute_client", lambda module: _machines(points, module.ComputeClient))
    after_import("zenctl_local.endpoint", lambda module: _endpoints(points, module))
    after_import("zenctl.runner.main", lambda module: _jobs(points, module))


def _wrap(points: Points, owner: Any, name: str, label: Callable[..., str]) -> None:
    """Have each call of a function be between two moments; a label that is empty stands for none."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        what = label(*arguments, **named)
        if not what:
            return function(*arguments, **named)
        return points.around(what, lambda: function(*arguments, **named))

    setattr(owner, name, wrapped)


def _metadata(points: Points, module: Any) -> None:
    _wrap(points, module.MlmdStore, "commit", lambda _store, transition: f"metadata {_transition(transition)}")
    register = module.register

    def registered(connection: Any, table: Any) -> Any:
        ask = connection.ask
        connection.ask = lambda *given: points.around("metadata types", lambda: ask(*given))
        try:
            return register(connection, table)
        finally:
            connection.ask = ask

    module.register = registered


def _transition(transition: Any) -> str:
    """What a put does to the first execution that it writes, or else to the apply."""
    for execution in transition.executions:
        address = execution.properties.get("address", "")
        handle = " handle" if execution.id and execution.state.name == "RUNNING" else ""
        return f"{execution.properties.get('operation')} {execution.state.name}{handle} {address}"
    if any(context.type == "Apply" for context in transition.create_contexts):
        return "begin"
    return " ".join(str(context.properties.get("state", "")) for context in transition.update_contexts) or "put"


def _artifacts(points: Points, module: Any) -> None:
    _stores(points, module.FolderStorage)
    _wrap(points, module, "_link", lambda _source, _target: "artifact link")


def _stores(points: Points, owner: Any) -> None:
    _wrap(points, owner, "put", lambda _storage, path, *_, **__: _stored("artifact", path))
    _wrap(points, owner, "delete", lambda _storage, path: _stored("artifact delete", path))


def _stored(what: str, path: str) -> str:
    """The kind of object, and the job that it is of; empty for pieces of a log: how many there are, time decides."""
    parts = path.split("/")
    if parts[0] == "queues":
        job, _, kind = parts[2].rpartition(".")
        return f"{what} {_job(job)} {kind}"
    if parts[0] != "jobs":
        return f"{what} {parts[0]}"
    return f"{what} {_job(parts[1])} {parts[2]}" if len(parts) == 3 else ""


def _job(job_id: str) -> str:
    found = JOB_ID.fullmatch(job_id)
    return found[1] if found else job_id


def _backend(points: Points, owner: Any) -> None:
    _wrap(points, owner, "submit", lambda _backend, request: f"backend submit {_job(request.spec.job_id)}")
    for name in ("cancel", "release"):
        _wrap(points, owner, name, lambda _backend, handle, name=name: f"backend {name} {_job(handle['job_id'])}")
    for name in ("status", "logs"):
        _wrap(points, owner, name, _first(lambda _, handle, *__, name=name: f"backend {name} {_job(handle['job_id'])}"))


def _machines_backend(points: Points, owner: Any) -> None:
    _backend(points, owner)
    for name in ("sweep", "close"):
        _wrap(points, owner, name, lambda *_, name=name, **__: f"backend {name}")


def _machines(points: Points, owner: Any) -> None:
    """The calls of the cloud itself; machines have no name here, for it holds the number of the apply."""
    for name, what in (("create", "insert"), ("delete", "delete"), ("labeled", "list")):
        _wrap(points, owner, name, lambda *_, what=what: f"machine {what}")
    for name, what in (("problem", "operation"), ("get", "look")):
        _wrap(points, owner, name, _first(lambda *_, what=what: f"machine {what}"))


def _first(label: Callable[..., str]) -> Callable[..., str]:
    """The label of the first call alone: it is asked again and again, how often time decides."""
    seen: set[str] = set()

    def once(*given: Any) -> str:
        what = label(*given)
        if what in seen:
            return ""
        seen.add(what)
        return what

    return once


def _endpoints(points: Points, module: Any) -> None:
    owner = module.LocalEndpoints
    for name in ("read", "delete"):
        _wrap(points, owner, name, lambda _endpoints, live, name=name: f"endpoint {name} {live}")
    _wrap(points, owner, "create", lambda _endpoints, wanted: f"endpoint create {wanted.name}")
    _wrap(points, owner, "update", lambda _endpoints, prior, wanted: f"endpoint update {wanted.name}")
    _wrap(points, module, "place_model", lambda _source, _target: "endpoint model")
    _wrap(points, module, "write_state", lambda _folder, state: f"endpoint record {state.name}")


def _jobs(points: Points, module: Any) -> None:
    run = module.run

    @functools.wraps(run)
    def wrapped(storage: Any, job_id: str, *more: Any, **named: Any) -> Any:
        points.who = f"job {_job(job_id)}"
        return run(storage, job_id, *more, **named)

    module.run = wrapped
