"""Fixtures: a terminal in memory, and an engine that answers what a test tells it to."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.cli.penguins import PLAN
from zenctl.cli import main as entry
from zenctl.cli.terminal import Terminal
from zenctl.cli.views.style import Style
from zenctl.plans.plan import Plan


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
        "diff_states",
        "compare_results",
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
def penguins() -> Plan:
    """A plan in which every action occurs, with unknown, sensitive and unchanged attributes."""
    return PLAN


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
