"""Equal training gives an equal digest: what changes at every save is taken out of a model."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from zenctl.jobs.artifacts import scan_folder
from zenctl.jobs.spec import OutputSpec
from zenctl.runner.models import normalise

from .conftest import RunnerBench


def save(path: Path, date: str, year: int, weights: bytes = b"weights") -> None:
    """A `.keras` archive as Keras writes it, and a SavedModel beside it."""
    path.mkdir()
    with zipfile.ZipFile(path / "model.keras", "w") as archive:
        metadata = json.dumps({"keras_version": "3.5.0", "date_saved": date})
        for name, data in (("metadata.json", metadata.encode()), ("config.json", b"{}"), ("model.weights.h5", weights)):
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6)), data)
    (path / "saved").mkdir()
    (path / "saved" / "saved_model.pb").write_bytes(b"graph")
    (path / "saved" / "fingerprint.pb").write_bytes(date.encode())


def test_two_saves_are_equal(tmp_path: Path) -> None:
    save(tmp_path / "a", "2026-01-01@10:00:00", 2026)
    save(tmp_path / "b", "2026-02-02@20:00:00", 2025)
    assert scan_folder(tmp_path / "a") != scan_folder(tmp_path / "b")
    normalise(tmp_path / "a")
    normalise(tmp_path / "b")
    assert scan_folder(tmp_path / "a") == scan_folder(tmp_path / "b")
    assert not (tmp_path / "a" / "saved" / "fingerprint.pb").exists()
    with zipfile.ZipFile(tmp_path / "a" / "model.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert json.loads(archive.read("metadata.json"))["keras_version"] == "3.5.0"
        assert archive.read("model.weights.h5") == b"weights"


def test_other_weights_stay_different(tmp_path: Path) -> None:
    save(tmp_path / "a", "2026-01-01@10:00:00", 2026)
    save(tmp_path / "b", "2026-01-01@10:00:00", 2026, weights=b"other")
    normalise(tmp_path / "a")
    normalise(tmp_path / "b")
    assert scan_folder(tmp_path / "a") != scan_folder(tmp_path / "b")


def test_what_is_no_archive_stays(tmp_path: Path) -> None:
    (tmp_path / "x.keras").write_bytes(b"not a zip")
    (tmp_path / "fingerprint.pb").write_bytes(b"alone: the user's own file")
    normalise(tmp_path)
    assert (tmp_path / "x.keras").read_bytes() == b"not a zip"
    assert (tmp_path / "fingerprint.pb").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_the_runner_does_it_for_models_only(bench: RunnerBench) -> None:
    source = "import zipfile\ndef step(a, b):\n    for out in (a, b):\n"
    source += "        with zipfile.ZipFile(out.path / 'm.keras', 'w') as z:\n"
    source += "            z.writestr('metadata.json', '{\"date_saved\": 1}')\n"
    result = bench.succeed(bench.order(source, outputs={"a": OutputSpec("Model"), "b": OutputSpec("Artifact")}))
    assert b"1980-01-01" in bench.files(result, "a")["m.keras"]
    assert b"1980-01-01" not in bench.files(result, "b")["m.keras"]
