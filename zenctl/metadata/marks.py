"""The heads and attempts of a workspace: which executions are its addresses' current results and newest tries."""

from __future__ import annotations

from collections.abc import Sequence

from zenctl.addrs import Address
from zenctl.metadata.encoding import address_key, key_of
from zenctl.metadata.store import Execution, ExecutionState, MetadataStore, Where


class Marks:
    """What is marked, by address key. `workspace_key` is the workspace's; not safe for several threads at once."""

    def __init__(self, workspace_key: str) -> None:
        self.heads: dict[str, Execution] = {}
        self.attempts: dict[str, Execution] = {}
        self._key = workspace_key

    def read(self, store: MetadataStore) -> None:
        """Take what the store has, in place of what was known."""
        for marked, mark in ((self.heads, "head"), (self.attempts, "attempt")):
            found = store.executions(Where(properties={mark: self._key}))
            marked.clear()
            marked.update({key_of(execution): execution for execution in found})

    def of(self, key: str) -> list[Execution]:
        """The head and the attempt of an address, as far as there are any."""
        return [marked[key] for marked in (self.heads, self.attempts) if key in marked]

    def everything(self) -> list[Execution]:
        """All that is marked, each execution once."""
        return list({e.id: e for e in (*self.heads.values(), *self.attempts.values())}.values())

    def running(self, execution_id: int) -> Execution:
        """The attempt of this id; ValueError unless it runs."""
        for execution in self.attempts.values():
            if execution.id == execution_id and execution.state is ExecutionState.RUNNING:
                return execution
        raise ValueError(f"execution {execution_id} is not recorded as running")

    def check_not_running(self, addr: Address) -> None:
        """ValueError if the address's attempt runs."""
        attempt = self.attempts.get(address_key(addr))
        if attempt is not None and attempt.state is ExecutionState.RUNNING:
            raise ValueError(f"{addr} is recorded as running (execution {attempt.id})")

    def remember(self, written: Execution, cleared: Sequence[Execution]) -> None:
        """Note what was put: an execution, and those of its address that are not marked any more."""
        key = key_of(written)
        changed = {written.id, *(execution.id for execution in cleared)}
        for marked, mark in ((self.heads, "head"), (self.attempts, "attempt")):
            if mark in written.properties:
                marked[key] = written
            elif key in marked and marked[key].id in changed:
                del marked[key]

    def drop(self, key: str) -> None:
        """Forget an address."""
        self.heads.pop(key, None)
        self.attempts.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self.heads.clear()
        self.attempts.clear()
