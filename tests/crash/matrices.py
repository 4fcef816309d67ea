"""Many crashes, each in a pipeline of its own, beside an apply that nothing disturbs; tells what came of each."""

from __future__ import annotations

import os
import random
import re
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.crash.clouds import cloud
from tests.crash.crashing import Crash, Picture, Pipeline, note, recover

SEED = int(os.environ.get("ZENCTL_TEST_SEED", "5"))


@dataclass(frozen=True)
class Undisturbed:
    """What an apply that nothing disturbs brings about, the moments that it comes through, and how long it takes."""

    picture: Picture
    moments: list[str]
    seconds: float


@dataclass(frozen=True)
class Case:
    """One crash: what is done to a pipeline. `sure` says that it must come to that, whatever time decides."""

    name: str
    crash: Callable[[Pipeline], Crash | None]
    sure: bool = True


def examined(pipeline: Pipeline) -> Undisturbed:
    """Apply to the end, and close the pipeline."""
    began = time.monotonic()
    moments = pipeline.undisturbed()
    seconds = time.monotonic() - began
    try:
        assert pipeline.is_up_to_date()
        assert pipeline.staging() == []
        return Undisturbed(pipeline.picture(), moments, seconds)
    finally:
        pipeline.close()


def kills(undisturbed: Undisturbed, random_ones: int) -> list[Case]:
    """A kill of zenctl at each moment, and some at random times."""
    chance = random.Random(SEED)
    print(f"\nZENCTL_TEST_SEED={SEED}: {len(undisturbed.moments)} moments, and {random_ones} random times")
    times = [chance.uniform(0.1, undisturbed.seconds) for _ in range(random_ones)]
    return [
        *(Case(moment, partial(Pipeline.killed, moment=moment)) for moment in undisturbed.moments),
        *(Case("at a time", partial(Pipeline.killed_after, seconds=at), sure=False) for at in times),
    ]


def kill_all(
    folder: Path, undisturbed: Undisturbed, cases: Sequence[Case], *, machines: bool = False, workers: int = 2
) -> int:
    """Carry them out and print what came of each; all must end equal to the undisturbed apply. Gives how many."""
    lock = threading.Lock()
    found: list[tuple[Crash, str]] = []

    def one(number: int) -> None:
        began = time.monotonic()
        with cloud() if machines else nullcontext() as place:
            crash, outcome = _crashed(Pipeline(folder / f"p{number}", place), undisturbed, cases[number])
        if crash is not None:
            with lock:
                found.append((crash, outcome))
                seconds = time.monotonic() - began
                print(f"{len(found)} of {len(cases)}: {crash.moment}: {outcome} ({seconds:.0f} s)", flush=True)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(one, range(len(cases))))
    print(matrix(found))
    wrong = [f"{crash.moment}: {outcome}" for crash, outcome in found if outcome != "equal"]
    assert not wrong, "\n".join(wrong)
    return len(found)


def _crashed(pipeline: Pipeline, undisturbed: Undisturbed, case: Case) -> tuple[Crash | None, str]:
    crash: Crash | None = None
    try:
        crash = case.crash(pipeline)
        if crash is None:
            assert not case.sure, f"{case.name} was not met"
            return None, ""
        note(pipeline, crash)
        recover(pipeline, undisturbed.picture, [crash])
        return crash, "equal"
    except AssertionError as problem:
        last = traceback.extract_tb(problem.__traceback__)[-1]
        return crash or Crash(case.name), f"{last.line} {problem}".partition("\n")[0]
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
