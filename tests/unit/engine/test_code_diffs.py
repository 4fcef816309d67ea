"""The recorded source of steps beside the planned one: diffs that `patch` takes, and notes where there is nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.addrs import StepAddr
from zenctl.engine.code_diffs import MAX_BYTES, code_diffs, unified
from zenctl.engine.components import with_archive
from zenctl.engine.reasons import definition_changes
from zenctl.fingerprint.archive import archive
from zenctl.fingerprint.code import Closure, closure
from zenctl.fingerprint.digest import fingerprint
from zenctl.fingerprint.source import WorkingTree
from zenctl.jobs.artifacts import code_path
from zenctl.jobs.storage import FolderStorage
from zenctl.metadata.state import Recorded
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import Change

ADDR = StepAddr("python", "fit")
FILES = {"fit.py": "import lib\ndef fit():\n    return lib.f()\n", "lib.py": "def f():\n    return 1\n"}


def read(root: Path, files: dict[str, str], entry: str = "fit.py") -> Closure:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found, diagnostics = closure(WorkingTree(root), entry, "fit")
    assert found is not None, diagnostics
    return found


def code_of(found: Closure) -> dict[str, object]:
    return {"entry": found.entry, "digest": found.digest, "files": found.files, "definitions": found.definitions}


def recorded(code: dict[str, object]) -> Recorded:
    return Recorded(ADDR, 1, "j", ExecutionState.COMPLETE, 3, "Process", components={"code": code})


def change(before: Closure, after: Closure) -> Change:
    data = {"definitions": definition_changes(code_of(before), code_of(after))}
    return Change(ADDR, Action.RUN, (Reason(ReasonCode.CODE_CHANGED, "code", data),))


@pytest.fixture
def store(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "store")


def kept(found: Closure, store: FolderStorage) -> Recorded:
    made = archive(found)
    store.put(code_path(made.digest), made.data)
    return recorded({**code_of(found), "archive": made.digest})


def test_files_that_count_are_shown(tmp_path: Path, store: FolderStorage) -> None:
    before = read(tmp_path / "a", FILES)
    files = {"fit.py": "# a comment\n" + FILES["fit.py"], "lib.py": FILES["lib.py"].replace("1", "2")}
    after = read(tmp_path / "b", files)
    found = code_diffs([change(before, after)], {ADDR: after}, {ADDR: kept(before, store)}, store)
    text = "--- old/lib.py\n+++ new/lib.py\n@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2\n"
    assert found[str(ADDR)].files == {"lib.py": text}
    assert found[str(ADDR)].note == ""


def test_files_that_come_go_and_move(tmp_path: Path, store: FolderStorage) -> None:
    before = read(tmp_path / "a", FILES)
    files = {"deep/fit.py": FILES["fit.py"].replace("lib", "lob"), "lob.py": FILES["lib.py"]}
    after = read(tmp_path / "b", files, "deep/fit.py")
    found = code_diffs([change(before, after)], {ADDR: after}, {ADDR: kept(before, store)}, store)[str(ADDR)].files
    assert list(found) == ["deep/fit.py", "lib.py", "lob.py"]
    assert found["deep/fit.py"].startswith(
        "--- old/fit.py\n+++ new/deep/fit.py\n@@ -1,3 +1,3 @@\n-import lib\n+import lob\n"
    )
    assert found["lib.py"].startswith("--- old/lib.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-def f()")
    assert found["lob.py"].startswith("--- /dev/null\n+++ new/lob.py\n@@ -0,0 +1,2 @@\n+def f()")


def test_why_there_is_no_difference_to_show(tmp_path: Path, store: FolderStorage) -> None:
    before, after = read(tmp_path / "a", FILES), read(tmp_path / "b", {**FILES, "lib.py": "def f():\n    return 2\n"})

    def note(record: Recorded, storage: FolderStorage | None = store) -> str:
        [found] = code_diffs([change(before, after)], {ADDR: after}, {ADDR: record}, storage).values()
        assert not found.files
        return found.note

    assert "apply 3 keeps no source: an older version" in note(recorded(code_of(before)))
    record = kept(before, store)
    assert "no artifact store" in note(record, None)
    place = store.local_path(code_path(archive(before).digest))
    place.chmod(0o644)
    place.write_bytes(b"PK")
    assert "damaged" in note(record)
    place.unlink()
    assert "not in the artifact store any more" in note(record)
    place.mkdir()
    assert "not in the artifact store any more" in note(record)


def test_what_has_no_code_of_its_own_has_no_differences(tmp_path: Path, store: FolderStorage) -> None:
    before = read(tmp_path / "a", FILES)
    fresh = Change(ADDR, Action.NO_OP)
    assert code_diffs([fresh], {ADDR: before}, {ADDR: kept(before, store)}, store) == {}
    assert code_diffs([change(before, before)], {}, {}, store) == {}


def test_the_archive_is_no_part_of_the_fingerprint() -> None:
    plain = Components("python/1", code={"entry": "fit.py:fit", "digest": "a" * 64, "files": {}})
    assert with_archive(plain, "b" * 64).code["archive"] == "b" * 64
    assert fingerprint(with_archive(plain, "b" * 64)) == fingerprint(plain)
    assert with_archive(plain, "") == plain
    assert with_archive(Components("split/1"), "b" * 64) == Components("split/1")


def test_what_is_no_text_or_too_long() -> None:
    assert unified("a", "a", b"x", b"x") == ""
    assert unified("a.bin", "a.bin", b"\xff", b"x").endswith("+++ new/a.bin\nBinary files differ\n")
    assert unified("a.bin", "a.bin", b"\0", None).endswith("+++ /dev/null\nBinary files differ\n")
    assert "too large" in unified("a", "a", b"x" * (MAX_BYTES + 1), b"y")


lines = st.lists(st.sampled_from(["a", "b", "", " ", "\r", "\f", "é", "-- x", "\\ y"]), max_size=12)


@given(lines, lines, st.booleans(), st.booleans())
def test_patch_makes_the_one_out_of_the_other(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str], open_old: bool, open_new: bool
) -> None:
    before = ("\n".join(old) + ("" if open_old or not old else "\n")).encode()
    after = ("\n".join(new) + ("" if open_new or not new else "\n")).encode()
    text = unified("f", "f", before, after)
    assert bool(text) == (before != after)
    if text:
        folder = tmp_path_factory.mktemp("patched")
        (folder / "f").write_bytes(before)
        command = ["git", "apply", "-p1", "--whitespace=nowarn", "--unsafe-paths", "-"]
        done = subprocess.run(command, cwd=folder, input=text.encode(), capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert (folder / "f").read_bytes() == after
