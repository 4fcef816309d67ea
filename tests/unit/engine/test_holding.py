"""Plans that another workspace, zenctl or provider has made are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

import zenctl
from zenctl.addrs import StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.holding import check_state, check_versions, check_workspace
from zenctl.metadata.records import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.plans.plan import Plan

FIT = StepAddr("python", "fit")


def plan(**facts: Any) -> Plan:
    return Plan(**{"project": "p", "workspace": "default", "serial": 3, "timestamp": "", "changes": (),
                   "zenctl_version": zenctl.__version__, **facts})  # fmt: skip


def registry(**versions: str) -> Any:
    return cast(Any, SimpleNamespace(provider=lambda name: SimpleNamespace(version=versions[name])))


def refusal(caught: pytest.ExceptionInfo[DiagnosticError]) -> tuple[str, str]:
    [diagnostic] = caught.value.diagnostics
    return diagnostic.code, f"{diagnostic.summary}: {diagnostic.detail}"


def test_a_plan_is_for_one_workspace() -> None:
    check_workspace(plan(), "default")
    with pytest.raises(DiagnosticError) as caught:
        check_workspace(plan(), "other")
    assert refusal(caught)[0] == "wrong_workspace"


def test_a_plan_is_for_the_versions_that_made_it() -> None:
    check_versions(plan(providers={"gcp.eu": "1.0"}), registry(gcp="1.0"))
    with pytest.raises(DiagnosticError) as caught:
        check_versions(plan(providers={"gcp": "1.0"}, zenctl_version="0.0.1"), registry(gcp="2.0"))
    code, text = refusal(caught)
    assert code == "plan_stale"
    assert f"zenctl 0.0.1 (here {zenctl.__version__}), provider gcp 1.0 (here 2.0)" in text


def state(serial: int, execution: int) -> WorkspaceState:
    recorded = Recorded(FIT, execution, "j", ExecutionState.COMPLETE, serial, "Process")
    return WorkspaceState("p", "default", serial, {FIT: recorded})


def test_a_later_apply_that_changed_nothing_of_it_does_no_harm() -> None:
    check_state(plan(heads={str(FIT): 7}), state(5, 7))
    with pytest.raises(DiagnosticError) as caught:
        check_state(plan(heads={str(FIT): 7}), state(5, 8))
    code, text = refusal(caught)
    assert code == "plan_stale"
    assert "since then apply 5 changed step.python.fit" in text
