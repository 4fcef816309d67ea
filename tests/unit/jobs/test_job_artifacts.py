"""Artifacts in a store: what goes in comes out, what is damaged is seen, what was cut short is mended."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.digests import sha256_bytes
from zenctl.jobs import artifacts
from zenctl.jobs.artifacts import CorruptArtifact, blob_path, check_tree, fetch_tree, read_tree, store_folder, tree_path
from zenctl.jobs.storage import TEMPORARY, FolderStorage, Staged, StorageError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


def make(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "store")


class TestRoundTrip:
    @settings(max_examples=30, deadline=None)
    @given(
        st.dictionaries(
            NAMES.map(lambda n: f"d/{n}") | NAMES.filter(lambda n: n != "d"), st.binary(max_size=50), max_size=5
        )
    )
    def test_any_files(self, files: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            store = FolderStorage(root / "store")
            (root / "in").mkdir()
            tree = store_folder(store, make(root / "in", files))
            assert fetch_tree(store, tree.digest, root / "out") == tree == read_tree(store, tree.digest)
            assert read(root / "out") == files
            assert tree.bytes == sum(len(data) for data in files.values())
            assert store_folder(store, root / "out").digest == tree.digest

    def test_equal_content_is_stored_once(self, store: FolderStorage, tmp_path: Path) -> None:
        store_folder(store, make(tmp_path / "a", {"x": b"same", "y": b"same"}))
        store_folder(store, make(tmp_path / "b", {"z": b"same"}))
        assert len(list(store.list("blobs/"))) == 1

    def test_one_file(self, store: FolderStorage, tmp_path: Path) -> None:
        (tmp_path / "model.bin").write_bytes(b"x")
        tree = store_folder(store, tmp_path / "model.bin")
        fetch_tree(store, tree.digest, tmp_path / "out")
        assert read(tmp_path / "out") == {"model.bin": b"x"}

    @pytest.mark.parametrize("links", [True, False])
    def test_what_is_fetched_is_read_only(
        self, store: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
    ) -> None:
        tree = store_folder(store, make(tmp_path / "in", {"a": b"x"}))
        if not links:

            def refuse(*args: object) -> None:
                raise OSError(errno.EXDEV, "Invalid cross-device link")

            monkeypatch.setattr(os, "link", refuse)
        fetch_tree(store, tree.digest, tmp_path / "out")
        found = (tmp_path / "out" / "a").stat()
        assert found.st_mode & 0o222 == 0
        assert found.st_nlink == (2 if links else 1)

    def test_an_interrupted_fetch_is_replaced(self, store: FolderStorage, tmp_path: Path) -> None:
        tree = store_folder(store, make(tmp_path / "in", {"a": b"x"}))
        make(tmp_path / "out", {"left": b"over", "a": b"ha"})
        fetch_tree(store, tree.digest, tmp_path / "out")
        assert read(tmp_path / "out") == {"a": b"x"}


class TestDamage:
    @pytest.fixture
    def tree(self, store: FolderStorage, tmp_path: Path) -> artifacts.Tree:
        return store_folder(store, make(tmp_path / "in", {"a": b"content", "b": b"more"}))

    def damage(self, store: FolderStorage, path: str, data: bytes | None) -> None:
        place = store.local_path(path)
        place.unlink()
        if data is not None:
            place.write_bytes(data)

    @pytest.mark.parametrize(("data", "missing"), [(None, True), (b"", False), (b"CONTENT", False)])
    def test_of_a_blob(
        self, store: FolderStorage, tree: artifacts.Tree, tmp_path: Path, data: bytes | None, missing: bool
    ) -> None:
        path = blob_path(sha256_bytes(b"content"))
        self.damage(store, path, data)
        with pytest.raises(CorruptArtifact) as caught:
            fetch_tree(store, tree.digest, tmp_path / "out")
        assert (caught.value.path, caught.value.missing) == (path, missing)
        if data != b"CONTENT":
            with pytest.raises(CorruptArtifact) as caught:
                check_tree(store, tree.digest)
            assert caught.value.missing is missing

    @pytest.mark.parametrize(("data", "missing"), [(None, True), (b"{}", False)])
    def test_of_a_tree(self, store: FolderStorage, tree: artifacts.Tree, data: bytes | None, missing: bool) -> None:
        self.damage(store, tree_path(tree.digest), data)
        with pytest.raises(CorruptArtifact) as caught:
            check_tree(store, tree.digest)
        assert caught.value.missing is missing

    @pytest.mark.parametrize(
        "data", [b"[]", b"{}", b"no json", b'{"files":[{"path":"../x","size":1,"sha256":"a"}]}', b'{"files":[{}]}']
    )
    def test_a_tree_that_cannot_be(self, store: FolderStorage, data: bytes) -> None:
        store.put(tree_path(sha256_bytes(data)), data)
        with pytest.raises(CorruptArtifact) as caught:
            read_tree(store, sha256_bytes(data))
        assert caught.value.missing is False

    def test_storing_again_mends_what_has_the_wrong_size(
        self, store: FolderStorage, tree: artifacts.Tree, tmp_path: Path
    ) -> None:
        self.damage(store, blob_path(sha256_bytes(b"content")), b"cut sh")
        self.damage(store, tree_path(tree.digest), b"")
        assert store_folder(store, tmp_path / "in") == tree
        fetch_tree(store, tree.digest, tmp_path / "out")
        assert read(tmp_path / "out") == {"a": b"content", "b": b"more"}


class TestRefused:
    def test_links_that_leave_the_artifact(self, store: FolderStorage, tmp_path: Path) -> None:
        make(tmp_path, {"outside": b"secret", "in/a": b"x"})
        (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
        with pytest.raises(StorageError, match="outside of the artifact"):
            store_folder(store, tmp_path / "in")
        assert list(store.list("")) == []

    def test_links_inside_are_files(self, store: FolderStorage, tmp_path: Path) -> None:
        make(tmp_path, {"in/a": b"x"})
        (tmp_path / "in" / "link").symlink_to("a")
        tree = store_folder(store, tmp_path / "in")
        assert [f.path for f in tree.files] == ["a", "link"]

    def test_linked_folders_and_pipes(self, store: FolderStorage, tmp_path: Path) -> None:
        make(tmp_path, {"in/sub/a": b"x"})
        (tmp_path / "in" / "again").symlink_to("sub")
        with pytest.raises(StorageError, match="again is no file"):
            store_folder(store, tmp_path / "in")
        (tmp_path / "in" / "again").unlink()
        os.mkfifo(tmp_path / "in" / "pipe")
        with pytest.raises(StorageError, match="pipe is no file"):
            store_folder(store, tmp_path / "in")


def test_what_interrupted_writes_left_is_found_and_deleted(store: FolderStorage) -> None:
    store.put("blobs/aa/whole", b"whole")
    assert list(store.leftovers()) == []
    half = store.root / "blobs" / "aa" / f"{TEMPORARY}xyz"
    half.write_bytes(b"half")
    [left] = store.leftovers()
    assert (left.path, left.size) == (f"blobs/aa/{TEMPORARY}xyz", 4)
    assert [info.path for info in store.list("")] == ["blobs/aa/whole"]
    assert isinstance(store, Staged)
    store.delete(left.path)
    assert list(store.leftovers()) == []
    assert list(FolderStorage(store.root / "absent").leftovers()) == []
