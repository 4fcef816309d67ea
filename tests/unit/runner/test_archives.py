"""Archives that environments are made with, on their way from the artifact store to a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.digests import sha256_bytes
from zenctl.jobs.artifacts import archive_path
from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.runner.archives import fetch_archives

DATA = b"a wheel"
DIGEST = sha256_bytes(DATA)
PLACE = f"./archives/{DIGEST[:16]}/a.whl"


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    made = FolderStorage(tmp_path / "store")
    made.put(archive_path(DIGEST), DATA)
    return made


def test_they_are_fetched_once_and_mended(storage: FolderStorage, tmp_path: Path) -> None:
    fetch_archives(storage, {PLACE: DIGEST}, tmp_path / "there")
    target = tmp_path / "there" / PLACE
    assert target.read_bytes() == DATA
    inode = target.stat().st_ino
    fetch_archives(storage, {PLACE: DIGEST}, tmp_path / "there")
    assert target.stat().st_ino == inode
    target.write_bytes(b"cut off")
    fetch_archives(storage, {PLACE: DIGEST}, tmp_path / "there")
    assert target.read_bytes() == DATA
    assert [path.name for path in target.parent.iterdir()] == ["a.whl"]


def test_what_is_gone_damaged_or_leads_elsewhere_is_refused(storage: FolderStorage, tmp_path: Path) -> None:
    other = sha256_bytes(b"other")
    with pytest.raises(StorageError) as caught:
        fetch_archives(storage, {PLACE: other}, tmp_path / "there")
    assert caught.value.kind == "NOT_FOUND"
    storage.put(archive_path(other), b"not that")
    with pytest.raises(StorageError, match=r"the archive a\.whl is damaged"):
        fetch_archives(storage, {PLACE: other}, tmp_path / "there")
    assert list((tmp_path / "there").rglob("*.whl")) == []
    with pytest.raises(StorageError, match="not a relative path"):
        fetch_archives(storage, {"./../a.whl": DIGEST}, tmp_path / "there")
