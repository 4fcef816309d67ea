"""Versions of distributions for modules, in made-up site-packages folders."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from zenctl.fingerprint import environment
from zenctl.fingerprint.environment import compare, installed

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def distribution(site: Path, name: str, version: str, files: list[str]) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))


def versions(site: Path, *names: str, cache: Path | None = None) -> dict[str, Any]:
    found = installed(names, cache or site.parent / "cache", [str(site), str(site.parent / "missing")])
    assert found["python"] == PYTHON
    return dict(found["distributions"])


def test_modules_and_distributions(tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "numpy", "2.1.3", ["numpy/__init__.py"])
    distribution(site, "scikit_learn", "1.5", ["sklearn/__init__.py"])
    distribution(site, "tensorflow_cpu", "2.19.1", ["tensorflow/__init__.py", "tensorflow/python/a.py", "../../bin/x"])
    distribution(site, "One_File", "3", ["one.py"])
    distribution(site, "binary", "4+cu12", ["_fast.cpython-311-x86_64-linux-gnu.so"])
    expected = {
        "numpy": "2.1.3",
        "scikit-learn": "1.5",
        "tensorflow-cpu": "2.19.1",
        "one-file": "3",
        "binary": "4+cu12",
        "pillow": None,
        "nowhere": None,
    }
    assert versions(site, "numpy", "sklearn", "tensorflow", "one", "_fast", "PIL", "nowhere") == expected
    assert versions(site, "tensorflow-cpu", "scikit_learn") == {"tensorflow-cpu": "2.19.1", "scikit-learn": "1.5"}


def test_packages_that_share_a_name_are_told_apart(tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(
        site, "google_cloud_storage", "2", ["google/cloud/storage/__init__.py", "google/cloud/storage/blob.py"]
    )
    distribution(site, "google_cloud_compute", "1", ["google/cloud/compute_v1/__init__.py"])
    distribution(site, "protobuf", "4", ["google/protobuf/message.py", "google/_upb/_message.abi3.so"])
    assert versions(site, "google.cloud.storage") == {"google-cloud-storage": "2"}
    assert versions(site, "google.cloud.storage.Client") == {"google-cloud-storage": "2"}
    assert versions(site, "google.protobuf") == {"protobuf": "4"}
    assert set(versions(site, "google.cloud")) == {"google-cloud-storage", "google-cloud-compute"}


def test_lists_of_files_are_read_once(tmp_path: Path, monkeypatch: Any) -> None:
    site = tmp_path / "site"
    distribution(site, "tensorflow_cpu", "2.19", ["tensorflow/__init__.py"])
    assert versions(site, "tensorflow") == {"tensorflow-cpu": "2.19"}
    scans: list[int] = []
    scan = environment._scan
    monkeypatch.setattr(environment, "_scan", lambda found: scans.append(1) or scan(found))
    assert versions(site, "tensorflow") == {"tensorflow-cpu": "2.19"}
    assert versions(site, "missing") == {"missing": None}
    assert not scans
    distribution(site, "missing_impl", "1", ["missing/__init__.py"])
    os.utime(site, ns=(1, 1))
    assert versions(site, "missing") == {"missing-impl": "1"}
    assert scans == [1]


def test_names_that_are_found_directly_need_no_lists(tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "numpy", "2", ["numpy/__init__.py"])
    assert versions(site, "numpy") == {"numpy": "2"}
    assert not (tmp_path / "cache").exists()


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "tensorflow_cpu", "2.19", ["tensorflow/__init__.py"])
    for text in ("", "{", "[]", '{"format": 1}', json.dumps({"format": 1, "stamp": [], "owners": 5})):
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache/modules.json").write_text(text)
        assert versions(site, "tensorflow") == {"tensorflow-cpu": "2.19"}


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "tensorflow_cpu", "2.19", ["tensorflow/__init__.py"])
    (tmp_path / "file").write_text("")
    assert versions(site, "tensorflow", cache=tmp_path / "file" / "cache") == {"tensorflow-cpu": "2.19"}


def test_the_first_folder_on_the_path_counts(tmp_path: Path) -> None:
    for name, version in (("a", "1"), ("b", "2")):
        distribution(tmp_path / name, "numpy", version, [])
    found = installed(["numpy"], tmp_path / "cache", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert found["distributions"] == {"numpy": "1"}


def test_what_is_installed_here(tmp_path: Path) -> None:
    from importlib.metadata import version

    found = installed(["yaml", "pytest", "google.protobuf"], tmp_path)["distributions"]
    assert found == {"pyyaml": version("PyYAML"), "pytest": version("pytest"), "protobuf": version("protobuf")}


def test_compare() -> None:
    before = {"python": "3.10", "distributions": {"a": "1", "b": "1", "c": "1", "d": "1"}}
    now = {"python": "3.11", "distributions": {"a": "1", "b": "2", "d": None, "e": "1", "f": None}}
    found = [str(change) for change in compare(before, now)]
    assert found == ["python 3.10 -> 3.11", "b 1 -> 2", "c 1 -> (none)", "e (none) -> 1"]
    assert compare(before, before) == []
    assert compare({}, {}) == []
