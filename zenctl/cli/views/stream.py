"""Writes `-json` output: one object a line in Terraform's envelope, which tools that read Terraform's can follow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TextIO

from zenctl import __version__
from zenctl.addrs import Address, AddressError, parse
from zenctl.cli.views import machines as machines_view
from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.plan import headline, summary_line
from zenctl.cli.views.progress import machine_line
from zenctl.diagnostics import Diagnostic
from zenctl.engine.events import (
    ChangeEnded,
    ChangeFailed,
    ChangeLog,
    ChangeProgress,
    ChangeSkipped,
    ChangeStarted,
    Event,
    MachineChanged,
    Notice,
    RefreshEnded,
    RefreshStarted,
)
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change, Plan
from zenctl.plans.planjson import TERRAFORM_VERSION, address_json, diagnostic_json, plan_document, value_type

UI_VERSION = "1.2"
"""Version of the events, Terraform's own: a minor one adds types and keys, which readers must skip if unknown."""

_REASONS = {
    "replace_by_request": "requested",
    "replace_by_triggers": "replace_triggered_by",
    "replace_because_cannot_update": "cannot_update",
}
"""What the stream calls an `action_reason` of the plan document; the others have one name in both."""

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
    """Writes events as they happen; safe to call from several threads. The first line is `version`.

    `clock` gives seconds, for the time that has passed since a change began.
    """

    def __init__(
        self,
        out: TextIO,
        sources: Sources | None = None,
        now: Callable[[], str] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._sources = sources or Sources()
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._told: set[Diagnostic] = set()
        self._planned: dict[str, str] = {}
        self._began: dict[str, tuple[ChangeStarted, float]] = {}

    def version(self) -> None:
        """The first line of every stream."""
        payload = {"zenctl": __version__, "terraform": TERRAFORM_VERSION, "ui": UI_VERSION}
        self.write("version", f"zenctl {__version__}", payload)

    def expect(self, plan: Plan) -> None:
        """Take the words for what apply does from its plan: `create` what was never there, `update` the rest."""
        for item in plan_document(plan)["resource_changes"]:
            self._planned[item["address"]] = _word(item["change"]["actions"])

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
        """The drift, a `planned_change` for each change, the `change_summary`, and the outputs."""
        document = plan_document(plan)
        for change, item in zip(plan.drift, document["resource_drift"], strict=True):
            word = _word(item["change"]["actions"])
            payload = {
                "resource": address_json(change.addr),
                "action": word,
                "stale_because": item["stale_because"],
            }
            self.write("resource_drift", f"{change.address}: Drift detected ({word})", {"change": payload})
        for change, item in zip(plan.changes, document["resource_changes"], strict=True):
            if not change.is_noop:
                self.write("planned_change", headline(item), {"change": _planned_change(change, item)})
        for machines in document["machines"]:
            message = f"{machines_view.addresses(machines)}: {machines_view.line(machines)}"
            self.write("planned_machines", message, {"machines": machines})
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
            "import": 0,
            "operation": operation,
            "zenctl": document["zenctl_summary"],
        }
        self.write("change_summary", message, {"changes": changes})

    def event(self, event: Event) -> None:
        """An event of the engine."""
        if isinstance(event, Notice):
            self.write("log", event.text, dict(event.data))
            return
        if isinstance(event, MachineChanged):
            self.write("machine", machine_line(event), {"machine": _machine(event)})
            return
        type, message, hook, level = _HOOKS[event.__class__](event)
        hook = {**hook, **self._timed(event)}
        self.write(type, f"{event.address}: {message}", {"hook": {"resource": _resource(event.address), **hook}}, level)
        if isinstance(event, (ChangeEnded, ChangeFailed)):
            self.diagnostics(event.diagnostics)

    def _timed(self, event: Event) -> dict[str, Any]:
        """What a hook says besides of an event, from those before it: its action and the seconds since it began."""
        address = getattr(event, "address", "")
        if isinstance(event, ChangeStarted):
            self._began[address] = event, self._clock()
        began, since = self._began.get(address, (None, 0.0))
        found: dict[str, Any] = {}
        if address in self._planned and not isinstance(event, (RefreshStarted, RefreshEnded, ChangeLog)):
            found["action"] = self._planned[address]
        if isinstance(event, ChangeProgress) and began is not None:
            found.setdefault("action", _STREAM_WORDS[began.action])
            found["elapsed_seconds"] = int(self._clock() - since)
        if isinstance(event, ChangeEnded) and began is not None and began.job_id:
            found |= {"id_key": "job_id", "id_value": began.job_id}
        return found


def _planned_change(change: Change, item: Mapping[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = {"resource": address_json(change.addr)}
    if change.moved_from:
        payload["previous_resource"] = _resource(change.moved_from)
    moved = change.action is Action.NO_OP and change.moved_from
    payload["action"] = "move" if moved else _word(item["change"]["actions"])
    why = item.get("action_reason", "")
    if why:
        payload["reason"] = _REASONS.get(why, why)
    return {**payload, "zenctl_action": change.action.value, "stale_because": item["stale_because"]}


Hook = tuple[str, str, dict[str, Any], str]


def _started(event: ChangeStarted) -> Hook:
    hook = {"action": _STREAM_WORDS[event.action], "zenctl_action": event.action.value, "job_id": event.job_id}
    if event.job_id:
        hook |= {"id_key": "job_id", "id_value": event.job_id}
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
        "elapsed_seconds": int(event.seconds),
        "seconds": round(event.seconds, 3),
    }
    return "apply_complete", f"{event.outcome.replace('_', ' ')} after {event.seconds:.1f}s", hook, "info"


def _failed(event: ChangeFailed) -> Hook:
    hook = {
        "action": _STREAM_WORDS[event.action],
        "zenctl_action": event.action.value,
        "canceled": event.canceled,
        "elapsed_seconds": int(event.seconds),
        "seconds": round(event.seconds, 3),
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


def _machine(event: MachineChanged) -> dict[str, Any]:
    return {
        "address": event.address,
        "name": event.told.name,
        "change": event.told.change.value,
        "machine_type": event.told.machine_type,
        "location": event.told.location,
        "reason": event.told.reason,
        "elapsed_seconds": int(event.seconds),
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
    if output["after_unknown"] or output["after_sensitive"]:
        return shown
    return {**shown, "type": value_type(output["after"]), "value": output["after"]}


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
