"""Objects of JSON files as lines: what Python's parser finds in them, however they are written and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenctl.steps.data.problems import FileProblem
from zenctl.steps.jsonl import elements
from zenctl.steps.jsonl.elements import lay_out

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('ab\\"{}[],:é\n'), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('a\\"{]'), max_size=3), inner),
    max_leaves=6,
)


def laid_out(root: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Each line and the line of the file that it comes from."""
    (root / "f.json").write_bytes(data)
    found, _ = lay_out(root / "f.json", root / "lines", root / "places")
    lines = (root / "lines").read_bytes().split(b"\n")[:-1]
    assert (root / "places").stat().st_size == 8 * len(lines)
    return [(found.line(at), line) for at, line in enumerate(lines)]


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.dictionaries(st.text("ab{", max_size=2), VALUE, max_size=3), max_size=8),
    indent=st.sampled_from([None, 0, 1]),
    step=st.integers(1, 40),
    array=st.booleans(),
)
def test_any_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any], indent: int | None, step: int, array: bool
) -> None:
    monkeypatch.setattr(elements, "_READ", step)
    texts = [json.dumps(row, ensure_ascii=False, indent=indent) for row in rows]
    text = json.dumps(rows, ensure_ascii=False, indent=indent) if array else " \n".join(texts)
    if not text:
        return
    found = laid_out(tmp_path, b"\n " + text.encode() + b"\n")
    assert [json.loads(line) for _, line in found] == rows
    if not array:
        begins = [2 + sum(text.count("\n") + 1 for text in texts[:at]) for at in range(len(texts))]
        assert [line for line, _ in found] == begins


def test_a_place_is_the_line_on_which_an_object_begins(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf[\n  {"a": 1},\n  {\n"a": "}\\\\\\"{"\n}\n, {"a": 3}, 7,\n{}]\n\n'
    assert laid_out(tmp_path, data) == [
        (2, b'{"a": 1}'),
        (3, b'{\r"a": "}\\\\\\"{"\r}'),
        (6, b'{"a": 3}'),
        (6, b"7"),
        (7, b"{}"),
    ]
    assert laid_out(tmp_path, b"[]") == laid_out(tmp_path, b" [ \n ] ") == []


@pytest.mark.parametrize(
    ("data", "said", "line"),
    [
        (b"", "the file is empty", 0),
        (b" \n", "the file is empty", 0),
        (b'[{"a": 1},\n{"a": ', "it is cut off in element 2", 1),
        (b'[{"a": 1},\n{"a": "x', "it is cut off in element 2", 1),
        (b'[{"a": 1}', "it is cut off in element 2", 1),
        (b'{"a": 1}{"a', "it is cut off in element 2", 1),
        (b'[{"a": 1}] {"a": 2}', "something follows the array", 1),
        (b'[{"a": 1} {"a": 2}]', "a comma is missing between elements", 1),
        (b'[{"a": 1}\n7 {"a": 2}]', "a comma is missing between elements", 1),
        (b'[{"a": 1},,{"a": 2}]', "a comma stands where an element should be", 1),
        (b'[,{"a": 1}]', "a comma stands where an element should be", 1),
        (b'[{"a": 1},]', "a comma stands before the end of the array", 1),
        (b'{"a": 1}]', "a bracket is closed that was not opened", 1),
        (b'{"a": 1},{"a": 1}', "a comma stands where an element should be", 1),
    ],
)
def test_what_is_no_list_of_objects(tmp_path: Path, data: bytes, said: str, line: int) -> None:
    with pytest.raises(FileProblem) as caught:
        laid_out(tmp_path, data)
    assert (caught.value.message, caught.value.line) == (said, line)


def test_an_object_is_not_held_beyond_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "MAX_ROW", 1000)
    monkeypatch.setattr(elements, "_READ", 100)
    with pytest.raises(FileProblem, match="element 2 is larger than 1,000 bytes"):
        laid_out(tmp_path, b'[{"a": 1}, {"a": "' + b"x" * 2000 + b'"}]')
