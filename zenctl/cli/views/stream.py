"""Writes `-json` output: one object a line in Terraform's envelope, which tools that read Terraform's can follow."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TextIO

from zenctl import __version__
from zenctl.addrs import Address, AddressError, parse
from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.plan import headline, summary_line
from zenctl.diagnostics import Diagnostic
from zenctl.engine.events import (
    ChangeEnded,
    ChangeFailed,
    ChangeLog,
    ChangeProgress,
    ChangeSkipped,
    ChangeStarted,
    Event,
    Notice,
    RefreshEnded,
    RefreshStarted,
)
from zenctl.plans.actions import Action
from zenctl.plans.plan import Plan
from zenctl.plans.planjson import address_json, diagnostic_json, plan_document

UI_VERSION = "1.0"
"""Version of the events: a minor one adds types and keys, which readers must skip if unknown."""

_STREAM_WORDS = {
    Action.RUN: "update",
    Action.MAY_RUN: "update",
    Action.REUSE: "update",
    Action.FORGET: "remove",
    Action.READ: "read",
    Action.NO_OP: "noop",
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
}


def utc_now() -> str:
    """Now, as RFC 3339 in UTC with microseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


class JsonStream:
    """Writes events as they happen; safe to call from several threads. `first` is the `version` line."""

    def __init__(self, out: TextIO, sources: Sources | None = None, now: Callable[[], str] = utc_now) -> None:
        self._out = out
        self._sources = sources or Sources()
        self._now = now
        self._lock = threading.Lock()
        self._told: set[Diagnostic] = set()

    def version(self) -> None:
        """The first line of every stream."""
        self.write("version", f"zenctl {__version__}", {"zenctl": __version__, "ui": UI_VERSION})

    def write(self, type: str, message: str, payload: Mapping[str, Any], level: str = "info") -> None:
        """One line."""
        envelope = {"@level": level, "@message": message, "@module": "zenctl.ui", "@timestamp": self._now()}
        line = json.dumps({**envelope, "type": type, **payload}, ensure_ascii=False, default=str)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def diagnostics(self, diagnostics: Sequence[Diagnostic], sources: Sources | None = None) -> None:
        """One line each, warnings first; none is written twice in a stream."""
        sources = sources or self._sources
        for diagnostic in sorted(dict.fromkeys(diagnostics), key=lambda d: d.is_error):
            if diagnostic in self._told:
                continue
            self._told.add(diagnostic)
            text = sources.text(diagnostic.range.filename) if diagnostic.range else None
            level = "error" if diagnostic.is_error else "warn"
            message = f"{'Error' if diagnostic.is_error else 'Warning'}: {diagnostic.summary}"
            self.write("diagnostic", message, {"diagnostic": diagnostic_json(diagnostic, text)}, level)

    def plan(self, plan: Plan) -> None:
        """A `planned_change` for each change, the `change_summary`, and the outputs."""
        document = plan_document(plan)
        for change, item in zip(plan.changes, document["resource_changes"], strict=True):
            if change.is_noop:
                continue
            payload = {
                "resource": address_json(change.addr),
                "action": _word(item["change"]["actions"]),
                "zenctl_action": change.action.value,
                "stale_because": item["stale_because"],
            }
            self.write("planned_change", headline(item), {"change": payload})
        self.summary("destroy" if plan.destroy else "plan", summary_line(document["zenctl_summary"]), document)
        if plan.outputs:
            outputs = {name: _output_change(output) for name, output in document["output_changes"].items()}
            self.write("outputs", f"Outputs: {len(outputs)}", {"outputs": outputs})

    def summary(self, operation: str, message: str, document: Mapping[str, Any]) -> None:
        """The `change_summary` of a plan document. A replacement counts as added and removed, as in Terraform."""
        actions = [action for item in document["resource_changes"] for action in item["change"]["actions"]]
        changes = {
            "add": actions.count("create"),
            "change": actions.count("update"),
            "remove": actions.count("delete"),
            "operation": operation,
            "zenctl": document["zenctl_summary"],
        }
        self.write("change_summary", message, {"changes": changes})

    def event(self, event: Event) -> None:
        """An event of the engine."""
        if isinstance(event, Notice):
            self.write("log", event.text, dict(event.data))
            return
        type, message, hook, level = _HOOKS[event.__class__](event)
        self.write(type, f"{event.address}: {message}", {"hook": {"resource": _resource(event.address), **hook}}, level)
        if isinstance(event, ChangeFailed):
            self.diagnostics(event.diagnostics)


Hook = tuple[str, str, dict[str, Any], str]


def _started(event: ChangeStarted) -> Hook:
    hook = {"action": _STREAM_WORDS[event.action], "zenctl_action": event.action.value, "job_id": event.job_id}
    return "apply_start", "started", hook, "info"


def _progress(event: ChangeProgress) -> Hook:
    total = f" of {event.total:g}" if event.total else ""
    hook = {"done": event.done, "total": event.total, "unit": event.unit}
    return "apply_progress", f"{event.done:g}{total} {event.unit}", hook, "info"


def _log(event: ChangeLog) -> Hook:
    return "apply_log", event.text.rstrip("\n"), {"output": event.text}, "info"


def _ended(event: ChangeEnded) -> Hook:
    hook = {
        "action": _STREAM_WORDS[event.action],
        "zenctl_action": event.action.value,
        "outcome": event.outcome,
        "note": event.note,
        "elapsed_seconds": round(event.seconds, 3),
    }
    return "apply_complete", f"{event.outcome.replace('_', ' ')} after {event.seconds:.1f}s", hook, "info"


def _failed(event: ChangeFailed) -> Hook:
    hook = {
        "action": _STREAM_WORDS[event.action],
        "zenctl_action": event.action.value,
        "canceled": event.canceled,
        "elapsed_seconds": round(event.seconds, 3),
    }
    word = "canceled" if event.canceled else "failed"
    return "apply_errored", f"{word} after {event.seconds:.1f}s", hook, "error"


def _skipped(event: ChangeSkipped) -> Hook:
    hook = {"action": _STREAM_WORDS[event.action], "zenctl_action": event.action.value, "because": event.because}
    reason = f"skipped, because {event.because} has no result" if event.because else "skipped, because of the interrupt"
    return "apply_skipped", reason, hook, "warn"


def _refresh_started(_event: RefreshStarted) -> Hook:
    return "refresh_start", "checking", {}, "info"


def _refresh_ended(event: RefreshEnded) -> Hook:
    return "refresh_complete", event.note or "checked", {"note": event.note}, "info"


_HOOKS: Mapping[type, Callable[[Any], Hook]] = {
    ChangeStarted: _started,
    ChangeProgress: _progress,
    ChangeLog: _log,
    ChangeEnded: _ended,
    ChangeFailed: _failed,
    ChangeSkipped: _skipped,
    RefreshStarted: _refresh_started,
    RefreshEnded: _refresh_ended,
}


def _word(actions: Sequence[str]) -> str:
    return "replace" if len(actions) > 1 else {"forget": "remove", "no-op": "noop"}.get(actions[0], actions[0])


def _resource(address: str) -> dict[str, Any]:
    try:
        parsed: Address = parse(address)
    except AddressError:
        return {"addr": address}
    return address_json(parsed)


def _output_change(output: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"sensitive": output["after_sensitive"], "action": _word(output["actions"])}
    return shown if output["after_unknown"] or output["after_sensitive"] else {**shown, "value": output["after"]}


class JsonProgress:
    """An apply's view that writes its events into a stream."""

    def __init__(self, stream: JsonStream) -> None:
        self._stream = stream
        self._said: list[str] = []

    def __enter__(self) -> JsonProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        while self._said:
            self._stream.write("log", self._said.pop(0).strip(), {}, "warn")

    def say(self, text: str) -> None:
        """Kept until the next event: a signal handler must not wait for the stream's lock."""
        self._said.append(text)

    def __call__(self, event: Event) -> None:
        self.__exit__()
        self._stream.event(event)
