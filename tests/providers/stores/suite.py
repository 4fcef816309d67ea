"""What every store of objects does when its server fails, whoever asks: zenctl through the SDK, or a job by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from tests.fakes.faults import Fault, Faults
from tests.providers.stores.timing import Clock, quick
from tests.servers import free_port
from zenctl.jobs.storage import Staged, StorageError
from zenctl.jobs.stores.objects import PIECE, ObjectStorage
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.sources import TIMEOUT

BRIEF = 0.3
"""Seconds that a server may be silent where a test lets it be."""


@dataclass(frozen=True)
class Requests:
    """What a server calls the requests that faults are meant for; `piece` is one of several that send a big object."""

    write: str
    read: str
    look: str
    list: str
    delete: str
    piece: str


@dataclass(frozen=True)
class Refusal:
    """How a server refuses, and what is made of it: kind, words and hint of the error."""

    status: int
    reason: str
    kind: str
    said: str
    hint: str
    message: str = "the server's words"


@dataclass
class Bench:
    """An empty store whose retries take no time, under the prefix `p`. `open` gives it with other patience.

    `endpoint` holds where it is looked for.
    """

    faults: Faults
    seen: list[str]
    open: Callable[[str, Retrying, float], ObjectStorage]
    clock: Clock
    lose_bucket: Callable[[], object]
    endpoint: list[str]

    @cached_property
    def storage(self) -> ObjectStorage:
        return self.open("p", quick(self.clock), TIMEOUT)

    def fail(self, method: str, **fault: object) -> None:
        self.faults.add(Fault(method, **fault))  # type: ignore[arg-type]

    def hasty(self, patience: float = 60.0) -> ObjectStorage:
        """The store for one who does not wait long for an answer."""
        return self.open("p", quick(self.clock, patience), BRIEF)


def read(storage: ObjectStorage, path: str) -> bytes:
    with storage.open(path) as stream:
        return stream.read()


class StoreFaults:
    """Inherit, say what the server is, and define `bench`."""

    REQUESTS: ClassVar[Requests]
    LARGE: ClassVar[int]
    """Bytes of an object that is sent in three pieces."""
    PASSING: ClassVar[Mapping[int, str]]
    """What is worth repeating: statuses, and their reasons."""
    REFUSALS: ClassVar[tuple[Refusal, ...]]

    @pytest.fixture
    def large(self, tmp_path: Path) -> Path:
        file = tmp_path / "large"
        file.write_bytes(hashlib.shake_128(b"x").digest(self.LARGE))
        return file

    def test_what_passes_is_waited_for(self, bench: Bench) -> None:
        storage, names = bench.storage, self.REQUESTS
        for number, (status, reason) in enumerate(self.PASSING.items(), start=1):
            for request in (names.write, names.read, names.list, names.delete):
                bench.fail(request, status=status, reason=reason, times=2)
            assert storage.put("a", b"data") is True
            assert read(storage, "a") == b"data"
            assert [info.path for info in storage.list("")] == ["a"]
            storage.delete("a")
            assert storage.stat("a") is None
            assert len(bench.clock.pauses) == 8 * number

    def test_a_server_that_says_how_long_is_heeded(self, bench: Bench) -> None:
        bench.fail(self.REQUESTS.read, status=503, headers={"Retry-After": "7"})
        bench.storage.put("a", b"data")
        assert read(bench.storage, "a") == b"data"
        assert bench.clock.pauses == [7.0]

    def test_the_budget_ends(self, bench: Bench) -> None:
        bench.fail(self.REQUESTS.read, status=503, headers={"Retry-After": "25"}, times=10)
        bench.storage.put("a", b"data")
        with pytest.raises(
            StorageError, match=r"answered 503.*tried 3 times in 50 seconds.* when reading p/a"
        ) as caught:
            read(bench.storage, "a")
        assert caught.value.kind == "TRANSIENT"

    def test_a_lost_answer_does_not_make_an_own_object_anothers(self, bench: Bench) -> None:
        bench.fail(self.REQUESTS.write, lost=True)
        assert bench.storage.put("a", b"mine") is True
        assert bench.storage.put("a", b"other") is False
        assert read(bench.storage, "a") == b"mine"

    def test_an_answer_is_lost_on_a_connection_that_was_used_before(self, bench: Bench) -> None:
        assert bench.storage.stat("a") is None
        bench.fail(self.REQUESTS.write, lost=True)
        assert bench.storage.put("a", b"mine") is True
        assert bench.storage.put("a", b"other") is False

    def test_another_who_was_first_is_told_from_a_lost_answer(self, bench: Bench) -> None:
        assert bench.storage.put("a", b"theirs") is True
        bench.fail(self.REQUESTS.write, status=503)
        assert bench.storage.put("a", b"mine") is False
        assert read(bench.storage, "a") == b"theirs"

    @pytest.mark.parametrize("cut", [0, 1, 100_000, PIECE - 1])
    def test_a_read_that_is_cut_goes_on_where_it_was(self, bench: Bench, cut: int) -> None:
        data = hashlib.shake_128(b"y").digest(PIECE + 5000)
        bench.storage.put("a", data)
        bench.fail(self.REQUESTS.read, cut=cut)
        bench.fail(self.REQUESTS.read, cut=2, after=1)
        assert read(bench.storage, "a") == data

    def test_what_changes_on_the_way_down_is_noticed(self, bench: Bench) -> None:
        bench.storage.put("a", b"data" * 1000)
        bench.fail(self.REQUESTS.read, flip=True)
        with pytest.raises(StorageError, match="differs") as caught:
            read(bench.storage, "a")
        assert caught.value.kind == "TRANSIENT"
        bench.faults.clear()
        assert read(bench.storage, "a") == b"data" * 1000

    def test_an_upload_that_fails_leaves_nothing(self, bench: Bench, large: Path) -> None:
        bench.fail(self.REQUESTS.piece, status=403, reason="forbidden", after=1)
        with pytest.raises(StorageError, match="denies permission"):
            bench.storage.put("large", large)
        self.nothing_is_there(bench)

    def nothing_is_there(self, bench: Bench) -> None:
        storage = bench.storage
        assert storage.stat("large") is None
        assert list(storage.list("")) == []
        assert not isinstance(storage, Staged) or list(storage.leftovers()) == []

    def test_refusals_say_what_to_do(self, bench: Bench) -> None:
        storage, names = bench.storage, self.REQUESTS
        calls = {
            names.write: lambda: storage.put("a", b"x"),
            names.read: lambda: storage.open("a"),
            names.list: lambda: list(storage.list("")),
            names.delete: lambda: storage.delete("a"),
        }
        for refusal in self.REFUSALS:
            for request, call in calls.items():
                bench.fail(request, status=refusal.status, reason=refusal.reason, message=refusal.message)
                with pytest.raises(StorageError, match=refusal.said) as caught:
                    call()
                bench.faults.clear()
                assert caught.value.kind == refusal.kind
                assert refusal.hint in caught.value.hint
        assert bench.clock.pauses == []

    def test_a_missing_bucket_is_not_an_empty_one(self, bench: Bench) -> None:
        bench.lose_bucket()
        storage = bench.storage
        for call in (
            lambda: storage.stat("a"),
            lambda: list(storage.list("")),
            lambda: storage.put("a", b"x"),
            lambda: storage.open("a"),
        ):
            with pytest.raises(StorageError, match="does not exist") as caught:
                call()
            assert caught.value.kind == "INVALID"

    def test_listing_goes_through_all_pages(self, bench: Bench) -> None:
        storage = bench.storage
        for number in range(5):
            storage.put(f"many/{number} +", b"")
        storage._page = 2
        bench.fail(self.REQUESTS.list, status=503, after=1)
        assert [info.path for info in storage.list("many/")] == [f"many/{n} +" for n in range(5)]
        assert bench.seen.count(self.REQUESTS.list) == 4

    def test_a_store_is_no_further_than_its_prefix(self, bench: Bench) -> None:
        bench.storage.put("a", b"x")
        for prefix in ("pp", "other", ""):
            bench.open(prefix, quick(bench.clock), TIMEOUT).put("b", b"x")
        assert [info.path for info in bench.storage.list("")] == ["a"]

    def test_a_server_that_is_not_there(self, bench: Bench) -> None:
        bench.endpoint[0] = f"http://127.0.0.1:{free_port()}"
        with pytest.raises(StorageError, match=r"cannot be reached.*when looking at p/a") as caught:
            bench.hasty(0.0).stat("a")
        assert (caught.value.kind, "Check the network" in caught.value.hint) == ("TRANSIENT", True)

    # ------------------------------------------------------------ silence

    def test_a_server_that_never_answers_is_asked_again(self, bench: Bench) -> None:
        storage, names = bench.hasty(), self.REQUESTS
        assert storage.put("other", b"") is True
        for request in (names.write, names.read, names.look, names.list, names.delete):
            bench.fail(request, stall=True)
        assert storage.put("a", b"data") is True
        assert read(storage, "a") == b"data"
        assert storage.stat("a") is not None
        assert [info.path for info in storage.list("")] == ["a", "other"]
        storage.delete("a")
        assert storage.stat("a") is None
        assert len(bench.clock.pauses) >= 5

    def test_a_server_that_stays_silent_is_given_up_in_time(self, bench: Bench) -> None:
        bench.storage.put("a", b"data")
        bench.fail(self.REQUESTS.read, stall=True, times=10)
        # Two readings of the clock are as far apart as a server may be silent.
        ticks = count(0)
        retry = Retrying(1.5 * BRIEF, first=0.0, clock=lambda: BRIEF * next(ticks), sleep=lambda _: None)
        said = rf"did not answer within {BRIEF} seconds \(tried 2 times in 1 seconds\) when reading p/a"
        with pytest.raises(StorageError, match=said) as caught:
            read(bench.open("p", retry, BRIEF), "a")
        assert caught.value.kind == "TRANSIENT"
        assert "`timeout_seconds`" in caught.value.hint

    def test_a_read_in_whose_midst_nothing_comes_goes_on_where_it_was(self, bench: Bench) -> None:
        data = hashlib.shake_128(b"y").digest(PIECE + 5000)
        bench.storage.put("a", data)
        bench.fail(self.REQUESTS.read, stall=True, cut=100_000)
        assert read(bench.hasty(), "a") == data

    def test_a_read_in_whose_midst_nothing_comes_any_more_is_given_up(self, bench: Bench) -> None:
        bench.storage.put("a", b"data" * 1000)
        bench.fail(self.REQUESTS.read, stall=True, cut=1000)
        with pytest.raises(StorageError, match=rf" {BRIEF} seconds when reading p/a") as caught:
            read(bench.hasty(0.0), "a")
        assert (caught.value.kind, "`timeout_seconds`" in caught.value.hint) == ("TRANSIENT", True)

    def test_an_upload_in_whose_midst_nothing_is_taken_goes_on(self, bench: Bench, large: Path) -> None:
        bench.fail(self.REQUESTS.piece, stall=True, cut=100_000, after=1)
        assert bench.hasty().put("large", large) is True
        assert read(bench.storage, "large") == large.read_bytes()

    def test_an_upload_in_whose_midst_nothing_is_taken_any_more_leaves_nothing(self, bench: Bench, large: Path) -> None:
        bench.fail(self.REQUESTS.piece, stall=True, cut=100_000, after=1)
        with pytest.raises(
            StorageError, match=rf"did not answer within {BRIEF} seconds when writing p/large"
        ) as caught:
            bench.hasty(0.0).put("large", large)
        assert caught.value.kind == "TRANSIENT"
        self.nothing_is_there(bench)
