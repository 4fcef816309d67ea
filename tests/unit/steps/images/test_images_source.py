"""The images datasource: labels by folder or by file, and images that are none or cut off."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from zenctl.sdk import StepError
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.testing import (
    SourceCase,
    SourceConformance,
    objections,
    observed,
    refusal,
    removal,
    snapshot,
)
from zenctl.steps.images import ingest as ingesting
from zenctl.steps.images.formats import format_of, problem_of
from zenctl.steps.images.schema import IMAGES, Images


def png(shade: int) -> bytes:
    """A grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes([0, shade]))) + chunk(b"IEND", b"")


IMAGES_OF = {
    "PNG": png(7),
    "JPEG": b"\xff\xd8\xff\xe0" + b"x" * 300 + b"\xff\xd9",
    "GIF": b"GIF89a" + b"x" * 30 + b";",
    "BMP": b"BM" + struct.pack("<IHHIIiiHH", 66, 0, 0, 54, 40, 2, 2, 1, 24) + bytes(66 - 30),
    "WebP": b"RIFF" + struct.pack("<I", 40) + b"WEBP" + bytes(36),
}


def write(root: Path, **images: bytes) -> None:
    for name, data in images.items():
        path = root / "images" / name.replace("__", "/").replace("_png", ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def case_of(root: Path, **attributes: Any) -> SourceCase:
    return SourceCase(IMAGES, Images(path="images", **attributes), root, lambda: None, removal(root / "images"))


class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceCase:
        monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
        write(tmp_path, **{f"{'cat' if at % 2 else 'dog'}__{at:02}_png": png(at) for at in range(40)})
        return SourceCase(
            IMAGES,
            Images(path="images"),
            tmp_path,
            lambda: write(tmp_path, dog__20_png=png(255)),
            removal(tmp_path / "images"),
        )


def test_folders_are_labels(tmp_path: Path) -> None:
    write(tmp_path, dog__b_png=png(1), cat__deep__a_png=png(2), cat__notes=b"no image")
    (tmp_path / "images/.cache").mkdir()
    (tmp_path / "images/.cache/x.png").write_bytes(b"bad")
    data = snapshot(case_of(tmp_path), tmp_path / "out")
    assert list(data) == [
        {"image": png(2), "label": "cat", "path": "cat/deep/a.png"},
        {"image": png(1), "label": "dog", "path": "dog/b.png"},
    ]
    before = observed(case_of(tmp_path))
    (tmp_path / "images/dog").rename(tmp_path / "images/wolf")
    assert observed(case_of(tmp_path)).digest != before.digest


def test_images_without_folders_have_no_label(tmp_path: Path) -> None:
    write(tmp_path, a_png=png(1), b_png=png(2))
    assert [row["label"] for row in snapshot(case_of(tmp_path), tmp_path / "out")] == [None, None]
    write(tmp_path, cat__c_png=png(3))
    assert "source_labels: images: a.png lies beside folders of images: it has no label" in objections(
        case_of(tmp_path)
    )


def test_a_file_of_labels(tmp_path: Path) -> None:
    write(tmp_path, a_png=png(1), b_png=png(2), x__c_png=png(3))
    labels = tmp_path / "labels.csv"
    labels.write_text('label,file,by\n"big, cat",x/c.png,me\ndog,./a.png,you\n')
    data = snapshot(case_of(tmp_path, labels="labels.csv"), tmp_path / "out")
    assert [(row["path"], row["label"]) for row in data] == [("a.png", "dog"), ("x/c.png", "big, cat")]
    before = observed(case_of(tmp_path, labels="labels.csv"))
    labels.write_text("label,file\ncat,x/c.png\ndog,a.png\n")
    assert observed(case_of(tmp_path, labels="labels.csv")).digest != before.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,lable\na.png,dog\n", 'labels.csv:1: it has no column "label"'),
        ("file,label\na.png,dog\nz.png,cat\n", "labels.csv:3: there is no image z.png"),
        ("file,label\na.png,\n", "labels.csv:2: it names no file, or no label"),
        ("file,label\n../f,x\n", "labels.csv:2: it names no file, or no label"),
        ("file,label\na.png,x\n./a.png,y\n", "labels.csv:3: a.png is there twice"),
        ("", 'labels.csv:1: it has no column "file"'),
    ],
)
def test_bad_labels_are_told_by_their_line(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, a_png=png(1))
    (tmp_path / "labels.csv").write_text(text)
    assert f"source_labels: {said}" in objections(case_of(tmp_path, labels="labels.csv"))


@pytest.mark.parametrize("kind", IMAGES_OF)
def test_formats_are_told_by_their_first_bytes_and_must_have_an_end(kind: str) -> None:
    data = IMAGES_OF[kind]
    assert (format_of(data), problem_of(data)) == (kind, "")
    assert problem_of(data[:-2]) == f"the {kind} image is cut off"
    assert all(problem_of(data[:at]) for at in range(len(data) - 1))


def test_every_bad_image_is_told_by_plan(tmp_path: Path) -> None:
    write(tmp_path, cat__a_png=png(1), cat__b_png=png(2)[:40], dog__c_png=b"", dog__d_png=b"<html>")
    said = objections(case_of(tmp_path))
    assert "source_format: images/cat/b.png: the PNG image is cut off" in said
    assert "source_format: images/dog/c.png: the file is empty" in said
    assert "images/dog/d.png: it is no PNG, JPEG, GIF, BMP or WebP image: it begins with b'<html>'" in said
    assert "a.png" not in said


def test_the_job_looks_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, cat__a_png=png(1), cat__b_png=png(2)[:40])
    monkeypatch.setattr("zenctl.steps.images.observe.problem_of", lambda _: "")
    problem: StepError = refusal(case_of(tmp_path), tmp_path / "out")
    assert problem.message == "cat/b.png: the PNG image is cut off"


def test_missing_folders(tmp_path: Path) -> None:
    assert "source_missing: the folder images is not there" in objections(case_of(tmp_path))
    (tmp_path / "images").mkdir()
    assert "source_empty: there are no images in images" in objections(case_of(tmp_path))
    assert "source_missing: there is no file l.csv" in objections(case_of(tmp_path, labels="l.csv"))
