"""Code that was recorded file by file stays up to date while no file of it changes, and changes once when one does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zenctl.fingerprint.code import Closure, closure
from zenctl.fingerprint.older import as_recorded
from zenctl.fingerprint.source import WorkingTree

FILES = {
    "steps/fit.py": '"""Fits."""\nimport helpers\n\n\ndef fit():\n    import unused\n    return helpers.scale(1)\n\n\n'
    "def other():\n    from extra import value\n    return value\n",
    "helpers.py": 'def scale(x: int) -> int:\n    """Scales."""\n    return x * 2\n',
    "unused.py": "x = 1\n",
    "extra.py": "value = 1\n",
    "config/a.json": "{}\n",
}
# What version 1 recorded of these files: of code as it is, of code with its docstrings, of every byte.
PLAIN: dict[str, Any] = {
    "entry": "steps/fit.py:fit",
    "digest": "80d5145bf29132ef54f2f0007069c027745ec22b9bf47e2df1cc4a836bfd6193",
    "files": {
        "config/a.json": "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356",
        "extra.py": "3214b33ba9773338457e46e461382af00371d847e1a1938c65577d550d45c084",
        "helpers.py": "ffadc7b0c9ff1fb89c0561348101a66e820448c61cd84d13fd00e149e470af5c",
        "steps/fit.py": "b4e1848e587e712d5baa5a97eb1aab893a8c9e1462881d6227d7e8d10bda1277",
        "unused.py": "4078a2a57043282451e503f7ccdd62f7c8b42da54a01dfa012df628197a3e083",
    },
}
DOCS: dict[str, Any] = {
    "entry": "steps/fit.py:fit",
    "digest": "00b197268f2bef692a65822c1d5e4979419a6802508e1ff94dfc9e381bb09e83",
    "files": {
        "config/a.json": "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356",
        "extra.py": "d62f155a077ca8049d324c06f3d578aa972174b3849745378eb53158094b4f70",
        "helpers.py": "80bcd7b46677a361f0010bd5bf368ad257106e2e29f8f82950bdab82aeb99024",
        "steps/fit.py": "1dd53c9fe05860af12ed4e248621f7b54c9efb7a8fb73e9bf3b09d7af29611a3",
        "unused.py": "ee23b5af3513f0804ca07ed9c52dbe2e46fda36b802fd69240451292ad751309",
    },
}
BYTES: dict[str, Any] = {
    "entry": "steps/fit.py:fit",
    "digest": "00692037d962eed50d5b9638b48e9735a3bcf02fd36cd7525de54e6d8aba1993",
    "files": {
        "config/a.json": "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356",
        "extra.py": "585c93666fcb046b7b264d3fa73202aa2a38254ae82a4b3ba19e873c2d5a9886",
        "helpers.py": "8a6f5bba86ce1453b74bfd0d013f64f6a7c9fcfad3cc8fef316c5396d4b59118",
        "steps/fit.py": "70365675e54c40e37d440ed485630c7d7963b32b0c3d472bb76e2dccc4b2a0d6",
        "unused.py": "9e26bf369911c45c243c684147b23fc9e1dcfcf257d299a1c632016a6fcd33f4",
    },
}


def recorded(code: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "environment": {"python": "3.11", "distributions": {"numpy": "2.1.3"}}}


def find(root: Path, files: dict[str, str]) -> tuple[WorkingTree, Closure]:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    tree = WorkingTree(root)
    found, diagnostics = closure(tree, "steps/fit.py", "fit", ("config/*.json",))
    assert found is not None, diagnostics
    return tree, found


@pytest.mark.parametrize(
    ("code", "first_line"),
    [(PLAIN, ""), (DOCS, "import inspect\n"), (BYTES, "from inspect import getsource\n")],
    ids=["code", "docstrings", "bytes"],
)
def test_the_same_files_are_the_recorded_code(code: dict[str, Any], first_line: str, tmp_path: Path) -> None:
    tree, now = find(tmp_path, {**FILES, "helpers.py": first_line + FILES["helpers.py"]})
    found = as_recorded(tree, now, recorded(code))
    assert found == replace(
        now, digest=code["digest"], files=code["files"], definitions={}, third_party=frozenset({"numpy"})
    )
    assert found.sources.keys() == {"steps/fit.py", "helpers.py", "unused.py", "config/a.json"}


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_changed_makes_it_another_code(path: str, tmp_path: Path) -> None:
    changed = FILES[path].replace("1", "5").replace("2", "6").replace("{}", "[]")
    tree, now = find(tmp_path, {**FILES, path: changed})
    assert as_recorded(tree, now, recorded(PLAIN)) is now


def test_a_comment_does_not(tmp_path: Path) -> None:
    tree, now = find(tmp_path, {**FILES, "helpers.py": "# scales\n" + FILES["helpers.py"]})
    assert as_recorded(tree, now, recorded(PLAIN)).digest == PLAIN["digest"]


def test_a_file_that_hides_one_of_them_makes_it_another_code(tmp_path: Path) -> None:
    tree, now = find(tmp_path, {**FILES, "helpers/__init__.py": "def scale(x): return x"})
    assert as_recorded(tree, now, recorded(PLAIN)) is now


def test_a_file_that_is_gone_makes_it_another_code(tmp_path: Path) -> None:
    tree, now = find(tmp_path, {path: text for path, text in FILES.items() if path != "extra.py"})
    assert as_recorded(tree, now, recorded(PLAIN)) is now


def test_an_entry_that_moved_is_another_code(tmp_path: Path) -> None:
    tree, now = find(tmp_path, FILES)
    assert as_recorded(tree, now, recorded({**PLAIN, "entry": "jobs/fit.py:fit"})) is now


def test_records_of_today_and_of_built_in_steps_are_left_alone(tmp_path: Path) -> None:
    tree, now = find(tmp_path, FILES)
    assert as_recorded(tree, now, recorded({**PLAIN, "definitions": {}})) is now
    assert as_recorded(tree, now, {}) is now
