"""Applies killed with SIGKILL, at every moment that the code itself names and at any other: nothing is lost."""

from __future__ import annotations

import os
import random
import re
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.crash.crashing import Crash, Picture, Pipeline, note, recover

KILLS = 30
"""How many kills the ordinary test makes; `make crash` makes one at each moment and RANDOM_KILLS more."""

RANDOM_KILLS = 80

IN_A_ROW = 9
"""How many moments a pipeline of the ordinary test is killed at before it may recover."""

SEED = int(os.environ.get("ZENCTL_TEST_SEED", "5"))


@dataclass(frozen=True)
class Undisturbed:
    """What an apply that nothing disturbs brings about, the moments that it comes through, and how long it takes."""

    picture: Picture
    moments: list[str]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    pipeline = Pipeline(tmp_path_factory.mktemp("undisturbed") / "p")
    began = time.monotonic()
    moments = pipeline.undisturbed()
    seconds = time.monotonic() - began
    try:
        assert pipeline.is_up_to_date()
        assert pipeline.staging() == []
        return Undisturbed(pipeline.picture(), moments, seconds)
    finally:
        pipeline.close()


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
    chance = random.Random(SEED)
    print(f"\nZENCTL_TEST_SEED={SEED}: {len(undisturbed.moments)} moments, and {RANDOM_KILLS} random times")
    numbers, lock = count(), threading.Lock()
    found: list[tuple[Crash, str]] = []

    def one(moment: str, seconds: float) -> None:
        with lock:
            root = tmp_path / f"p{next(numbers)}"
        crash, outcome = _killed_once(Pipeline(root), undisturbed, moment, seconds)
        if crash is not None:
            with lock:
                found.append((crash, outcome))

    times = [("", chance.uniform(0.1, undisturbed.seconds)) for _ in range(RANDOM_KILLS)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda given: one(*given), [*((moment, 0.0) for moment in undisturbed.moments), *times]))
    print(matrix(found))
    wrong = [f"{crash.moment}: {outcome}" for crash, outcome in found if outcome != "equal"]
    assert not wrong, "\n".join(wrong)
    assert len(found) >= 300


def _killed_once(pipeline: Pipeline, undisturbed: Undisturbed, moment: str, seconds: float) -> tuple[Crash | None, str]:
    try:
        crash = pipeline.killed(moment) if moment else pipeline.killed_after(seconds)
        if crash is None:
            assert not moment, f"{moment} was not met"
            return None, ""
        note(pipeline, crash)
        recover(pipeline, undisturbed.picture, [crash])
        return crash, "equal"
    except AssertionError as problem:
        return crash, f"{traceback.extract_tb(problem.__traceback__)[-1].line} {problem}".partition("\n")[0]
    finally:
        pipeline.close()


def matrix(found: Sequence[tuple[Crash, str]]) -> str:
    """A line for each kind of moment: kills, those that ended equal, and what the next apply found and left."""
    rows: dict[str, list[tuple[Crash, str]]] = defaultdict(list)
    for crash, outcome in found:
        kind = "at a random time" if crash.moment.startswith("at ") else re.sub(r"#\d+:", " : ", crash.moment)
        rows[kind].append((crash, outcome))
    width = max(map(len, rows))
    head = ("kills", "equal", "taken over", "interrupted", "staging", "left")
    lines = [f"{'moment':{width}}  " + "  ".join(head)]
    for kind, crashes in rows.items():
        kept = sum(crash.said.count("its result is kept") for crash, _ in crashes)
        interrupted = sum(crash.said.count(": was interrupted in apply") for crash, _ in crashes)
        equal = sum(outcome == "equal" for _, outcome in crashes)
        staging = sum(len(crash.staging) for crash, _ in crashes)
        left = sum(len(crash.left) for crash, _ in crashes)
        cells = (len(crashes), equal, kept, interrupted, staging, left)
        lines.append(f"{kind:{width}}  " + "  ".join(f"{n:>{len(h)}}" for n, h in zip(cells, head, strict=True)))
    equal = sum(outcome == "equal" for _, outcome in found)
    left_over = Counter(re.sub(r"/[^/]*$", "/*", path) for crash, _ in found for path in crash.left)
    lines += [f"{len(found)} kills, {equal} equal to an undisturbed apply", f"left over: {dict(left_over)}"]
    return "\n".join(lines)
