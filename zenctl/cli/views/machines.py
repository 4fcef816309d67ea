"""Says in one line which machines a plan makes for its jobs, and what they cost about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from zenctl.addrs import parse
from zenctl.cli.views.style import plural, printable

Document = Mapping[str, Any]
"""An item of a plan document's `machines`, or as far as it has no jobs a pool of `backend show`."""


def sign(machines: Document) -> str:
    """The symbol of an item of `machines`."""
    return "+" if machines["certain"] else "?"


def addresses(machines: Document) -> str:
    """The backends that name the machines."""
    return ", ".join(machines["addresses"])


def line(machines: Document) -> str:
    """`1 x n1-standard-4, europe-west1-b, for 3 steps, removed afterwards (about 0.19 USD an hour)`."""
    count = machines["count"]
    open_ended = machines["scope"] == "step" and bool(machines["may_run"])
    most = "up to " if open_ended and count > 1 else ""
    made = "" if machines["certain"] else "may be made: "
    what = f"{made}{most}{count} x {kind(machines)}, {_use(machines)}"
    return printable(f"{what} ({price(machines, each=count > 1)})")


def kind(pool: Document) -> str:
    """`n1-standard-4 with 2 x nvidia-tesla-t4, spot, europe-west1-b or europe-west1-c`."""
    gpus = "".join(f" with {gpu['count']} x {gpu['type']}" for gpu in pool["accelerators"])
    spot = ", spot" if pool["spot"] else ""
    return f"{pool['machine_type']}{gpus}{spot}, {' or '.join(pool['locations'])}"


def price(pool: Document, *, each: bool = False) -> str:
    """`about 0.19 USD an hour each`, or why that is not known."""
    found = pool["price"]
    if found["per_hour"] is None:
        return f"price unknown: {found['note']}"
    amount = found["per_hour"]
    number = f"{amount:.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.2g}"
    return f"about {number} {found['currency']} an hour{' each' if each else ''}"


def basis(pools: Sequence[Document]) -> list[str]:
    """Where the prices are from, a line for each source; nothing where none is known."""
    lines = []
    for pool in pools:
        found = pool["price"]
        if found["per_hour"] is None:
            continue
        since = f" as of {found['as_of']}" if found["as_of"] else ""
        note = f", {found['note']}" if found["note"] else ""
        lines.append(printable(f"Prices are estimates: {found['source']}{since}{note}."))
    return list(dict.fromkeys(lines))


def _use(machines: Document) -> str:
    runs, may_run = machines["runs"], machines["may_run"]
    if machines["scope"] == "step":
        return f"one for each of {_jobs([*runs, *may_run])}, each removed after it"
    if not runs:
        return f"for {_jobs(may_run)} that may run, removed afterwards"
    more = f" and {_jobs(may_run)} that may run" if may_run else ""
    return f"for {_jobs(runs)}{more}, removed afterwards"


def _jobs(found: Sequence[str]) -> str:
    """`1 datasource and 2 steps`."""
    data = sum(1 for address in found if parse(address).kind == "datasource")
    parts = [(data, "datasource"), (len(found) - data, "step")]
    return " and ".join(plural(count, word) for count, word in parts if count)


def story(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What happened to the machines of a recorded run, one line each."""
    return [printable(f"{clock_time(event['at_ms'])}  {happening(event)}") for event in events]


def happening(event: Mapping[str, Any]) -> str:
    """`lost machine zenctl-1f0e (n1-standard-4, europe-west1-b): Compute Engine took it away (preempted)`."""
    where = ", ".join(part for part in (event["machine_type"], event["location"]) if part)
    machine = f"machine {event['name']}" + (f" ({where})" if where else "")
    said = {
        "creating": f"creating {machine}",
        "created": f"{machine} is up",
        "unavailable": f"no capacity for {machine}",
        "lost": f"lost {machine}",
        "deleted": f"deleting {machine}",
    }[event["change"]]
    return f"{said}: {event['reason']}" if event["reason"] else said


def clock_time(ms: int) -> str:
    """`12:05:33 UTC`."""
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%H:%M:%S UTC")
