"""Secrets in a job: resolved by its own identity, hidden in every form in which a log may show them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import secret_manager
from tests.unit.runner.conftest import RunnerBench, value
from zenctl.jobs.secrets.values import MOST
from zenctl.jobs.stores.opening import ACCESS
from zenctl.runner.masking import Mask, _overlap
from zenctl.runner.secrets import HIDDEN, hideable, redact, resolve
from zenctl.sdk.errors import StepError

KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nshort\n-----END KEY-----"

PRINTS = """
import base64, json, os, sys
def step():
    key = os.environ["KEY"]
    print("plain", key)
    print("repr", [key], json.dumps({"key": key}))
    print("base64", base64.b64encode(key.encode()).decode())
    for line in key.splitlines():
        print("line", line, file=sys.stderr)
    if FAILS:
        raise ValueError("cannot use " + key)
    return len(key)
"""


def test_each_scheme_is_resolved_and_each_problem_names_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "of the environment")
    (tmp_path / "key").write_text("of a file\n")
    assert resolve({"A": "env:HERE", "B": "file:key"}, tmp_path) == {"A": "of the environment", "B": "of a file"}
    (tmp_path / "large").write_bytes(b"x" * (MOST + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for reference, said in (
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("file:none", "the file none: No such file"),
        ("file:large", "more than 64 KiB"),
        ("file:binary", "not UTF-8"),
    ):
        with pytest.raises(StepError) as caught:
            resolve({"TOKEN": reference}, tmp_path)
        assert said in str(caught.value)
        assert f"the secret TOKEN ({reference})" in str(caught.value)
        assert caught.value.hint
    with pytest.raises(StepError, match="does not know secrets of the form vault:"):
        resolve({"TOKEN": "vault:x"}, tmp_path)


@pytest.mark.parametrize(
    "shown",
    [
        KEY,
        KEY.splitlines()[1],
        base64.b64encode(KEY.encode()).decode(),
        json.dumps(KEY),
        repr(KEY),
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    ],
)
def test_forms_of_a_value_that_are_hidden(shown: str) -> None:
    assert redact(f"a {shown} b", [KEY]).replace(HIDDEN, "").strip(" ab'\"=") == ""


def test_what_is_too_common_stays() -> None:
    assert redact("abc short", ["abc", KEY]) == "abc short"
    assert hideable(["abc"]) == []


def test_base64_that_is_broken_into_lines() -> None:
    text = base64.b64encode(KEY.encode() * 2).decode()
    broken = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    assert redact(broken, [KEY * 2]).replace(HIDDEN, "").strip() == ""


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=8))
def test_how_much_of_a_value_may_have_begun(text: str, wanted: str) -> None:
    longest = min(len(wanted) - 1, len(text))
    naive = next((size for size in range(longest, 0, -1) if text.endswith(wanted[:size])), 0)
    assert _overlap(text.encode(), wanted.encode()) == naive


@given(st.lists(st.integers(1, 40), max_size=12))
def test_a_key_in_pieces(sizes: list[int]) -> None:
    mask, data, shown = Mask([KEY]), f"x {KEY} y".encode(), b""
    for size in sizes:
        piece, data = data[:size], data[size:]
        shown += mask.feed(piece)
    shown += mask.feed(data) + mask.rest()
    assert shown == f"x {HIDDEN} y".encode()


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_asks_by_its_own_identity_and_nothing_shows_the_value(bench: RunnerBench, fails: bool) -> None:
    spec = bench.order(
        PRINTS.replace("FAILS", str(fails)), outputs=value(), secrets={"KEY": "gcp-secret:projects/p/secrets/key"}
    )
    with secret_manager.serving() as served:
        served.fake.add("projects/p/secrets/key", KEY)
        served.fake.grants[""] = {"projects/p/secrets/key"}
        told = {"secrets": {"gcp-secret": {"endpoint": served.endpoint, "anonymous": True}}}
        result = bench.run(spec, env={ACCESS: json.dumps(told)})
        assert served.fake.problems == []
    assert result is not None
    assert (result.error is None) is not fails
    if result.error is not None:
        assert f"cannot use {HIDDEN}" in result.error.message
    written = [bench.log, *(p.read_text("latin-1") for p in bench.root.rglob("*") if p.is_file())]
    for form in (KEY, KEY.splitlines()[1], base64.b64encode(KEY.encode()).decode(), json.dumps(KEY)):
        assert not any(form in text for text in written)
    assert bench.log.count(HIDDEN) >= 6


def test_a_job_without_the_permission_fails_before_its_code_runs(bench: RunnerBench) -> None:
    spec = bench.order(
        "def step():\n    print('it ran')\n    return 1\n",
        outputs=value(),
        secrets={"KEY": "gcp-secret:projects/p/secrets/key"},
    )
    with secret_manager.serving() as served:
        served.fake.grants[""] = set()
        told = {"secrets": {"gcp-secret": {"endpoint": served.endpoint, "anonymous": True}}}
        error = bench.fail(spec, env={ACCESS: json.dumps(told)})
    assert "the secret KEY (gcp-secret:projects/p/secrets/key) cannot be read" in error.message
    assert "roles/secretmanager.secretAccessor" in error.hint
    assert "it ran" not in bench.log
