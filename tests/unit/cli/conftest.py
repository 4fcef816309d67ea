"""Fixtures: a terminal in memory, and an engine that answers what a test tells it to."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from zenctl.cli import main as entry
from zenctl.cli.terminal import Terminal
from zenctl.cli.views.style import Style


@dataclass
class Ran:
    """What a command line printed and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Engine:
    """A stand-in for `zenctl.engine.workflow`: answers by function name, and what each was called with."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def called(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(args, kwargs) for called, args, kwargs in self.calls if called == name]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    from zenctl.engine import requests

    fake = Engine()
    module = types.ModuleType("zenctl.engine.workflow")

    def function(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            fake.calls.append((name, args, kwargs))
            answer = fake.answers[name]
            return answer(*args, **kwargs) if callable(answer) else answer

        return call

    for name in (
        "validate",
        "make_plan",
        "apply_plan",
        "read_state",
        "state_lineage",
        "logs",
        "initialise",
        "reproduce_result",
        "import_result",
    ):
        setattr(module, name, function(name))
    for name in ("Inputs", "PlanOptions", "Stop"):
        setattr(module, name, getattr(requests, name))
    monkeypatch.setitem(sys.modules, "zenctl.engine.workflow", module)
    monkeypatch.setattr(sys.modules["zenctl.engine"], "workflow", module, raising=False)
    return fake


@pytest.fixture
def zenctl(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ran]]:
    """Run a command line in an empty folder."""
    import signal

    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: str, answers: str | None = None, env: dict[str, str] | None = None, colour: bool = False) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        screen = Terminal(
            out=out,
            err=err,
            answers=io.StringIO(answers or ""),
            style=Style(colour),
            err_style=Style(colour),
            can_answer=answers is not None,
            environment=env or {},
        )
        code = entry.run(words, screen)
        return Ran(code, out.getvalue(), err.getvalue())

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def penguins() -> Any:
    """A plan in which every action occurs, with unknown, sensitive and unchanged attributes."""
    from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
    from zenctl.plans.actions import Action, Reason, ReasonCode
    from zenctl.plans.plan import Change, OutputChange, Plan

    old, new = "ab12" * 16, "cd34" * 16
    waits = ReasonCode.UPSTREAM_PENDING
    removed = Reason(ReasonCode.REMOVED, "is no longer in the configuration")
    params = {"epochs": 5, "layers": [16, 8], "token": {"sensitive": "x"}}
    changes = (
        Change(
            DatasourceAddr("csv", "penguins"),
            Action.RUN,
            (Reason(ReasonCode.DATA_CHANGED, "344 -> 345 rows, 15,240 -> 15,300 bytes", {"rows_after": 345}),),
            before={"type": "datasource.csv/1", "params": {"header": True}, "outputs": {"data": old}},
            after={"type": "datasource.csv/1", "params": {"header": True}, "outputs": {"data": None}},
            after_unknown=("outputs.data",),
        ),
        Change(
            StepAddr("split", "penguins"),
            Action.MAY_RUN,
            (Reason(waits, "waits for datasource.csv.penguins"),),
            before={"params": {"seed": 7}, "inputs": {"data": old}},
            after={"params": {"seed": 7}, "inputs": {"data": None}},
            after_unknown=("inputs.data",),
            depends_on=("datasource.csv.penguins",),
        ),
        Change(
            StepAddr("python", "fit"),
            Action.RUN,
            (
                Reason(ReasonCode.PARAMETERS_CHANGED, "params.epochs: 5 -> 10", {"path": "params.epochs"}),
                Reason(ReasonCode.CODE_CHANGED, "steps/fit.py changed"),
            ),
            before={
                "type": "python/1",
                "code": "steps/fit.py:fit",
                "params": params,
                "inputs": {"train": old, "eval": new},
                "outputs": {"model": old},
            },
            after={
                "type": "python/1",
                "code": "steps/fit.py:fit",
                "params": {**params, "epochs": 10},
                "inputs": {"train": old, "eval": None},
                "outputs": {"model": None},
            },
            after_unknown=("inputs.eval", "outputs.model"),
            sensitive=("params.token",),
            depends_on=("step.split.penguins",),
        ),
        Change(
            StepAddr("statistics", "penguins"),
            Action.RUN,
            (Reason(ReasonCode.NEVER_RAN, "has never run"),),
            after={
                "type": "statistics/1",
                "params": {"buckets": 10, "note": {"unknown": "string"}},
                "inputs": {"data": old},
                "outputs": {"statistics": None, "schema": None},
            },
            after_unknown=("params.note", "outputs.statistics", "outputs.schema"),
        ),
        Change(
            StepAddr("transform", "penguins"),
            Action.REUSE,
            (Reason(ReasonCode.RECORDED_ELSEWHERE, "REUSE from workspace pr-42, apply 17"),),
            after={"type": "transform/1", "params": {}, "outputs": {"t": old}},
            fingerprint=new,
            execution_id=7,
        ),
        Change(StepAddr("evaluate", "penguins"), Action.NO_OP, before={"params": {}}, after={"params": {}}),
        Change(StepAddr("python", "old"), Action.FORGET, (removed,), before={"params": {}}),
        Change(
            EndpointAddr("local", "penguins"),
            Action.UPDATE,
            (Reason(waits, "waits for step.python.fit"),),
            before={"model": old, "port": 8501},
            after={"model": None, "port": 8501},
            after_unknown=("model",),
        ),
        Change(
            EndpointAddr("local", "other"),
            Action.REPLACE,
            (Reason(ReasonCode.CONFIG_CHANGED, "port: 8501 -> 8502"),),
            before={"model": old, "port": 8501},
            after={"model": old, "port": 8502},
        ),
        Change(
            EndpointAddr("local", "blue"),
            Action.REPLACE,
            (Reason(ReasonCode.CONFIG_CHANGED, "port: 8504 -> 8505"),),
            before={"model": old, "port": 8504},
            after={"model": old, "port": 8505},
            create_first=True,
        ),
        Change(
            EndpointAddr("local", "gone", key="a b"),
            Action.DELETE,
            (removed,),
            before={"model": old, "port": 8501},
        ),
        Change(
            EndpointAddr("local", "first"),
            Action.CREATE,
            (Reason(ReasonCode.NEVER_RAN, "does not exist yet"),),
            after={"model": None, "port": 8503},
            after_unknown=("model",),
        ),
    )
    outputs = (
        OutputChange("accuracy", 0.91, None, unknown=True),
        OutputChange("url", None, "http://127.0.0.1:8501"),
        OutputChange("key", "secret one", "secret two", sensitive=True),
        OutputChange("same", 1, 1),
    )
    return Plan("penguins", "default", 4, "2026-11-24T00:00:00Z", "0.1.0", changes, outputs, variables={"epochs": 10})


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `golden/NAME`; ZENCTL_UPDATE_GOLDEN=1 writes it instead."""
    import os

    def compare(name: str, text: str) -> None:
        path = request.path.parent / "golden" / name
        if os.environ.get("ZENCTL_UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
