"""A machine's queue in the artifact store, as zenctl and the machine see it."""

from __future__ import annotations

import pytest

from zenctl.jobs.queue import LOG, PROGRESS, Contained, Ending, JobQueue, Order
from zenctl.jobs.spec import result_path
from zenctl.provider.testing.fakes import FakeStorage


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def test_orders_and_cancellations(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    for job in ("a", "b", "a"):
        queue.put(job, {"endpoint": "x"})
    queue.cancel("b")
    JobQueue(storage, "m2").put("of-another", {"endpoint": "x"})
    assert queue.orders() == {"a": False, "b": True}
    assert (queue.has("a"), queue.has("of-another")) == (True, False)
    assert queue.order("a") == Order({"endpoint": "x"})
    queue.forget("b")
    assert queue.orders() == {"a": False}
    assert queue.order("b") is None
    queue.forget("b")


def test_an_order_names_a_container(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    queue.put("a", {}, Contained("i@sha256:0", 1 << 30, True))
    assert queue.order("a") == Order({}, Contained("i@sha256:0", 1 << 30, True))


def test_what_a_job_runs_in_is_prepared_first(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    assert not queue.look("a").preparing
    queue.prepare("a", "fetching")
    assert queue.preparing("a") == "fetching"
    assert queue.look("a").preparing
    queue.prepare("a", "")
    assert not queue.look("a").preparing


def test_a_job_is_claimed_once(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    assert queue.claimed("a") == ""
    assert queue.claim("a", "first")
    assert not queue.claim("a", "second")
    # Who has not heard that it has the job asks again.
    assert queue.claim("a", "first")
    assert queue.claimed("a") == "first"
    assert queue.look("a").begun


def test_how_a_job_ended(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    assert queue.ending("a") is None
    queue.end("a", Ending(3))
    queue.end("b", Ending(signal=9, reason="why"))
    assert (queue.ending("a"), queue.ending("b")) == (Ending(3), Ending(None, 9, "why"))
    assert (queue.look("a").ended, queue.look("c").ended) == (True, False)


def test_what_is_passed_on_is_read_from_any_byte(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    text = "hällo, wörld".encode()
    for start, end in ((0, 3), (3, 4), (4, len(text))):
        queue.pass_on("a", LOG, start, text[start:end])
    queue.pass_on("a", PROGRESS, 0, b"{}\n")
    told = queue.look("a")
    for offset in range(len(text) + 2):
        assert queue.read("a", LOG, told, offset, 1 << 20) == text[offset:]
    assert queue.read("a", LOG, told, 0, 3) == text[:3]
    assert queue.read("a", PROGRESS, told, 0, 100) == b"{}\n"


def test_forgetting_leaves_the_result_and_how_it_ended(storage: FakeStorage) -> None:
    queue = JobQueue(storage, "m")
    queue.put("a", {"endpoint": "x"})
    queue.claim("a", "first")
    queue.pass_on("a", LOG, 0, b"text")
    storage.put(result_path("a"), b"{}")
    queue.end("a", Ending(0))
    queue.forget("a")
    told = queue.look("a")
    assert (told.begun, told.ended, told.has_result, told.pieces[LOG]) == (True, True, True, ())
    assert [path for path in storage.objects if path.startswith("queues/")] == []


def test_a_store_that_refuses_is_not_an_answer(storage: FakeStorage) -> None:
    from zenctl.jobs.storage import StorageError

    JobQueue(storage, "m").claim("a", "first")
    storage.faults.fail("open", StorageError("UNAUTHORIZED", "no"))
    with pytest.raises(StorageError, match="no"):
        JobQueue(storage, "m").claimed("a")
