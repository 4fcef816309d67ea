"""The hint at the nearest known name, and that it costs little even among very many names."""

from __future__ import annotations

import time

from tests.measuring import peer_seconds
from zenctl.diagnostics import did_you_mean


def test_the_nearest_name() -> None:
    assert did_you_mean("epohcs", ["epochs", "steps"]) == ' Did you mean "epochs"?'
    assert did_you_mean("x", ["epochs", "steps"]) == ""
    assert did_you_mean("vra", iter(["var"])) == ' Did you mean "var"?'


def test_it_stays_cheap_among_many_and_long_names() -> None:
    names = [f"name{number}" for number in range(50_000)]
    assert did_you_mean("nme17", [*names[:400], "other"]) != ""
    began = time.process_time()
    for _ in range(5):
        did_you_mean("nmae17", names)
        did_you_mean("n" * 100_000, names)
        did_you_mean("n", ["n" * 100_000])
    assert time.process_time() - began < 10 * peer_seconds()
