"""Orders and results survive their JSON form; what is newer or broken is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.jobs.result import JobError, JobResult, JobWarning, OutputResult
from zenctl.jobs.spec import Entry, InputSpec, JobSpec, OutputSpec, VirtualEnvironment
from zenctl.jobs.wire import WireError, result_from_json, result_to_json, spec_from_json, spec_to_json

TEXT = st.text(max_size=8)
PLAIN = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT | st.lists(TEXT, max_size=2)
PARAMS = st.dictionaries(TEXT, PLAIN, max_size=3)
STRINGS = st.dictionaries(TEXT, TEXT, max_size=3)

SPECS = st.builds(
    JobSpec,
    job_id=TEXT,
    address=TEXT,
    entry=st.builds(Entry, file=TEXT, module=TEXT, function=TEXT, command=st.lists(TEXT, max_size=3).map(tuple)),
    inputs=st.dictionaries(TEXT, st.builds(InputSpec, TEXT, TEXT, TEXT), max_size=2),
    outputs=st.dictionaries(TEXT, st.builds(OutputSpec, TEXT, st.booleans()), max_size=2),
    params=PARAMS,
    locations=STRINGS,
    expect=STRINGS,
    code=TEXT,
    imports=st.lists(TEXT, max_size=3).map(tuple),
    environment=STRINGS,
    secrets=STRINGS,
    processing=PARAMS,
    timeout=st.none() | st.integers(1, 10**6).map(float),
    virtual_environment=st.none()
    | st.builds(
        VirtualEnvironment,
        TEXT,
        st.tuples(TEXT),
        st.lists(TEXT, max_size=2).map(tuple),
        STRINGS,
        STRINGS,
        st.booleans(),
        st.booleans(),
    ),
)
RESULTS = st.builds(
    JobResult,
    job_id=TEXT,
    outputs=st.dictionaries(TEXT, st.builds(OutputResult, TEXT, TEXT, st.just(1), st.just(2), PARAMS), max_size=2),
    error=st.none() | st.builds(JobError, TEXT, TEXT, TEXT, TEXT, st.integers(0, 99), TEXT),
    environment=PARAMS,
    started=st.floats(0, 1e9),
    ended=st.floats(0, 1e9),
    warnings=st.lists(st.builds(JobWarning, TEXT, TEXT), max_size=3).map(tuple),
)


@given(SPECS)
def test_orders_round_trip(spec: JobSpec) -> None:
    data = spec_to_json(spec)
    assert spec_from_json(data) == spec
    assert spec_to_json(spec_from_json(data)) == data


@given(RESULTS)
def test_results_round_trip(result: JobResult) -> None:
    assert result_from_json(result_to_json(result)) == result


def test_a_result_from_before_there_were_warnings_has_none() -> None:
    raw = json.loads(result_to_json(JobResult("j")))
    del raw["warnings"]
    assert result_from_json(json.dumps(raw).encode()) == JobResult("j", warnings=())


@pytest.mark.parametrize("read", [spec_from_json, result_from_json])
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"{", "not JSON"),
        (b"[]", "no format number"),
        (b"{}", "no format number"),
        (b'{"format": 2}', "update zenctl"),
        (b'{"format": 1}', "entry|outputs"),
        (b'{"format": 1, "entry": {"command": []}, "inputs": {"a": {}}, "outputs": {}, "error": null}', "json"),
    ],
)
def test_what_is_broken_or_newer_is_refused(read: object, data: bytes, text: str) -> None:
    with pytest.raises(WireError, match=text):
        read(data)  # type: ignore[operator]


def test_unknown_fields_are_not_guessed_at() -> None:
    raw = json.loads(spec_to_json(JobSpec("j", "a", Entry())))
    with pytest.raises(WireError, match="surprise"):
        spec_from_json(json.dumps({**raw, "surprise": 1}).encode())
