"""A code archive is one text for one closure, and has all of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from zenctl.digests import sha256_bytes
from zenctl.fingerprint.archive import archive
from zenctl.fingerprint.code import Closure, closure
from zenctl.fingerprint.source import WorkingTree


def find(root: Path, files: dict[str, str], patterns: tuple[str, ...] = ()) -> Closure:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    found, diagnostics = closure(WorkingTree(root), "steps/fit.py", "fit", patterns)
    assert found is not None, diagnostics
    return found


def test_archive_is_deterministic_and_whole(tmp_path: Path) -> None:
    files = {"steps/fit.py": "import a\n", "a.py": "# comment kept\nx = 1\n", "data/ü.txt": "é"}
    found = find(tmp_path, files, patterns=("data/*",))
    packed = archive(found)
    (tmp_path / "a.py").touch()
    again = find(tmp_path / "copy", dict(reversed(files.items())), patterns=("data/*",))
    assert packed.data == archive(again).data
    assert packed.digest == sha256_bytes(packed.data)
    with zipfile.ZipFile(io.BytesIO(packed.data)) as opened:
        assert {name: opened.read(name).decode() for name in opened.namelist()} == files
        assert opened.namelist() == sorted(files)
        assert {info.external_attr >> 16 for info in opened.infolist()} == {0o100644}
    commented = find(tmp_path / "other", {**files, "a.py": "x = 1\n"}, patterns=("data/*",))
    assert commented.digest == found.digest
    assert archive(commented).digest != packed.digest
