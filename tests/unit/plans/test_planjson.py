"""What a plan document says beside the changes: values in a tree, drift, checks, reasons in Terraform's words."""

from __future__ import annotations

import pytest

from zenctl.addrs import Address, EndpointAddr, StepAddr, parse
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, CheckResult, OutputChange, Plan
from zenctl.plans.planjson import action_reason, check_json, plan_document, value_type

FIT: Address = parse('module.eu["a"].module.inner.step.python.fit')


def plan(*changes: Change, **more: object) -> Plan:
    return Plan("p", "default", 1, "2026-11-24T00:00:00Z", "0.1.0", changes, **more)  # type: ignore[arg-type]


def test_values_stand_in_a_tree_of_modules() -> None:
    change = Change(
        FIT,
        Action.RUN,
        before={"params": {"a": 1}},
        after={"params": {"a": 2, "b": "secret"}, "outputs": {"m": None}},
        after_unknown=("outputs.m",),
        sensitive=("params.b",),
    )
    document = plan_document(plan(change))
    outer = document["planned_values"]["root_module"]["child_modules"][0]
    assert outer["address"] == 'module.eu["a"]'
    [resource] = outer["child_modules"][0]["resources"]
    assert resource["address"] == str(FIT)
    assert resource["values"] == {"params": {"a": 2, "b": None}, "outputs": {"m": None}}
    assert resource["sensitive_values"] == {"params": {"b": True}}
    prior = document["prior_state"]["values"]["root_module"]["child_modules"][0]["child_modules"][0]["resources"]
    assert prior[0]["values"] == {"params": {"a": 1}}


def test_what_goes_is_prior_and_not_planned() -> None:
    gone = Change(EndpointAddr("local", "e"), Action.DELETE, before={"port": 1}, provider="gcp.eu")
    document = plan_document(plan(gone))
    assert document["planned_values"] == {"outputs": {}, "root_module": {}}
    [resource] = document["prior_state"]["values"]["root_module"]["resources"]
    assert (resource["values"], resource["provider_name"]) == ({"port": 1}, "zenctl.dev/zenctl/gcp")


def test_outputs_are_values_as_far_as_they_are_known_and_no_secret() -> None:
    outputs = (OutputChange("a", 1, 2), OutputChange("b", 1, unknown=True), OutputChange("c", 3, 4, sensitive=True))
    document = plan_document(plan(outputs=outputs))
    assert document["planned_values"]["outputs"] == {
        "a": {"sensitive": False, "value": 2},
        "b": {"sensitive": False},
        "c": {"sensitive": True},
    }
    assert document["prior_state"]["values"]["outputs"]["c"] == {"sensitive": True}


@pytest.mark.parametrize(
    ("action", "code", "data", "word"),
    [
        (Action.REPLACE, ReasonCode.REQUESTED, {}, "replace_by_request"),
        (Action.RUN, ReasonCode.REQUESTED, {}, "replace_by_request"),
        (Action.REPLACE, ReasonCode.TRIGGERED, {}, "replace_by_triggers"),
        (Action.REPLACE, ReasonCode.CONFIG_CHANGED, {}, "replace_because_cannot_update"),
        (Action.DELETE, ReasonCode.REMOVED, {"because": "each_key"}, "delete_because_each_key"),
        (Action.FORGET, ReasonCode.REMOVED, {}, "delete_because_no_resource_config"),
        (Action.RUN, ReasonCode.CODE_CHANGED, {}, ""),
        (Action.DELETE, ReasonCode.REQUESTED, {}, ""),
    ],
)
def test_reasons_in_terraforms_words(action: Action, code: ReasonCode, data: dict[str, str], word: str) -> None:
    change = Change(EndpointAddr("local", "e"), action, (Reason(code, "", data),), before={}, after={})
    assert action_reason(change) == word
    assert plan_document(plan(change))["resource_changes"][0].get("action_reason", "") == word


@pytest.mark.parametrize("action", [Action.RUN, Action.MAY_RUN, Action.REUSE, Action.NO_OP, Action.FORGET])
def test_a_cache_hit_is_what_runs_nothing(action: Action) -> None:
    change = Change(StepAddr("python", "x"), action, before={}, after={})
    item = plan_document(plan(change))["resource_changes"][0]
    assert item["cache_hit"] is (action in (Action.REUSE, Action.NO_OP))


def test_checks_have_terraforms_shape() -> None:
    assert check_json(CheckResult("step", "step.python.x", "fail", ("too small",))) == {
        "address": {"kind": "resource", "to_display": "step.python.x"},
        "status": "fail",
        "instances": [
            {"address": {"to_display": "step.python.x"}, "status": "fail", "problems": [{"message": "too small"}]}
        ],
    }


@pytest.mark.parametrize(
    ("value", "type"),
    [
        (True, "bool"),
        (1.5, "number"),
        ("x", "string"),
        (None, "dynamic"),
        ([1, "a"], ["tuple", ["number", "string"]]),
        ({"a": [True]}, ["object", {"a": ["tuple", ["bool"]]}]),
    ],
)
def test_types_of_values(value: object, type: object) -> None:
    assert value_type(value) == type
