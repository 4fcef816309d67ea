"""The text datasource: lines or files as rows, and bytes that are no text told by their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.sdk import StepError
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.testing import (
    SourceCase,
    SourceConformance,
    job_of,
    objections,
    observed,
    refusal,
    removal,
    snapshot,
    source_of,
)
from zenctl.steps.text import ingest as ingesting
from zenctl.steps.text.schema import TEXT, Text


def case_of(root: Path, path: str = "f.txt", **attributes: Any) -> SourceCase:
    return SourceCase(TEXT, Text(path=path, **attributes), root, lambda: None, removal(root / path))


@pytest.mark.parametrize("row", ["line", "file"])
class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path, row: str, monkeypatch: pytest.MonkeyPatch) -> SourceCase:
        monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
        (tmp_path / "texts").mkdir()

        def write(word: str) -> None:
            for at in range(40):
                text = "".join(f"line {line} of {word if at == 20 else at}\n\n" for line in range(9))
                (tmp_path / f"texts/{at:02}.txt").write_text(text)

        write("before")
        model = Text.model_validate({"path": "texts", "row": row})
        return SourceCase(TEXT, model, tmp_path, lambda: write("behind"), removal(tmp_path / "texts"))


def test_lines_and_files(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf1\r\n\n  \t\nn\xc3\xa4chste \n")
    (tmp_path / "a.txt").write_bytes(b'"x\n')
    assert list(snapshot(case_of(tmp_path, "*.txt"), tmp_path / "out")) == [
        {"text": '"x', "path": "a.txt"},
        {"text": "1", "path": "b.txt"},
        {"text": "nächste ", "path": "b.txt"},
    ]
    assert list(snapshot(case_of(tmp_path, "*.txt", row="file"), tmp_path / "whole")) == [
        {"text": '"x\n', "path": "a.txt"},
        {"text": "1\r\n\n  \t\nnächste \n", "path": "b.txt"},
    ]


def test_a_file_under_another_name_is_another_source(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("x\n")
    before = observed(case_of(tmp_path, "*.txt"))
    (tmp_path / "f.txt").rename(tmp_path / "g.txt")
    assert observed(case_of(tmp_path, "*.txt")).digest != before.digest


def refused(root: Path, data: bytes, **attributes: Any) -> StepError:
    (root / "f.txt").write_bytes(data)
    return refusal(case_of(root, **attributes), root / "out")


def test_bytes_that_are_no_text_are_told_by_their_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
    problem = refused(tmp_path, b"good line\n" * 500 + b"caf\xe9\n")
    assert problem.message == "f.txt:501: not UTF-8: byte 0xe9 in 'caf\\xe9'"
    assert problem.line == 501


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "source_empty: there are no lines with text in f.txt"),
        (b" \n\n", "source_empty: "),
        (b"\x1f\x8b", "source_format: f.txt: not text in UTF-8 but gzip"),
        (b"ELF\0", "source_format: f.txt: not text in UTF-8 but binary: it holds NUL bytes"),
    ],
)
def test_plan_refuses_what_is_no_text(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "f.txt").write_bytes(data)
    assert said in objections(case_of(tmp_path))


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=12), max_size=12),
    st.integers(3, 60),
)
def test_lines_do_not_depend_on_parts(tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int) -> None:
    root = tmp_path_factory.mktemp("text")
    filled = [line for line in lines if line.encode().strip()]
    (root / "f.txt").write_bytes("\n".join(["first", *lines]).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingesting, "PART", PartSize(size, size, 4 * size))
        case = case_of(root)
        state = observed(case)
        source = source_of(case, job_of(case, state, root / "job"))
        found = [row["text"] for part in range(source.parts) for b in source.read(part) for row in b.to_pylist()]
    assert found == ["first", *(line.removesuffix("\r") for line in filled)]
    assert state.rows == len(found)
