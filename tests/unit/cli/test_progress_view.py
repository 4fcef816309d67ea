"""What is seen of an apply while it runs, and how it is summed up."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import jsonschema
import pytest

from zenctl.cli import schemas
from zenctl.cli.terminal import Terminal
from zenctl.cli.views import outcome as outcome_view
from zenctl.cli.views.live import LiveProgress
from zenctl.cli.views.progress import PlainProgress, line_of
from zenctl.cli.views.stream import JsonProgress, JsonStream
from zenctl.cli.views.style import Style, duration, size
from zenctl.diagnostics import error, warning
from zenctl.engine.events import (
    ChangeEnded,
    ChangeFailed,
    ChangeLog,
    ChangeProgress,
    ChangeSkipped,
    ChangeStarted,
    MachineChanged,
    Notice,
    RefreshEnded,
    RefreshStarted,
)
from zenctl.engine.requests import ApplyOutcome
from zenctl.plans.actions import Action
from zenctl.provider import MachineChange, MachineEvent

TRAIN, DATA = "step.train.penguins", "datasource.csv.penguins"

EVENTS = [
    RefreshStarted(DATA),
    RefreshEnded(DATA, "345 rows"),
    ChangeStarted(TRAIN, Action.RUN, "job-1"),
    ChangeProgress(TRAIN, 3, 10, "epochs"),
    ChangeLog(TRAIN, "epoch 3\n"),
    ChangeEnded(TRAIN, Action.RUN, "ran", 4.2, "accuracy 0.98"),
    ChangeEnded("step.split.penguins", Action.MAY_RUN, "cut_off", 0.0),
    ChangeFailed("step.python.fit", Action.RUN, 1.0, (error("user_error", "ValueError: no"),)),
    ChangeSkipped("step.evaluate.penguins", Action.MAY_RUN, "step.python.fit"),
    ChangeSkipped("step.predict.penguins", Action.RUN, ""),
    Notice("waiting for the lock"),
]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def screen(**options):
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO(), **options)


def test_plain_lines(golden):
    terminal = screen()
    with PlainProgress(terminal, Clock(), background=False) as progress:
        for event in EVENTS:
            progress(event)
    golden("progress.txt", terminal.out.getvalue())


def test_warnings_of_a_step_are_counted_where_it_ended():
    said = (warning("step_warning", "few rows"), warning("step_warning", "no label"))
    ended = ChangeEnded(TRAIN, Action.RUN, "ran", 4.2, "accuracy 0.98", said)
    assert line_of(ended, screen().style) == f"{TRAIN}: ran in 4.2s [accuracy 0.98] (2 warnings)"
    assert line_of(replace(ended, note="", diagnostics=said[:1]), screen().style).endswith("4.2s (1 warning)")


def test_a_sign_of_life_every_ten_seconds():
    terminal, clock = screen(), Clock()
    progress = PlainProgress(terminal, clock, background=False)
    progress(ChangeStarted(TRAIN, Action.RUN))
    said = []
    for _ in range(35):
        clock.now += 1
        if clock.now == 115:
            progress(ChangeProgress(TRAIN, 3, 10, "epochs"))
        before = len(terminal.out.getvalue())
        progress.tick()
        said += terminal.out.getvalue()[before:].splitlines()
    assert said == [
        f"{TRAIN}: still running, 10s elapsed",
        f"{TRAIN}: still running, 20s elapsed, 3 of 10 epochs",
        f"{TRAIN}: still running, 30s elapsed, 3 of 10 epochs",
    ]
    progress(ChangeEnded(TRAIN, Action.RUN, "ran", 35))
    clock.now += 100
    before = terminal.out.getvalue()
    progress.tick()
    assert terminal.out.getvalue() == before


def test_a_slow_look_at_data_is_said_once():
    terminal, clock = screen(), Clock()
    progress = PlainProgress(terminal, clock, background=False)
    progress(RefreshStarted(DATA))
    progress.tick()
    assert terminal.out.getvalue() == ""
    clock.now += 5
    progress.tick()
    progress.tick()
    assert terminal.out.getvalue() == f"{DATA}: checking ...\n"


@pytest.mark.parametrize("view", [PlainProgress, LiveProgress])
def test_what_is_said_is_printed(view):
    terminal = screen()
    with view(terminal) as progress:
        progress.say("interrupted")
    assert "interrupted" in terminal.out.getvalue()


def test_live_keeps_what_ended_above_and_shows_what_runs():
    terminal, clock = screen(style=Style(True), live=True, width=100), Clock()
    progress = LiveProgress(terminal, clock)
    for event in EVENTS[:4]:
        progress(event)
    clock.now += 12
    drawn = progress._draw()
    console = progress._console
    with console.capture() as captured:
        console.print(drawn)
    assert TRAIN in captured.get()
    assert "3 of 10 epochs" in captured.get()
    assert "12s" in captured.get()
    progress(EVENTS[5])
    assert "ran" in terminal.out.getvalue()
    assert "accuracy 0.98" in terminal.out.getvalue()
    with console.capture() as captured:
        console.print(progress._draw())
    assert TRAIN not in captured.get()


@pytest.mark.parametrize("width", [30, 60, 80])
def test_live_takes_one_line_a_step_however_narrow_it_is(width):
    terminal, clock = screen(style=Style(True), live=True, width=width), Clock()
    progress = LiveProgress(terminal, clock)
    addresses = ["step.train.a_very_long_name_of_a_step_that_nobody_would_want_to_type", TRAIN]
    for address in addresses:
        progress(ChangeStarted(address, Action.RUN, "job"))
    progress(ChangeProgress(addresses[0], 3, 10, "epochs"))
    with progress._console.capture() as captured:
        progress._console.print(progress._draw())
    lines = captured.get().splitlines()
    assert len(lines) == 2
    assert "step.tr" in lines[0]
    assert "3 of 10 epochs" in lines[0]
    assert "running" in lines[1]
    assert all(line.rstrip().endswith("0.0s") for line in lines)


MACHINE = MachineEvent("zenctl-1", MachineChange.CREATING, "n1-standard-4", "zone-b")
MACHINES = [
    (MACHINE, "backend.gce.vm: creating machine zenctl-1 (n1-standard-4, zone-b) ..."),
    (
        replace(MACHINE, change=MachineChange.CREATED),
        "backend.gce.vm: machine zenctl-1 (n1-standard-4, zone-b) is up after 31s",
    ),
    (
        replace(MACHINE, change=MachineChange.UNAVAILABLE, reason="full"),
        "backend.gce.vm: no capacity for machine zenctl-1 (n1-standard-4, zone-b): full",
    ),
    (
        replace(MACHINE, change=MachineChange.LOST, reason="it was taken"),
        "backend.gce.vm: lost machine zenctl-1 (n1-standard-4, zone-b): it was taken",
    ),
    (MachineEvent("zenctl-1", MachineChange.DELETED), "backend.gce.vm: deleting machine zenctl-1"),
]


@pytest.mark.parametrize(("told", "line"), MACHINES)
def test_machines_are_told(told, line):
    event = MachineChanged("backend.gce.vm", told, 31.0)
    terminal = screen()
    with PlainProgress(terminal, background=False) as progress:
        progress(event)
    assert terminal.out.getvalue() == f"{line}\n"
    out = io.StringIO()
    JsonStream(out).event(event)
    document = json.loads(out.getvalue())
    jsonschema.validate(document, schemas.events_schema())
    assert document["@message"] == line
    assert document["type"] == "machine"
    assert document["machine"]["change"] == told.change.value
    assert document["machine"]["elapsed_seconds"] == 31


def test_the_stream_of_events():
    out = io.StringIO()
    stream = JsonStream(out)
    with JsonProgress(stream) as progress:
        for event in EVENTS:
            progress(event)
        progress.say("\nInterrupted: ...")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["type"] for line in lines] == [
        "refresh_start",
        "refresh_complete",
        "apply_start",
        "apply_progress",
        "apply_log",
        "apply_complete",
        "apply_complete",
        "apply_errored",
        "diagnostic",
        "apply_skipped",
        "apply_skipped",
        "log",
        "log",
    ]
    for line in lines:
        jsonschema.validate(line, schemas.events_schema())
    assert lines[2]["hook"]["resource"]["addr"] == TRAIN
    assert lines[5]["hook"]["outcome"] == "ran"
    before = out.getvalue()
    stream.diagnostics([error("user_error", "ValueError: no")])
    assert out.getvalue() == before, "a diagnostic is told once"


FAILED = ApplyOutcome(
    serial=3,
    ran=("datasource.csv.penguins", "step.split.penguins"),
    cut_off=("step.transform.penguins",),
    unchanged=("step.statistics.penguins",),
    endpoints={"endpoint.local.a": "created"},
    failed=("step.python.fit", 'step.train.t["a b"]', "endpoint.local.b"),
    canceled=("step.python.slow",),
    skipped=("step.evaluate.penguins",),
)


def test_a_failure_is_summed_up(golden):
    terminal = screen()
    outcome_view.show(terminal, FAILED)
    golden("failed.txt", terminal.out.getvalue())


def test_success_is_summed_up_with_the_outputs(golden):
    terminal = screen()
    outputs = {"accuracy": {"value": 0.98, "sensitive": False}, "key": {"value": "hunter2", "sensitive": True}}
    outcome_view.show(terminal, ApplyOutcome(serial=1, ran=("a",), reused=("b", "c"), outputs=outputs))
    golden("applied.txt", terminal.out.getvalue())


def test_the_summary_event_comes_also_after_a_failure():
    out = io.StringIO()
    outcome_view.stream(JsonStream(out), FAILED)
    [line] = [json.loads(text) for text in out.getvalue().splitlines()]
    jsonschema.validate(line, schemas.events_schema())
    assert line["changes"]["zenctl"]["failed"] == list(FAILED.failed)
    assert line["changes"]["add"] == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m00s"), (11400, "3h10m")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (12_300, "12.3 kB"), (5e13, "50.0 TB")])
def test_sizes(count, text):
    assert size(count) == text
