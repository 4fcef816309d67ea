"""The local artifact store keeps the contract of stores, and what it adds to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.provider import ProviderContext, ProviderError
from zenctl.provider.testing.storage import StorageConformance
from zenctl_local.provider import LocalProvider


def provider(root: Path) -> LocalProvider:
    made = LocalProvider()
    made.configure({}, ProviderContext("p", "default", root / ".zenctl", root))
    return made


class TestLocalStorage(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> FolderStorage:
        found = provider(tmp_path).storage("local", {"path": "my store"})
        assert isinstance(found, FolderStorage)
        return found

    def test_it_lies_where_the_block_says(self, tmp_path: Path) -> None:
        opened = provider(tmp_path)
        assert opened.storage("local", {"path": "my store"}).uri == (tmp_path / "my store").as_uri()
        assert opened.storage("local", {"path": ".zenctl/artifacts"}).uri == (tmp_path / ".zenctl/artifacts").as_uri()
        assert opened.storage("local", {"path": "/srv/a"}).uri == "file:///srv/a"

    def test_opening_creates_nothing(self, tmp_path: Path) -> None:
        storage = provider(tmp_path).storage("local", {})
        assert storage.stat("a") is None
        assert list(storage.list("")) == []
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_its_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "store").write_text("")
        with pytest.raises(ProviderError, match="not a folder"):
            provider(tmp_path).storage("local", {"path": "store"})

    def test_objects_are_read_only(self, storage: FolderStorage) -> None:
        storage.put("a", b"x")
        storage.put("b", b"x", overwrite=True)
        for path in ("a", "b"):
            assert os.stat(storage.local_path(path)).st_mode & 0o222 == 0

    def test_an_object_cannot_lie_under_an_object(self, storage: FolderStorage) -> None:
        storage.put("a", b"x")
        with pytest.raises(StorageError) as caught:
            storage.put("a/b", b"x")
        assert caught.value.kind == "INVALID"

    def test_without_hard_links_objects_are_moved(
        self, storage: FolderStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object, **more: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        assert storage.put("a", b"first") is True
        assert storage.put("a", b"second") is False
        with storage.open("a") as stream:
            assert stream.read() == b"first"

    def test_a_full_disk_is_no_space(self, storage: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError) as caught:
            storage.put("a/b", b"x")
        assert caught.value.kind == "NO_SPACE"
        assert list(storage.root.rglob("*.*")) == []

    def test_what_a_killed_put_left_is_not_listed(self, storage: FolderStorage) -> None:
        storage.put("a/b", b"x")
        (storage.root / "a" / ".put-abc").write_bytes(b"half")
        assert [info.path for info in storage.list("")] == ["a/b"]
