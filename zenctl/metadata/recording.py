"""Recorder: writes down what an apply does, each change in one transition under its lock. Decides nothing.

It stores what it is given and nothing else: no environment variables, no values of secrets.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address
from zenctl.jobs.result import JobWarning
from zenctl.metadata.artifacts import OutputRecord, join, recorded_outputs
from zenctl.metadata.encoding import (
    address_key,
    altered,
    clean_text,
    decode_artifact,
    described,
    encode_warnings,
    json_or_none,
    key_of,
    present,
    workspace_key,
)
from zenctl.metadata.lock import ApplyLock, now_ms
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import (
    AlreadyExists,
    Execution,
    ExecutionState,
    MetadataStore,
    PropertyValue,
    StoreError,
    Transition,
    Where,
)
from zenctl.metadata.workspaces import MARKED_DELETED
from zenctl.plans.actions import Components

__all__ = ["OutputRecord", "Recorder"]

RACES = 10
"""How often another apply may record the same artifact first before that is taken for a fault."""
_NONE: Mapping[str, Any] = {}


class Recorder:
    """Records the changes of one apply. Thread-safe. Every method raises LockLost once the lock was taken away.

    An address has at most one head (its current result) and one attempt (its newest execution while that is no result).
    The put that supersedes either clears it. A running attempt is never superseded, or nobody would look after its
    job any more: what would do it (`reuse`, for example) raises ValueError. Complete or fail it first.
    """

    def __init__(self, store: MetadataStore, lock: ApplyLock) -> None:
        self._store = store
        self._lock = lock
        self._guard = threading.RLock()
        self._key = workspace_key(lock.project, lock.workspace)
        self._heads: dict[str, Execution] = {}
        self._attempts: dict[str, Execution] = {}
        self._loaded = False

    @property
    def serial(self) -> int:
        """The apply's number."""
        return self._lock.serial

    @property
    def after_unfinished(self) -> bool:
        """Whether the apply before has not completed: it may have left more than its attempts tell."""
        return self._lock.after_unfinished

    def start(
        self,
        addr: Address,
        job_id: str,
        execution_type: str,
        components: Components,
        fingerprint: str,
        inputs: Mapping[str, RecordedArtifact],
        backend: str = "",
        code_version: Mapping[str, Any] | None = None,
        *,
        handle: Mapping[str, Any] = _NONE,
        repeated: bool = False,
    ) -> int:
        """Record an attempt as RUNNING, with its inputs; gives the execution's id. The head stays what it is.

        `handle` is how its backend will know it. `repeated`: its job is run twice, so the first alone gives no result.
        """
        with self._consistent():
            self._check_not_running(addr)
            old = self._attempts.get(address_key(addr))
            new = self._new(addr, job_id, execution_type, ExecutionState.RUNNING, "run", inputs)
            new = altered(
                new,
                attempt=self._key,
                backend=backend,
                handle=json_or_none(handle),
                repeated=1 if repeated else None,
                **described(components, fingerprint, code_version),
            )
            return self._put(new, [old] if old else [], inputs)[0].id

    def set_handle(self, execution_id: int, handle: Mapping[str, Any]) -> None:
        """Record that a running execution has another job now, and how its backend knows that."""
        with self._consistent():
            self._put(altered(self._running(execution_id), handle=json_or_none(handle)))

    def report(self, execution_id: int, attributes: Mapping[str, Any]) -> None:
        """Record what a provider has reported of a running execution."""
        with self._consistent():
            self._put(altered(self._running(execution_id), attributes=json_or_none(attributes)))

    def complete(
        self,
        execution_id: int,
        outputs: Mapping[str, OutputRecord],
        environment: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        warnings: Sequence[JobWarning] = (),
    ) -> dict[str, RecordedArtifact]:
        """Record a running execution as COMPLETE: it becomes its address's head. Gives the outputs as recorded.

        `environment` is what the job ran with, `attributes` what the provider reported; for the rest see `Recorded`.
        """
        with self._consistent():
            done = replace(self._running(execution_id), state=ExecutionState.COMPLETE)
            done = altered(
                done,
                head=self._key,
                attempt=None,
                ended_ms=now_ms(),
                environment=json_or_none(environment),
                notes=json_or_none(notes),
                warnings=encode_warnings(warnings),
                **({"attributes": json_or_none(attributes)} if attributes else {}),
            )
            superseded = [old for old in self._marked(key_of(done)) if old.id != done.id]
            return self._put(done, superseded, outputs=outputs)[1]

    def fail(self, execution_id: int, error: str, canceled: bool = False, warnings: Sequence[JobWarning] = ()) -> None:
        """Record a running execution as FAILED or CANCELED. The head stays; this stays visible as the attempt."""
        with self._consistent():
            state = ExecutionState.CANCELED if canceled else ExecutionState.FAILED
            failed = replace(self._running(execution_id), state=state)
            told = encode_warnings(warnings)
            self._put(altered(failed, error=clean_text(error), warnings=told, ended_ms=now_ms()))

    def reuse(
        self,
        addr: Address,
        source: Recorded,
        components: Components,
        fingerprint: str,
        inputs: Mapping[str, RecordedArtifact],
        code_version: Mapping[str, Any] | None = None,
    ) -> int:
        """Record that a recorded result stands for the address: a CACHED execution with its artifacts becomes head."""
        with self._consistent():
            self._check_not_running(addr)
            now = now_ms()
            # A chain of reuses names the execution that really ran.
            origin = source.source or source.execution_id
            new = self._new(addr, self._name(addr, "reuse"), source.type, ExecutionState.CACHED, "reuse", inputs)
            new = altered(
                new,
                head=self._key,
                source=origin,
                imported_from=json_or_none(source.imported_from),
                environment=json_or_none(source.environment),
                notes=json_or_none(source.notes),
                warnings=encode_warnings(source.warnings),
                produced_ms=source.produced_ms,
                started_ms=now,
                ended_ms=now,
                **described(components, fingerprint, code_version),
            )
            return self._put(new, self._marked(key_of(new)), inputs, recorded_outputs(source))[0].id

    def imported(
        self,
        addr: Address,
        execution_type: str,
        components: Components,
        fingerprint: str,
        inputs: Mapping[str, RecordedArtifact],
        outputs: Mapping[str, OutputRecord],
        imported_from: Mapping[str, str],
        code_version: Mapping[str, Any] | None = None,
    ) -> dict[str, RecordedArtifact]:
        """Record in one put what was made elsewhere, each output from a file or folder, as the address's result."""
        with self._consistent():
            self._check_not_running(addr)
            new = self._new(addr, self._name(addr, "import"), execution_type, ExecutionState.COMPLETE, "import", inputs)
            new = altered(
                new,
                head=self._key,
                imported_from=json_or_none(imported_from),
                ended_ms=now_ms(),
                **described(components, fingerprint, code_version),
            )
            return self._put(new, self._marked(key_of(new)), inputs, outputs)[1]

    def forget(self, addr: Address) -> None:
        """The address has no current result and no attempt any more. What is recorded of its past stays."""
        with self._consistent():
            self._check_not_running(addr)
            key = address_key(addr)
            cleared = [altered(old, head=None, attempt=None) for old in self._marked(key)]
            if cleared:
                self._lock.commit(Transition(executions=tuple(cleared)))
                self._heads.pop(key, None)
                self._attempts.pop(key, None)

    def delete_workspace(self) -> None:
        """Record in one put that the workspace is gone: no address has a result or an attempt in it any more.

        What was recorded stays. Raises ValueError if an attempt is recorded as running.
        """
        with self._consistent():
            marked = {e.id: e for e in (*self._heads.values(), *self._attempts.values())}
            for execution in marked.values():
                if execution.state is ExecutionState.RUNNING:
                    raise ValueError(f"execution {execution.id} is recorded as running")
            cleared = tuple(altered(old, head=None, attempt=None) for old in marked.values())
            self._lock.commit(Transition(executions=cleared), MARKED_DELETED)
            self._heads, self._attempts = {}, {}

    def move(self, recorded: Recorded, to: Address) -> int:
        """Record in one put that an address's current result stands at another address now; gives the execution's id.

        The old address has no result any more; what was its attempt stays its past.
        """
        with self._consistent():
            for addr in (recorded.addr, to):
                self._check_not_running(addr)
            key = address_key(recorded.addr)
            head = self._heads[key]
            new = self._new(to, self._name(to, "move"), recorded.type, head.state, "move", recorded.inputs)
            kept = {name: value for name, value in head.properties.items() if name not in new.properties}
            new = replace(new, properties={**kept, **new.properties})
            if recorded.outputs:
                new = altered(
                    replace(new, state=ExecutionState.CACHED), source=recorded.source or recorded.execution_id
                )
            outputs = recorded_outputs(recorded)
            written = self._put(new, [*self._marked(key), *self._marked(key_of(new))], recorded.inputs, outputs)[0]
            self._heads.pop(key, None)
            self._attempts.pop(key, None)
            return written.id

    def endpoint(
        self,
        addr: Address,
        components: Components,
        attributes: Mapping[str, Any],
        inputs: Mapping[str, RecordedArtifact],
        job_id: str = "",
        code_version: Mapping[str, Any] | None = None,
        *,
        imported_from: Mapping[str, str] | None = None,
    ) -> int:
        """Record in one put that an endpoint now is as `attributes` say; gives the execution's id.

        `imported_from` says which one it was, of an endpoint that something else made.
        """
        operation = "import" if imported_from else "publish"
        with self._consistent():
            self._check_not_running(addr)
            name = job_id or self._name(addr, operation)
            new = self._new(addr, name, "Deploy", ExecutionState.COMPLETE, operation, inputs)
            new = altered(
                new,
                head=self._key,
                attributes=json_or_none(attributes),
                imported_from=json_or_none(imported_from),
                ended_ms=now_ms(),
                **described(components, "", code_version),
            )
            return self._put(new, self._marked(key_of(new)), inputs)[0].id

    def endpoint_deleted(self, addr: Address) -> None:
        """Record that an endpoint is gone: its history shows when, and the address has no record any more."""
        with self._consistent():
            self._check_not_running(addr)
            new = self._new(addr, self._name(addr, "delete"), "Deploy", ExecutionState.COMPLETE, "delete", {})
            new = altered(new, ended_ms=now_ms())
            self._put(new, self._marked(key_of(new)))

    def finish(self, outcome: str, outputs: Mapping[str, Any] | None = None) -> None:
        """End the apply and give the lock back. `outputs` are the root outputs; None leaves the earlier ones."""
        self._lock.finish(outcome, outputs)

    @contextmanager
    def _consistent(self) -> Iterator[None]:
        """One change at a time; what is known of heads and attempts is read once, and again after an error.

        Under the lock nobody else changes them. After an error it is not known whether the put has landed.
        """
        with self._guard:
            if not self._loaded:
                self._heads = self._by_address("head")
                self._attempts = self._by_address("attempt")
                self._loaded = True
            try:
                yield
            except StoreError:
                self._loaded = False
                raise

    def _by_address(self, mark: str) -> dict[str, Execution]:
        return {key_of(found): found for found in self._store.executions(Where(properties={mark: self._key}))}

    def _new(
        self,
        addr: Address,
        name: str,
        type_: str,
        state: ExecutionState,
        operation: str,
        inputs: Mapping[str, RecordedArtifact],
    ) -> Execution:
        heads = {n: self._heads.get(address_key(a.address)) for n, a in inputs.items() if a.address is not None}
        producers = {input_name: head.id for input_name, head in heads.items() if head is not None}
        properties: dict[str, PropertyValue | None] = {
            "project": self._lock.project,
            "workspace": self._lock.workspace,
            "workspace_key": self._key,
            "address": clean_text(str(addr)),
            "address_key": address_key(addr),
            "serial": self.serial,
            "operation": operation,
            "started_ms": now_ms(),
            "producers": json_or_none(producers),
        }
        return Execution(type_, name, state, present(properties))

    def _name(self, addr: Address, operation: str) -> str:
        """A unique name for an execution that has no job."""
        return f"{self._key[:12]}-{self.serial}-{operation}-{address_key(addr)[:12]}-{secrets.token_hex(4)}"

    def _running(self, execution_id: int) -> Execution:
        for execution in self._attempts.values():
            if execution.id == execution_id and execution.state is ExecutionState.RUNNING:
                return execution
        raise ValueError(f"execution {execution_id} is not recorded as running in workspace {self._lock.workspace}")

    def _check_not_running(self, addr: Address) -> None:
        attempt = self._attempts.get(address_key(addr))
        if attempt is not None and attempt.state is ExecutionState.RUNNING:
            raise ValueError(f"{addr} is recorded as running (execution {attempt.id})")

    # ---------------------------------------------------------------- putting

    def _marked(self, key: str) -> list[Execution]:
        """The head and the attempt of an address, as far as there are any."""
        return [marked[key] for marked in (self._heads, self._attempts) if key in marked]

    def _put(
        self,
        execution: Execution,
        superseded: Sequence[Execution] = (),
        inputs: Mapping[str, RecordedArtifact] = _NONE,
        outputs: Mapping[str, OutputRecord] = _NONE,
    ) -> tuple[Execution, dict[str, RecordedArtifact]]:
        """Put one execution with its events in one transition; those that it supersedes are no head or attempt then."""
        cleared = [altered(old, head=None, attempt=None) for old in superseded]
        joined = join(self._store, inputs, outputs)
        for _ in range(RACES):
            try:
                committed = self._lock.commit(
                    Transition(executions=(execution, *cleared), artifacts=joined.artifacts, events=joined.events)
                )
                break
            except AlreadyExists:
                # Another workspace's apply may have recorded an artifact of the same content just now: use that one.
                before, joined = joined, join(self._store, inputs, outputs)
                if joined.known == before.known:
                    raise
        else:
            raise StoreError("the metadata store does not keep the artifacts of other applies")
        written = replace(execution, id=committed.execution_ids[0])
        self._remember(written, cleared)
        found = {
            name: decode_artifact(replace(joined.artifacts[i], id=committed.artifact_ids[i]))
            for name, i in joined.output_index.items()
        }
        return written, found

    def _remember(self, written: Execution, cleared: Sequence[Execution]) -> None:
        key = key_of(written)
        changed = {written.id, *(execution.id for execution in cleared)}
        for marked, mark in ((self._heads, "head"), (self._attempts, "attempt")):
            if mark in written.properties:
                marked[key] = written
            elif key in marked and marked[key].id in changed:
                del marked[key]
