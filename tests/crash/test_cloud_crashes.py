"""The same with steps on machines of a cloud, which are taken away, too: none is left, and none is lost from sight."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.crash.clouds import STRIKES, Cloud, cloud
from tests.crash.crashing import Pipeline, note, recover
from tests.crash.matrices import Case, Undisturbed, examined, kill_all, kills
from tests.documented import expect_documented

RANDOM_KILLS = 20

MOMENTS = (
    "apply/machine insert#1:after",
    "machine step-python-fit/result#1:before",
    "apply/metadata run COMPLETE step.python.score#1:after",
)
"""Where the ordinary test kills zenctl, one apply after the other."""

LOST = (
    ("operation", ""),
    ("instances.insert", ""),
    ("zoneOperations.get", ""),
    ("instances.get", ""),
    ("instances.delete", ""),
    ("objects.insert", ".order"),
    ("objects.insert", "/begun.json"),
    ("objects.insert", "/blobs/"),
    ("objects.insert", "/log/"),
    ("objects.insert", "/result.json"),
    ("objects.insert", "/ended.json"),
    ("objects.delete", "/queues/"),
)
"""Calls whose answers are lost, and of which objects."""

REFUSED = ("instances.insert", "zoneOperations.get", "instances.get", "instances.delete")
"""Calls that are refused once."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What an apply brings about whose steps run here: where they run makes no difference."""
    return examined(Pipeline(tmp_path_factory.mktemp("undisturbed") / "p"))


@pytest.fixture
def place() -> Iterator[Cloud]:
    with cloud() as made:
        yield made


def test_killed_again_and_again_with_machines(undisturbed: Undisturbed, place: Cloud, tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "p", place)
    try:
        crashes = []
        for moment in MOMENTS:
            crash = pipeline.killed(moment)
            assert crash is not None, moment
            note(pipeline, crash)
            crashes.append(crash)
        recover(pipeline, undisturbed.picture, crashes)
        expect_documented("zenctl is killed before it has deleted its machine", crashes[-1].said)
    finally:
        pipeline.close()


@pytest.mark.crash
@pytest.mark.timeout(10800)
def test_killed_at_every_moment_with_machines(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Also the machines are ended at every moment that they come to, and each kind of answer is lost once."""
    with cloud() as first:
        alone = examined(Pipeline(tmp_path / "undisturbed", first))
    assert alone.picture == undisturbed.picture
    cases = [*_lost(), *_struck(alone), *kills(alone, RANDOM_KILLS)]
    assert kill_all(tmp_path, undisturbed, cases, machines=True) >= 250


def _struck(alone: Undisturbed) -> Iterator[Case]:
    """Each moment of a machine with one of the things that can happen to it, in turn."""
    kinds = list(STRIKES)
    moments = [moment for moment in alone.moments if moment.startswith("machine ")]
    for number, moment in enumerate(moments):
        # One further from job to job, so that a kind does not meet the same writes of each.
        jobs = len({before.partition("/")[0] for before in moments[: number + 1]})
        what = kinds[(number + jobs) % len(kinds)]
        yield Case(f"{what} at {moment}", partial(Pipeline.struck, moment=moment, what=what))


def _lost() -> Iterator[Case]:
    for method, key in LOST:
        yield Case(f"lost answer of {method} {key}", partial(Pipeline.misheard, method=method, key=key))
    for method in REFUSED:
        yield Case(f"{method} refused", partial(Pipeline.refused, method=method))
