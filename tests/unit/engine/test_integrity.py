"""A full check reads every object once, and names what is missing, corrupt or unreadable for each that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.diagnostics import DiagnosticError
from zenctl.engine.integrity import CODE, Named, Progress, remove_corrupt, verify
from zenctl.jobs.artifacts import blob_path, code_path, store_folder, tree_path
from zenctl.jobs.storage import FolderStorage, StorageError


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "artifacts")


def stored(storage: FolderStorage, tmp_path: Path, name: str, **files: str) -> Named:
    folder = tmp_path / name
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    return Named(store_folder(storage, folder).digest, "Artifact", (name,))


def overwrite(storage: FolderStorage, path: str, data: bytes) -> None:
    place = storage.local_path(path)
    place.chmod(0o644)
    place.write_bytes(data)


def by_digest(*named: Named) -> dict[str, Named]:
    return {item.digest: item for item in named}


def test_a_shared_file_is_read_once_and_told_of_each(storage: FolderStorage, tmp_path: Path) -> None:
    one = stored(storage, tmp_path, "one", a="shared", b="own")
    two = stored(storage, tmp_path, "two", c="shared")
    told: list[Progress] = []
    clean = verify(storage, by_digest(one, two), told.append)
    assert (clean.artifacts, clean.files, clean.bytes, clean.clean) == (2, 2, 9, True)
    assert told[-1] == Progress(9, 9)

    [shared] = [i.path for i in storage.list("blobs/") if storage.local_path(i.path).read_text() == "shared"]
    overwrite(storage, shared, b"SHARED!")
    found = verify(storage, by_digest(one, two), told.append)
    assert [(f.kind, f.artifact, f.file, f.expected_size, f.found_size) for f in found.faults] == [
        ("corrupt", one, "a", 6, 7),
        ("corrupt", two, "c", 6, 7),
    ]
    assert {f.path for f in found.faults} == {blob_path(found.faults[0].expected_digest)}
    removed = remove_corrupt(storage, found)
    assert removed.removed == (shared,)
    again = verify(storage, by_digest(one, two), told.append)
    assert [(f.kind, f.found_size, f.found_digest) for f in again.faults] == [("missing", None, None)] * 2
    assert remove_corrupt(storage, again).removed == ()


def test_lists_of_files_and_code_are_read_too(storage: FolderStorage, tmp_path: Path) -> None:
    damaged = stored(storage, tmp_path, "damaged", a="1")
    gone = stored(storage, tmp_path, "gone", a="2")
    overwrite(storage, tree_path(damaged.digest), b"{}")
    storage.delete(tree_path(gone.digest))
    code = Named("0" * 64, CODE, ("code of step.python.fit",))
    storage.put(code_path(code.digest), b"not of this digest")
    found = verify(storage, by_digest(damaged, gone, code), lambda _: None)
    assert {(f.kind, f.artifact.named_by[0], f.file, f.expected_size) for f in found.faults} == {
        ("corrupt", "damaged", "", None),
        ("missing", "gone", "", None),
        ("corrupt", "code of step.python.fit", "", None),
    }


def test_a_disk_that_fails_is_no_end(storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = stored(storage, tmp_path, "one", a="1", b="2")
    bad = blob_path(_digest_of(storage, "1"))
    real = FolderStorage.open

    def failing(self: FolderStorage, path: str, offset: int = 0) -> object:
        if path == bad:
            raise OSError(5, "Input/output error")
        return real(self, path, offset)

    monkeypatch.setattr(FolderStorage, "open", failing)
    [fault] = verify(storage, by_digest(item), lambda _: None).faults
    assert (fault.kind, fault.file, fault.found_size, fault.found_digest) == ("corrupt", "a", None, None)


def _digest_of(storage: FolderStorage, text: str) -> str:
    [path] = [i.path for i in storage.list("blobs/") if storage.local_path(i.path).read_text() == text]
    return path.rpartition("/")[2]


def test_a_store_that_refuses_is_an_error(
    storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = stored(storage, tmp_path, "one", a="1")

    def refusing(self: FolderStorage, path: str, offset: int = 0) -> object:
        raise StorageError("TRANSIENT", "no answer")

    monkeypatch.setattr(FolderStorage, "open", refusing)
    with pytest.raises(DiagnosticError, match="cannot be read: no answer"):
        verify(storage, by_digest(item), lambda _: None)
