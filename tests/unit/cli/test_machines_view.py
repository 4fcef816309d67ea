"""One line says which machines there will be, for what, and what they cost about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.cli.penguins import PLAN
from zenctl.cli.views import machines as view
from zenctl.cli.views.markdown import MAX_MACHINES, markdown
from zenctl.plans.plan import PlannedMachines
from zenctl.plans.planjson import machines_json
from zenctl.provider import MachinePool, PriceEstimate

PRICE = PriceEstimate(0.19, source="a list", as_of="2026-09-25", note="without its disk")
POOL = MachinePool("n1-standard-4", ("zone-b",), price=PRICE)
STEPS = ("step.python.a", "step.python.b", 'module.eu["datasource.x"].step.python.c')
DATA = "datasource.csv.rows"


def machines(pool: MachinePool = POOL, runs: tuple[str, ...] = STEPS, may_run: tuple[str, ...] = ()) -> PlannedMachines:
    return PlannedMachines(("backend.gce.vm",), pool, runs, may_run)


@pytest.mark.parametrize(
    ("planned", "line"),
    [
        (machines(), "1 x n1-standard-4, zone-b, for 3 steps, removed afterwards (about 0.19 USD an hour)"),
        (
            machines(runs=(DATA, *STEPS[:1]), may_run=STEPS[1:]),
            "1 x n1-standard-4, zone-b, for 1 datasource and 1 step and 2 steps that may run, removed afterwards "
            "(about 0.19 USD an hour)",
        ),
        (
            machines(runs=(), may_run=STEPS[:1]),
            "may be made: 1 x n1-standard-4, zone-b, for 1 step that may run, removed afterwards "
            "(about 0.19 USD an hour)",
        ),
        (
            machines(replace(POOL, scope="step")),
            "3 x n1-standard-4, zone-b, one for each of 3 steps, each removed after it (about 0.19 USD an hour each)",
        ),
        (
            machines(replace(POOL, scope="step"), STEPS[:1], STEPS[1:]),
            "up to 3 x n1-standard-4, zone-b, one for each of 3 steps, each removed after it "
            "(about 0.19 USD an hour each)",
        ),
        (
            machines(
                replace(
                    POOL, spot=True, accelerators={"gpu": 2}, locations=("b", "c"), price=PriceEstimate(note="no list")
                )
            ),
            "1 x n1-standard-4 with 2 x gpu, spot, b or c, for 3 steps, removed afterwards (price unknown: no list)",
        ),
    ],
)
def test_the_line(planned: PlannedMachines, line: str) -> None:
    document = machines_json(planned)
    assert view.line(document) == line
    assert view.sign(document) == ("+" if planned.runs else "?")


@pytest.mark.parametrize(("amount", "text"), [(3.6734, "3.67"), (0.00838, "0.0084"), (0.0, "0.00"), (0.1, "0.10")])
def test_small_prices_keep_two_digits(amount: float, text: str) -> None:
    assert (
        view.price(machines_json(machines(replace(POOL, price=PriceEstimate(amount))))) == f"about {text} USD an hour"
    )


def test_where_prices_are_from_is_said_once() -> None:
    unknown = machines(replace(POOL, price=PriceEstimate(note="no list")))
    documents = [machines_json(item) for item in (machines(), machines(), unknown)]
    assert view.basis(documents) == ["Prices are estimates: a list as of 2026-09-25, without its disk."]


def test_a_comment_tells_of_machines_and_not_of_all() -> None:
    evil = machines(replace(POOL, machine_type="<b>@everyone `x` | y"))
    text = markdown(replace(PLAN, machines=(evil,) * (MAX_MACHINES + 2)))
    told = [line for line in text.splitlines() if line.startswith("- ") and "everyone" in line]
    assert len(told) == MAX_MACHINES
    assert all(line.startswith("- ``+ backend.gce.vm 1 x <b>@everyone `x` | y") for line in told)
    assert "- and 2 more" in text


def test_what_happened_is_told_with_its_time() -> None:
    event = {
        "name": "m",
        "machine_type": "n1",
        "location": "b",
        "reason": "full",
        "change": "unavailable",
        "at_ms": 3_723_000,
    }
    assert view.story([event]) == ["01:02:03 UTC  no capacity for machine m (n1, b): full"]
