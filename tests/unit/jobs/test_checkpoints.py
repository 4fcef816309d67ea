"""Checkpoints in a store: whole sets only, the newest first, and nothing that one job does harms another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zenctl.jobs.checkpoints import CHECKPOINTS, CheckpointStore, Moving, checkpoint_key, discard
from zenctl.jobs.storage import FolderStorage, StorageError

KEY = checkpoint_key("p", "default", "f" * 64)


class OnlyCreates(FolderStorage):
    """What a machine's identity may do."""

    def delete(self, path: str) -> None:
        raise StorageError("UNAUTHORIZED", path)

    def put(self, path: str, source: bytes | Path, *, overwrite: bool = False) -> bool:
        assert not overwrite
        return super().put(path, source)


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def restored(storage: FolderStorage, tmp_path: Path, job: str = "later") -> tuple[str, dict[str, str]] | None:
    """The job whose set is restored, and its files."""
    target = tmp_path / "restored"
    target.mkdir(exist_ok=True)
    found = CheckpointStore(storage, KEY, job).restore(target)
    files = {p.relative_to(target).as_posix(): p.read_text() for p in sorted(target.rglob("*")) if p.is_file()}
    assert found is not None or files == {}, "what is not whole leaves nothing behind"
    return (found.job_id, files) if found is not None else None


def names(storage: FolderStorage, part: str) -> list[str]:
    return [info.path.rpartition("/")[2] for info in storage.list(f"{CHECKPOINTS}{KEY}/{part}/")]


def test_the_newest_set_is_given_back_whole(storage: FolderStorage, folder: Path, tmp_path: Path) -> None:
    store = CheckpointStore(OnlyCreates(storage.root), KEY, "job-1")
    assert restored(storage, tmp_path) is None
    write(folder, {"a": "one", "sub/b": "two", "empty": ""})
    store.save(folder)
    write(folder, {"a": "three"})
    os.unlink(folder / "empty")
    store.save(folder)
    assert restored(storage, tmp_path) == ("job-1", {"a": "three", "sub/b": "two"})
    again = tmp_path / "restored"
    (again / "a").write_text("files are its own")
    assert restored(storage, tmp_path) == ("job-1", {"a": "three", "sub/b": "two"})


def test_of_a_large_file_only_what_changed_is_stored(
    storage: FolderStorage, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenctl.jobs.checkpoints.PIECE", 4)
    store = CheckpointStore(storage, KEY, "job-1")
    write(folder, {"log": "aaaabbbbcc"})
    store.save(folder)
    assert len(names(storage, "pieces")) == 3
    write(folder, {"log": "aaaabbbbccdd"})
    store.save(folder)
    assert len(names(storage, "pieces")) == 4
    assert restored(storage, tmp_path) == ("job-1", {"log": "aaaabbbbccdd"})


@pytest.mark.parametrize("harm", ["no_piece", "wrong_piece", "no_json", "newer_format", "leaves_the_folder"])
def test_a_set_that_is_not_whole_is_passed_over(
    storage: FolderStorage, folder: Path, tmp_path: Path, harm: str
) -> None:
    store = CheckpointStore(storage, KEY, "job-1")
    write(folder, {"a": "old", "b": "same"})
    store.save(folder)
    before = set(names(storage, "pieces"))
    write(folder, {"a": "new"})
    store.save(folder)
    [piece] = set(names(storage, "pieces")) - before
    newest = f"{CHECKPOINTS}{KEY}/sets/{names(storage, 'sets')[-1]}"
    if harm == "no_piece":
        storage.delete(f"{CHECKPOINTS}{KEY}/pieces/{piece}")
    elif harm == "wrong_piece":
        storage.put(f"{CHECKPOINTS}{KEY}/pieces/{piece}", b"xxx", overwrite=True)
    else:
        text = {
            "no_json": b"{",
            "newer_format": b'{"format": 2, "job_id": "x", "files": []}',
            "leaves_the_folder": b'{"format": 1, "job_id": "x", "files": [{"path": "../a", "size": 0, "pieces": []}]}',
        }[harm]
        storage.put(newest, text, overwrite=True)
    assert restored(storage, tmp_path) == ("job-1", {"a": "old", "b": "same"})
    storage.delete(f"{CHECKPOINTS}{KEY}/sets/{names(storage, 'sets')[0]}")
    assert restored(storage, tmp_path) is None


def test_what_changes_while_it_is_read_is_not_kept(
    storage: FolderStorage, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(storage, KEY, "job-1")
    write(folder, {"a": "1", "b": "1"})
    store.save(folder)
    put = FolderStorage.put

    def put_and_write(self: FolderStorage, path: str, source: bytes | Path, *, overwrite: bool = False) -> bool:
        write(folder, {"b": "between"})
        return put(self, path, source, overwrite=overwrite)

    monkeypatch.setattr(FolderStorage, "put", put_and_write)
    write(folder, {"a": "22"})
    with pytest.raises(Moving):
        store.save(folder)
    monkeypatch.undo()
    assert restored(storage, tmp_path) == ("job-1", {"a": "1", "b": "1"})


def test_two_jobs_at_once_do_not_harm_each_other(storage: FolderStorage, tmp_path: Path) -> None:
    stores, folders = [], []
    for number in (1, 2):
        folders.append(tmp_path / f"work-{number}")
        folders[-1].mkdir()
        stores.append(CheckpointStore(OnlyCreates(storage.root), KEY, f"job-{number}"))
    for turn in range(4):
        for number, (store, folder) in enumerate(zip(stores, folders, strict=True), 1):
            write(folder, {"a": f"{number}", "b": f"{number}, {turn}"})
            store.save(folder)
            CheckpointStore(storage, KEY, "").prune()
    found = restored(storage, tmp_path)
    assert found in [(f"job-{number}", {"a": f"{number}", "b": f"{number}, 3"}) for number in (1, 2)]
    assert len(names(storage, "sets")) == 4, "two of each"
    assert len(names(storage, "pieces")) == 6
    later = CheckpointStore(storage, KEY, "job-3")
    later.restore(tmp_path / "restored")
    write(folders[0], {"a": "3"})
    later.save(folders[0])
    after = restored(storage, tmp_path)
    assert after is not None
    assert after[0] == "job-3", "a later attempt's is newer than what it went on from"


def test_pruning_leaves_what_a_set_to_come_may_name(storage: FolderStorage, folder: Path, tmp_path: Path) -> None:
    store = CheckpointStore(storage, KEY, "job-1")
    for turn in range(3):
        write(folder, {"a": str(turn)})
        store.save(folder)
    storage.put(f"{CHECKPOINTS}{KEY}/pieces/{'0' * 64}", b"just put, not named yet")
    CheckpointStore(storage, KEY, "").prune()
    assert len(names(storage, "sets")) == 2
    assert len(names(storage, "pieces")) == 3
    assert "0" * 64 in names(storage, "pieces")
    assert restored(storage, tmp_path) == ("job-1", {"a": "2"})
    discard(storage, KEY)
    assert list(storage.list(CHECKPOINTS)) == []


def test_another_workspace_has_checkpoints_of_its_own() -> None:
    keys = {checkpoint_key(p, w, f) for p in "ab" for w in "ab" for f in "ab"}
    assert len(keys) == 8
