"""StorageConformance: what every artifact store must do. A store's test class inherits it and gives it a `storage`."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zenctl.jobs.storage import Distant, Staged, Storage, StorageError

BAD_PATHS = ("", "/etc/passwd", "../outside", "a/../../b", "a//b", "a/./b", "a/", "a\\b", "a\0b")
NAMES = ("with space/a b", "per%20cent", "plus+and&more=1", "a?b#c", "ünï/cödé", "~tilde'", "x" * 200, "a:b@c")
BIG = 24 << 20
"""Bytes of the big object: more than a single chunk or a small upload anywhere."""


REPLACED = 12 << 20
"""Bytes of an object that is replaced while it is read: more than one read of a store fetches."""


class StorageConformance:
    """Inherit as `class TestMyStore(StorageConformance)` and define the fixture `storage`: an empty, writable store."""

    def test_it_has_a_uri(self, storage: Storage) -> None:
        scheme, separator, _ = storage.uri.partition("://")
        assert separator
        assert scheme

    def test_what_was_put_is_read(self, storage: Storage) -> None:
        assert storage.put("a/b.txt", b"hello") is True
        assert _read(storage, "a/b.txt") == b"hello"

    def test_an_empty_object_is_an_object(self, storage: Storage) -> None:
        storage.put("empty", b"")
        info = storage.stat("empty")
        assert info is not None
        assert info.size == 0
        assert _read(storage, "empty") == b""

    @pytest.mark.parametrize("path", ["a", *NAMES])
    def test_a_put_does_not_replace(self, storage: Storage, path: str) -> None:
        assert storage.put(path, b"first") is True
        assert storage.put(path, b"second") is False
        assert _read(storage, path) == b"first"

    def test_overwrite_replaces(self, storage: Storage) -> None:
        assert storage.put("a", b"first", overwrite=True) is True
        assert storage.put("a", b"second one", overwrite=True) is True
        assert _read(storage, "a") == b"second one"
        info = storage.stat("a")
        assert info is not None
        assert info.size == 10

    def test_a_file_is_put(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "source.bin"
        source.write_bytes(bytes(range(256)) * 100)
        storage.put("from/file", source)
        assert _read(storage, "from/file") == source.read_bytes()

    def test_a_put_that_fails_leaves_nothing(self, storage: Storage, tmp_path: Path) -> None:
        with pytest.raises((StorageError, OSError)):
            storage.put("a/b", tmp_path / "absent")
        assert storage.stat("a/b") is None
        assert list(storage.list("")) == []

    def test_stat(self, storage: Storage) -> None:
        before = time.time()
        storage.put("x/y", b"12345")
        info = storage.stat("x/y")
        assert info is not None
        assert (info.path, info.size) == ("x/y", 5)
        # Clocks of a store and of this machine may differ a little.
        assert abs(info.modified - before) < 300

    def test_stat_of_nothing(self, storage: Storage) -> None:
        assert storage.stat("absent") is None
        storage.put("a/b", b"x")
        assert storage.stat("a") is None
        assert storage.stat("a/b/c") is None

    def test_open_of_nothing(self, storage: Storage) -> None:
        storage.put("a/b", b"x")
        for path in ("absent", "a", "a/b/c"):
            with pytest.raises(StorageError) as caught:
                storage.open(path)
            assert caught.value.kind == "NOT_FOUND"

    @pytest.mark.parametrize(("offset", "expected"), [(0, b"0123456789"), (3, b"3456789"), (9, b"9"), (10, b"")])
    def test_a_range_begins_at_its_offset(self, storage: Storage, offset: int, expected: bytes) -> None:
        storage.put("digits", b"0123456789")
        with storage.open("digits", offset) as stream:
            assert stream.read() == expected

    def test_streams_read_in_parts(self, storage: Storage) -> None:
        storage.put("digits", b"0123456789")
        with storage.open("digits") as stream:
            assert [stream.read(4), stream.read(4), stream.read(4), stream.read(4)] == [b"0123", b"4567", b"89", b""]

    def test_list_is_sorted_and_by_prefix(self, storage: Storage) -> None:
        for path in ("b/2", "b/10", "a/1", "b-c/1", "c", "b/1/x"):
            storage.put(path, b"x")
        assert [info.path for info in storage.list("b/")] == ["b/1/x", "b/10", "b/2"]
        assert [info.path for info in storage.list("b")] == ["b-c/1", "b/1/x", "b/10", "b/2"]
        assert [info.path for info in storage.list("b/1")] == ["b/1/x", "b/10"]
        assert [info.path for info in storage.list("")] == ["a/1", "b-c/1", "b/1/x", "b/10", "b/2", "c"]
        assert list(storage.list("absent/")) == []
        assert [info.size for info in storage.list("c")] == [1]

    def test_list_is_sorted_beyond_ascii_too(self, storage: Storage) -> None:
        names = ["z", "é", "ａ", "𝒳", "Z"]
        for name in names:
            storage.put(f"u/{name}", b"x")
        assert [info.path for info in storage.list("u/")] == sorted(f"u/{name}" for name in names)

    def test_what_is_listed_may_be_deleted_meanwhile(self, storage: Storage) -> None:
        paths = [f"many/{number:02}" for number in range(20)]
        for path in paths:
            storage.put(path, b"x")
        listed = []
        for info in storage.list("many/"):
            listed.append(info.path)
            storage.delete(info.path)
        assert listed == paths
        assert list(storage.list("many/")) == []

    def test_nothing_is_left_over_of_what_was_written_whole(self, storage: Storage, tmp_path: Path) -> None:
        if not isinstance(storage, Staged):
            pytest.skip("what this store has written in part cannot be seen")
        with pytest.raises((StorageError, OSError)):
            storage.put("a/b", tmp_path / "absent")
        storage.put("a/b", b"x")
        storage.put("a/b", b"yy", overwrite=True)
        assert list(storage.leftovers()) == []

    def test_what_a_job_is_told_is_plain_and_holds_no_secret(self, storage: Storage) -> None:
        if not isinstance(storage, Distant):
            pytest.skip("a job reaches this store by its URI alone")
        assert storage.workers >= 1
        told = dict(storage.access(False))
        assert json.loads(json.dumps(told)) == told
        given = dict(storage.access(True))
        assert json.loads(json.dumps(given)) == given
        assert {name: given.get(name) for name in told} == told

    def test_delete(self, storage: Storage) -> None:
        storage.put("a/b", b"x")
        storage.delete("a/b")
        assert storage.stat("a/b") is None
        storage.delete("a/b")
        storage.delete("never/there")
        assert storage.put("a/b", b"again") is True

    @pytest.mark.parametrize("path", BAD_PATHS)
    def test_bad_paths_are_refused(self, storage: Storage, path: str) -> None:
        for attempt in (
            lambda: storage.open(path),
            lambda: storage.put(path, b"x"),
            lambda: storage.stat(path),
            lambda: storage.delete(path),
        ):
            with pytest.raises(StorageError) as caught:
                attempt()
            assert caught.value.kind == "INVALID"

    def test_of_concurrent_puts_one_wins(self, storage: Storage) -> None:
        for attempt in range(5):
            path, barrier = f"race/{attempt}", threading.Barrier(8)
            won: list[int] = []

            def race(number: int, path: str = path, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                if storage.put(path, f"writer {number}".encode() * 1000):
                    won.append(number)  # noqa: B023 - read before the next turn begins

            threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(won) == 1
            assert _read(storage, path) == f"writer {won[0]}".encode() * 1000

    def test_a_big_object(self, storage: Storage, tmp_path: Path) -> None:
        block = hashlib.sha256(b"big").digest() * (1 << 13)
        source = tmp_path / "big"
        with source.open("wb") as stream:
            for _ in range(BIG // len(block)):
                stream.write(block)
        storage.put("big", source)
        info = storage.stat("big")
        assert info is not None
        assert info.size == BIG
        with storage.open("big", BIG - len(block)) as reader:
            assert reader.read() == block
        hasher, expected = hashlib.sha256(), hashlib.sha256(source.read_bytes())
        with storage.open("big") as reader:
            for chunk in iter(lambda: reader.read(1 << 20), b""):
                hasher.update(chunk)
        assert hasher.digest() == expected.digest()

    @pytest.mark.parametrize("path", NAMES)
    def test_names_arrive_as_they_are(self, storage: Storage, path: str) -> None:
        assert storage.put(path, path.encode()) is True
        assert _read(storage, path) == path.encode()
        assert [info.path for info in storage.list("")] == [path]
        assert [info.path for info in storage.list(path[:-1])] == [path]
        storage.delete(path)
        assert storage.stat(path) is None

    def test_a_stream_may_be_left_in_the_middle(self, storage: Storage) -> None:
        storage.put("long", bytes(1 << 20))
        for _ in range(5):
            with storage.open("long") as stream:
                assert stream.read(10) == bytes(10)
        assert len(_read(storage, "long")) == 1 << 20

    def test_a_stream_never_mixes_two_objects(self, storage: Storage, tmp_path: Path) -> None:
        """What is read of an object that is replaced meanwhile is the former one to its end, or an error."""
        for name in (b"a", b"b"):
            (tmp_path / name.decode()).write_bytes(name * REPLACED)
        storage.put("replaced", tmp_path / "a")
        with storage.open("replaced") as stream:
            first = stream.read(1 << 16)
            storage.put("replaced", tmp_path / "b", overwrite=True)
            try:
                found = first + stream.read()
            except StorageError:
                return
        assert set(found) == {ord("a")}
        assert len(found) == REPLACED

    def test_many_threads_use_it_at_once(self, storage: Storage) -> None:
        def work(number: int) -> bool:
            path, data = f"many/{number}", hashlib.sha256(str(number).encode()).digest() * (number + 1)
            stored = storage.put(path, data)
            info = storage.stat(path)
            return stored and info is not None and info.size == len(data) and _read(storage, path) == data

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(work, range(48)))
        assert len(list(storage.list("many/"))) == 48


def _read(storage: Storage, path: str) -> bytes:
    with storage.open(path) as stream:
        return stream.read()
