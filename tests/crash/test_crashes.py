"""Applies killed with SIGKILL, at every moment that the code itself names and at any other: nothing is lost."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.crashing import Crash, Pipeline, note, recover
from tests.crash.matrices import SEED, Undisturbed, examined, kill_all, kills

KILLS = 30
"""How many kills the ordinary test makes; `make crash` makes one at each moment and RANDOM_KILLS more."""

RANDOM_KILLS = 80

IN_A_ROW = 9
"""How many moments a pipeline of the ordinary test is killed at before it may recover."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return examined(Pipeline(tmp_path_factory.mktemp("undisturbed") / "p"))


def test_the_code_names_every_kind_of_moment(undisturbed: Undisturbed) -> None:
    kinds = {re.sub(r"[#:].*", "", moment) for moment in undisturbed.moments}
    steps = ("datasource.csv.points", "step.split.points", "step.python.fit", "step.python.score")
    for step in steps:
        slug = step.replace(".", "-")
        for state in ("RUNNING", "COMPLETE"):
            assert f"apply/metadata run {state} {step}" in kinds
        assert {f"apply/backend {call} {slug}" for call in ("submit", "status", "logs", "release")} <= kinds
        assert {f"job {slug}/artifact {part}" for part in ("blobs", "trees", f"{slug} result.json")} <= kinds
    assert {"apply/metadata types", "apply/metadata begin", "apply/metadata finished"} <= kinds
    assert {"apply/endpoint create line", "apply/endpoint read line", "apply/endpoint record line"} <= kinds
    assert len(undisturbed.moments) == len(set(undisturbed.moments))
    assert Counter(moment.rpartition(":")[2] for moment in undisturbed.moments).keys() == {"before", "after"}


def test_killed_again_and_again(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Several kills in a row, each further on than the one before, as many moments as the whole test has time for."""
    chance = random.Random(SEED)
    print(f"ZENCTL_TEST_SEED={SEED}")
    kills, chains = 0, 0
    while kills < KILLS:
        chains += 1
        assert chains <= KILLS, "the applies come to their ends without meeting the moments"
        pipeline = Pipeline(tmp_path / f"p{chains}")
        try:
            crashes = list(_chain(pipeline, undisturbed, chance))
            if crashes:
                recover(pipeline, undisturbed.picture, crashes)
        finally:
            pipeline.close()
        kills += len(crashes)
    print(f"{kills} kills in {chains} pipelines")


def _chain(pipeline: Pipeline, undisturbed: Undisturbed, chance: random.Random) -> Iterator[Crash]:
    moments = undisturbed.moments
    for place in sorted(chance.sample(range(len(moments)), IN_A_ROW)):
        crash = pipeline.killed(moments[place])
        if crash is None:
            return
        note(pipeline, crash)
        yield crash
    crash = pipeline.killed_after(chance.uniform(0.2, undisturbed.seconds))
    if crash is not None:
        note(pipeline, crash)
        yield crash


@pytest.mark.parametrize("how", ["destroy", "removed"])
def test_an_endpoint_that_was_never_recorded_is_destroyed(undisturbed: Undisturbed, tmp_path: Path, how: str) -> None:
    pipeline = Pipeline(tmp_path / "p")
    try:
        assert pipeline.killed("apply/endpoint create line#1:after") is not None
        assert pipeline.lives()
        if how == "removed":
            pipeline.project.edit("main.zen.hcl", 'endpoint "local" "line" {', 'endpoint "local" "other" {')
            pipeline.project.edit(
                "main.zen.hcl",
                "model = step.python.fit.model\n}",
                "model = step.python.fit.model\n  enabled = false\n}",
            )
        said = pipeline.project.ok("destroy" if how == "destroy" else "apply", "-auto-approve")
        assert "endpoint.local.line will be deleted" in said
        assert not pipeline.lives()
        assert pipeline.project.run("state", "list").stdout.count("endpoint") == 0
    finally:
        pipeline.close()


@pytest.mark.crash
@pytest.mark.timeout(7200)
def test_killed_at_every_moment(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """One kill at each moment and many at random times, each in a pipeline of its own; prints the matrix."""
    cases = kills(undisturbed, RANDOM_KILLS)
    assert kill_all(tmp_path, undisturbed, cases) >= 300
