"""Damage that a size does not show is found by reading, and what is proved wrong is removed."""

from __future__ import annotations

from pathlib import Path

from zenctl.jobs.artifacts import blob_path, check_tree, remove_damaged, store_folder, tree_path
from zenctl.jobs.storage import FolderStorage


def stored(tmp_path: Path) -> tuple[FolderStorage, str, dict[str, str]]:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a").write_text("first")
    (folder / "b").write_text("other")
    storage = FolderStorage(tmp_path / "store")
    tree = store_folder(storage, folder)
    return storage, tree.digest, {file.path: blob_path(file.sha256) for file in tree.files}


def overwrite(storage: FolderStorage, path: str, data: bytes) -> None:
    place = storage.local_path(path)
    place.chmod(0o644)
    place.write_bytes(data)


def test_a_whole_artifact_is_left_alone(tmp_path: Path) -> None:
    storage, digest, _ = stored(tmp_path)
    assert remove_damaged(storage, digest) == []
    check_tree(storage, digest)


def test_only_the_damaged_file_goes(tmp_path: Path) -> None:
    storage, digest, blobs = stored(tmp_path)
    overwrite(storage, blobs["a"], b"wrong")
    check_tree(storage, digest)
    assert remove_damaged(storage, digest) == [blobs["a"]]
    assert storage.stat(blobs["a"]) is None
    assert storage.stat(blobs["b"]) is not None


def test_a_damaged_list_of_files_goes(tmp_path: Path) -> None:
    storage, digest, blobs = stored(tmp_path)
    overwrite(storage, tree_path(digest), b"{}")
    assert remove_damaged(storage, digest) == [tree_path(digest)]
    assert storage.stat(blobs["a"]) is not None


def test_what_is_missing_is_no_damage_to_remove(tmp_path: Path) -> None:
    storage, digest, blobs = stored(tmp_path)
    storage.delete(blobs["b"])
    assert remove_damaged(storage, digest) == []
