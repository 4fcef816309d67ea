"""The schema of the plan document refuses what is no plan: every key that must be there, every word that it can say."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from tests.unit.cli.penguins import CHANGES, PLAN
from zenctl.addrs import ModuleInstance, StepAddr
from zenctl.cli import schemas
from zenctl.diagnostics import Position, SourceRange, warning
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, CheckResult, CodeDiff, PlannedMachines
from zenctl.plans.planjson import plan_document
from zenctl.provider import MachinePool

PLACE = SourceRange("main.zen.hcl", Position(1, 1, 0), Position(1, 4, 3))
INNER = Change(
    StepAddr("python", "inner", module=(ModuleInstance("eu", "a"),), key=0),
    Action.REPLACE,
    (Reason(ReasonCode.REQUESTED, "-replace was given"),),
    before={"params": {}},
    after={"params": {}},
    fingerprint="ab" * 32,
    execution_id=3,
    moved_from="step.python.inner",
)
DOCUMENT = plan_document(
    replace(
        PLAN,
        changes=(INNER, *CHANGES),
        drift=(CHANGES[0],),
        machines=(
            PlannedMachines(("backend.gce.vm",), MachinePool("n1", ("b",), accelerators={"gpu": 1}), ("step.a.b",)),
        ),
        checks=(CheckResult("check", "sound", "fail", ("it is not",)),),
        code_diffs={INNER.address: CodeDiff({"steps/fit.py": "- a\n+ b\n"})},
        diagnostics=(warning("x", "X", "why", range=PLACE, address="step.python.inner"),),
    )
)
VALIDATOR = jsonschema.Draft202012Validator(schemas.plan_schema())

Place = tuple["str | int", ...]

WHOLE: tuple[Place, ...] = (
    (),
    ("variables", "epochs"),
    ("planned_values",),
    ("planned_values", "outputs", "url"),
    ("planned_values", "root_module", "child_modules", 0, "resources", 0),
    ("resource_drift", 0),
    ("resource_changes", 0),
    ("resource_changes", 0, "change"),
    ("resource_changes", 0, "stale_because", 0),
    ("resource_changes", 0, "code_diff"),
    ("output_changes", "url"),
    ("prior_state",),
    ("prior_state", "values"),
    ("machines", 0),
    ("machines", 0, "accelerators", 0),
    ("machines", 0, "price"),
    ("checks", 0),
    ("checks", 0, "address"),
    ("checks", 0, "instances", 0),
    ("zenctl_summary",),
    ("diagnostics", 0),
    ("diagnostics", 0, "range"),
    ("diagnostics", 0, "range", "start"),
)
"""Objects of which every key must be there."""

OPTIONAL = {
    ("planned_values", "outputs", "url", "value"),
    ("planned_values", "root_module", "child_modules", 0, "resources", 0, "index"),
    *(
        ("resource_changes", 0, key)
        for key in (
            "previous_address",
            "module_address",
            "index",
            "action_reason",
            "code_diff",
            "fingerprint",
            "execution_id",
        )
    ),
    ("checks", 0, "instances", 0, "problems"),
    ("diagnostics", 0, "address"),
    ("diagnostics", 0, "range"),
}
"""Keys that only some of such objects have."""


def at(document: Any, place: Place) -> Any:
    for part in place:
        document = document[part]
    return document


REQUIRED = [(*place, key) for place in WHOLE for key in at(DOCUMENT, place) if (*place, key) not in OPTIONAL]


def with_value(place: Place, value: Any) -> Any:
    document = copy.deepcopy(DOCUMENT)
    at(document, place[:-1])[place[-1]] = value
    return document


def shown(place: Any) -> str:
    return ".".join(map(str, place)) if isinstance(place, tuple) else repr(place)


def test_a_plan_with_everything_in_it_fits() -> None:
    VALIDATOR.validate(DOCUMENT)
    assert len(REQUIRED) > 100


@pytest.mark.parametrize("place", REQUIRED, ids=shown)
def test_a_key_that_must_be_there_is_missed(place: Place) -> None:
    document = copy.deepcopy(DOCUMENT)
    del at(document, place[:-1])[place[-1]]
    with pytest.raises(jsonschema.ValidationError, match="is a required property") as caught:
        VALIDATOR.validate(document)
    assert tuple(caught.value.absolute_path) == place[:-1]


@pytest.mark.parametrize("place", sorted(OPTIONAL, key=str), ids=shown)
def test_a_key_that_only_some_have_is_not_missed(place: Place) -> None:
    document = copy.deepcopy(DOCUMENT)
    del at(document, place[:-1])[place[-1]]
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("format_version",), "2.0"),
        (("serial",), "4"),
        (("serial",), -1),
        (("applyable",), "yes"),
        (("resource_changes",), {}),
        (("resource_changes", 0, "address"), "python.inner"),
        (("resource_changes", 0, "previous_address"), "inner"),
        (("resource_changes", 0, "mode"), "data"),
        (("resource_changes", 0, "kind"), "model"),
        (("resource_changes", 0, "type"), 1),
        (("resource_changes", 0, "index"), None),
        (("resource_changes", 0, "zenctl_action"), "replace"),
        (("resource_changes", 0, "action_reason"), "replace_because_of_rain"),
        (("resource_changes", 0, "cache_hit"), None),
        (("resource_changes", 0, "depends_on"), ["fit"]),
        (("resource_changes", 0, "fingerprint"), "ab12"),
        (("resource_changes", 0, "execution_id"), "3"),
        (("resource_changes", 0, "code_diff", "files"), {"steps/fit.py": ["- a"]}),
        (("resource_changes", 0, "change", "actions"), "create"),
        (("resource_changes", 0, "change", "actions"), []),
        (("resource_changes", 0, "change", "actions"), ["run"]),
        (("resource_changes", 0, "change", "actions"), ["create", "delete", "create"]),
        (("resource_changes", 0, "change", "before"), "before"),
        (("resource_changes", 0, "change", "after_unknown"), "params"),
        (("resource_changes", 0, "stale_because", 0, "reason"), "requested"),
        (("resource_changes", 0, "stale_because", 0, "detail"), None),
        (("resource_changes", 0, "stale_because", 0, "data"), []),
        (("resource_drift", 0, "zenctl_action"), "DRIFT"),
        (("output_changes", "url", "actions"), ["run"]),
        (("output_changes", "url", "after_unknown"), {}),
        (("planned_values", "root_module", "resources", 0, "kind"), "model"),
        (("planned_values", "root_module", "child_modules", 0, "resources", 0, "index"), None),
        (("prior_state", "values", "root_module", "resources", 0, "mode"), "data"),
        (("checks", 0, "status"), "ok"),
        (("checks", 0, "address", "kind"), "step"),
        (("checks", 0, "instances", 0, "problems"), ["it is not"]),
        (("zenctl_summary", "run"), -1),
        (("diagnostics", 0, "severity"), "info"),
        (("diagnostics", 0, "range", "start", "line"), "1"),
    ],
    ids=shown,
)
def test_a_wrong_value_is_refused(place: Place, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError) as caught:
        VALIDATOR.validate(with_value(place, value))
    assert tuple(caught.value.absolute_path)[: len(place)] == place


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("code", ReasonCode)
def test_every_action_and_reason_fits(action: Action, code: ReasonCode) -> None:
    change = replace(INNER, action=action, reasons=(Reason(code, "why"),))
    VALIDATOR.validate(plan_document(replace(PLAN, changes=(change,))))


def test_keys_that_are_added_later_fit_too() -> None:
    """So `format_version`, which is Terraform's, need not be raised for them."""
    later = copy.deepcopy(DOCUMENT)
    later["provider_digests"] = {}
    later["resource_changes"][0]["zenctl_more"] = 1
    later["resource_changes"][0]["change"]["zenctl_more"] = 1
    assert list(VALIDATOR.iter_errors(later)) == []
    assert DOCUMENT["provider_versions"] == dict(PLAN.providers)
