"""What a connection to ML Metadata does about errors: waits them out, tries again, or gives them a meaning."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from ml_metadata import errors

from zenctl.metadata.mlmd import connection as module
from zenctl.metadata.mlmd.connection import Connection
from zenctl.metadata.store import StoreError


class Scripted(Connection):
    """A connection whose calls fail with these errors, one after the other, and then work."""

    def __init__(self, *problems: Exception) -> None:
        super().__init__("the scripted store", create=True)
        self.problems = list(problems)
        self.opened = 0

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _open(self) -> Any:
        self.opened += 1
        return self

    def _failure(self, problem: Exception) -> StoreError:
        return StoreError(f"it failed: {problem}")

    def call(self, _mlmd: Any) -> str:
        if self.problems:
            raise self.problems.pop(0)
        return "answer"


DEADLOCKS = [
    "mysql_query failed: errno: Deadlock found when trying to get lock; try restarting transaction",
    "errno: Lock wait timeout exceeded; try restarting transaction",
    "ERROR:  deadlock detected",
    "ERROR:  could not serialize access due to concurrent update",
]


@pytest.mark.parametrize("text", DEADLOCKS)
def test_who_was_in_another_writer_s_way_tries_again_on_a_new_connection(text: str) -> None:
    connection = Scripted(errors.InternalError(text), errors.InternalError(text))
    assert connection.ask(connection.call) == "answer"
    assert connection.opened == 3


def test_it_does_not_try_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    connection = Scripted(*[errors.InternalError(DEADLOCKS[0])] * 1000)
    with pytest.raises(StoreError, match="Deadlock found"):
        connection.ask(connection.call)


def test_any_other_error_is_told_at_once() -> None:
    connection = Scripted(errors.InternalError("no such table"))
    with pytest.raises(StoreError, match="it failed: no such table"):
        connection.ask(connection.call)
    assert connection.opened == 1
