"""Artifacts in a store that is far away: what is asked of it, and how many things at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from zenctl.jobs.artifacts import blob_path, check_trees, fetch_tree, store_folder, tree_path
from zenctl.jobs.storage import Distant, StorageError, each
from zenctl.provider.testing.fakes import FakeStorage


class Far(FakeStorage):
    """A store in memory that says that it is far away."""

    workers = 4

    def access(self, credentials: bool) -> dict[str, object]:
        return {}


def test_a_near_store_is_asked_one_thing_after_the_other() -> None:
    seen: list[int] = []
    assert list(each(FakeStorage(), lambda n: seen.append(threading.get_ident()) or n, range(5))) == list(range(5))
    assert set(seen) == {threading.get_ident()}


def test_a_distant_store_is_asked_several_at_once_and_answers_in_order() -> None:
    far = Far()
    assert isinstance(far, Distant)
    together = threading.Barrier(4)

    def call(number: int) -> int:
        together.wait(30)
        return number

    assert list(each(far, call, range(8))) == list(range(8))


def test_the_first_error_ends_it() -> None:
    called: list[int] = []

    def call(number: int) -> None:
        called.append(number)
        raise StorageError("TRANSIENT", "away")

    with pytest.raises(StorageError):
        list(each(Far(), call, range(1000)))
    assert len(called) < 1000


@pytest.mark.parametrize("storage", [FakeStorage(), Far()])
def test_artifacts_are_checked_together(storage: FakeStorage, tmp_path: Path) -> None:
    digests = []
    for name in ("whole", "gone", "cut", "listless"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "same").write_text("in all of them")
        (folder / "own").write_text(name)
        digests.append(store_folder(storage, folder))
    whole, gone, cut, listless = digests
    own = {tree.digest: next(f for f in tree.files if f.path == "own") for tree in digests}
    storage.delete(blob_path(own[gone.digest].sha256))
    storage.put(blob_path(own[cut.digest].sha256), b"", overwrite=True)
    storage.delete(tree_path(listless.digest))
    storage.faults.calls.clear()
    found = check_trees(storage, [tree.digest for tree in digests] * 2)
    assert {digest: problem.missing for digest, problem in found.items()} == {
        gone.digest: True,
        cut.digest: False,
        listless.digest: True,
    }
    # Each object is asked for once, whoever has it.
    calls = list(storage.faults.calls)
    assert len(calls) == len(set(calls)) == 4 + 4
    assert fetch_tree(storage, whole.digest, tmp_path / "fetched").digest == whole.digest
