"""How old a result may be, what leaves one in force, and what a changed trigger means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.worlds import World
from zenctl.addrs import StepAddr
from zenctl.engine.caching import compare, milliseconds, oldest, runs_always, too_old
from zenctl.engine.desired import DesiredStep
from zenctl.fingerprint.digest import fingerprint
from zenctl.metadata.state import Recorded
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Components, ReasonCode
from zenctl.plans.planfile import encode_components

FIT = StepAddr("train", "fit")
BASE = Components(
    type="train/1",
    code={"entry": "a.py:f", "digest": "c1", "files": {"a.py": "x"}},
    params={"epochs": 5},
    inputs={"train": "d" * 64},
    environment={"python": "3.11", "distributions": {"numpy": "1.26"}},
)
HOUR = 3_600_000


def step(tmp_path: Path, text: str = "") -> tuple[DesiredStep, list[Any]]:
    rows = 'datasource "csv" "rows" {\n  path = "rows.csv"\n}\n'
    body = f'  inputs = {{ train = datasource.csv.rows, eval = datasource.csv.rows }}\n  label = "y"\n{text}\n'
    world = World(f'{rows}step "train" "fit" {{\n{body}}}\n', tmp_path)
    desired, found = world.evaluator.node(FIT, {})
    assert isinstance(desired, DesiredStep)
    return desired, [*world.loaded, *found]


def recorded(components: Components = BASE, produced_ms: int = 10 * HOUR, **more: Any) -> Recorded:
    more |= {"fingerprint": fingerprint(components), "components": encode_components(components)}
    return Recorded(FIT, 1, "j", ExecutionState.COMPLETE, 3, "Train", produced_ms=produced_ms, **more)


def with_(**parts: Any) -> Components:
    return Components(**{**encode_components(BASE), **parts})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), ('cache = "always"', None), ('cache = "never"', 0.0), ('cache = "until 24h"', 86400.0)],
)
def test_what_cache_means(tmp_path: Path, text: str, seconds: float | None) -> None:
    desired, found = step(tmp_path, text)
    assert not found
    assert desired.cache_seconds == seconds
    assert runs_always(desired) is (seconds == 0)


@pytest.mark.parametrize("value", ['"24h"', '"until"', '"until tomorrow"', '"until -1h"', "24", "true", '["never"]'])
def test_what_cache_cannot_be(tmp_path: Path, value: str) -> None:
    _, found = step(tmp_path, f"cache = {value}")
    assert [d.code for d in found] == ["wrong_value"]


def test_how_old_a_result_may_be(tmp_path: Path) -> None:
    desired, _ = step(tmp_path, 'cache = "until 2h"')
    assert too_old(desired, recorded(), 12 * HOUR) == []
    [reason] = too_old(desired, recorded(), 12 * HOUR + 60_000)
    assert reason.code is ReasonCode.CACHE_EXPIRED
    assert reason.detail == 'its result is 2h1m old, and cache = "until 2h"'
    assert oldest(desired, BASE, recorded(), 12 * HOUR) == 10 * HOUR
    assert oldest(step(tmp_path)[0], BASE, recorded(), 12 * HOUR) == 0
    assert too_old(desired, None, 12 * HOUR) == []


def test_another_trigger_makes_what_was_there_before_unfit(tmp_path: Path) -> None:
    desired, _ = step(tmp_path, "triggers_replace = { day = 2 }")
    assert desired.triggers_replace == {"day": 2}
    wanted = with_(triggers_replace=desired.triggers_replace)
    before = recorded(with_(triggers_replace={"day": 1}))
    [reason] = compare(desired, wanted, before).stale
    assert (reason.code, reason.detail) == (ReasonCode.TRIGGER_CHANGED, "triggers_replace.day: 1 -> 2")
    assert oldest(desired, wanted, before, 0) == before.produced_ms + 1
    assert oldest(desired, wanted, recorded(wanted), 0) == 0


def test_a_result_without_a_trigger_keeps_its_fingerprint() -> None:
    assert fingerprint(BASE) != fingerprint(with_(triggers_replace=False))
    assert "triggers_replace" not in encode_components(BASE)
    assert fingerprint(with_(triggers_replace={"unknown": "string"})) == ""


def test_a_secret_trigger_is_compared_by_its_digest(tmp_path: Path) -> None:
    desired, found = step(tmp_path, 'triggers_replace = [sensitive("hush"), 1]')
    assert not found
    assert list(desired.triggers_replace[0]) == ["sensitive"]
    assert "hush" not in str(desired.triggers_replace)


def test_a_trigger_cannot_be_a_step_with_several_outputs(tmp_path: Path) -> None:
    split = 'step "split" "s" {\n  inputs = { data = datasource.csv.rows }\n  ratio = { a = 0.5, b = 0.5 }\n}\n'
    _, [problem] = step(tmp_path, f"triggers_replace = step.split.s\n}}\n{split}locals {{")
    assert (problem.code, problem.summary) == (
        "several_outputs",
        '"triggers_replace" is step.split.s, which has several outputs',
    )


def test_a_package_bump_does_not_count_where_it_is_kept(tmp_path: Path) -> None:
    desired, found = step(tmp_path, 'on_change {\n  environment = "keep"\n}')
    assert not found
    bumped = with_(environment={"python": "3.11", "distributions": {"numpy": "2.0"}})
    kept = compare(desired, bumped, recorded())
    assert (kept.stale, fingerprint(kept.components)) == ((), fingerprint(BASE))
    assert [r.detail for r in kept.kept] == ["environment: numpy 1.26 -> 2.0 (on_change keeps its result)"]
    # Of another workspace's result it counts as little.
    assert fingerprint(compare(desired, bumped, None, recorded()).components) == fingerprint(BASE)
    # Once something else changes as well, it runs with what is there now, and all of that is told.
    both = compare(desired, with_(environment=bumped.environment, params={"epochs": 6}), recorded())
    assert {r.code for r in both.stale} == {ReasonCode.PARAMETERS_CHANGED, ReasonCode.ENVIRONMENT_CHANGED}
    assert both.components.environment == bumped.environment
    # Where nothing is said, it runs again.
    plain, _ = step(tmp_path, 'on_change {\n  environment = "rerun"\n}')
    assert [r.code for r in compare(plain, bumped, recorded()).stale] == [ReasonCode.ENVIRONMENT_CHANGED]


def test_while_an_input_is_not_known_a_kept_change_alone_is_no_reason(tmp_path: Path) -> None:
    desired, _ = step(tmp_path, 'on_change {\n  code = "keep"\n}')
    waiting = with_(inputs={"train": ""}, code={"entry": "a.py:f", "digest": "c2", "files": {"a.py": "y"}})
    found = compare(desired, waiting, recorded())
    assert found.stale == ()
    assert found.components.code["digest"] == "c2"


def test_ignored_changes_are_of_this_workspace_s_result_only(tmp_path: Path) -> None:
    desired, _ = step(tmp_path, "lifecycle {\n  ignore_changes = [params.epochs]\n}")
    other = with_(params={"epochs": 6})
    assert fingerprint(compare(desired, other, recorded()).components) == fingerprint(BASE)
    beside = compare(desired, other, None, recorded(workspace="default"))
    assert (beside.components, beside.stale) == (other, ())
    assert [r.detail for r in beside.beside] == ["params.epochs: 5 -> 6 (beside workspace default, apply 3)"]


def test_milliseconds_of_a_plan() -> None:
    # Plans are dated by the second: what was made in the same one, before the plan, must not seem to come after it.
    assert milliseconds("1970-01-01T00:00:01+00:00") == 1999
