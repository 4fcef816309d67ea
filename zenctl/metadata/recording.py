"""Recorder: writes down what an apply does, each change in one transition under its lock. Decides nothing.

It stores what it is given and nothing else: no environment variables, no values of secrets.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from zenctl.addrs import Address
from zenctl.jobs.result import JobWarning
from zenctl.metadata.artifacts import OutputRecord, put_joined, recorded_outputs
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
    taken_over,
    workspace_key,
)
from zenctl.metadata.lock import ApplyLock, now_ms
from zenctl.metadata.marks import Marks
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import (
    Execution,
    ExecutionState,
    MetadataStore,
    PropertyValue,
    StoreError,
    Transition,
)
from zenctl.metadata.workspaces import MARKED_DELETED
from zenctl.plans.actions import Components

__all__ = ["OutputRecord", "Recorder"]

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
        self._marks = Marks(self._key)
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
            self._marks.check_not_running(addr)
            old = self._marks.attempts.get(address_key(addr))
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

    def report(self, execution_id: int, what: Literal["handle", "attributes"], found: Mapping[str, Any]) -> None:
        """Record of a running execution how its backend knows its job now, or what its provider has reported."""
        with self._consistent():
            self._put(altered(self._marks.running(execution_id), **{what: json_or_none(found)}))

    def complete(
        self,
        execution_id: int,
        outputs: Mapping[str, OutputRecord],
        environment: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        warnings: Sequence[JobWarning] = (),
        resumed: str = "",
    ) -> dict[str, RecordedArtifact]:
        """Record a running execution as COMPLETE: it becomes its address's head. Gives the outputs as recorded.

        `environment` is what the job ran with, `attributes` what the provider reported; for the rest see `Recorded`.
        """
        with self._consistent():
            done = replace(self._marks.running(execution_id), state=ExecutionState.COMPLETE)
            done = altered(
                done,
                head=self._key,
                attempt=None,
                ended_ms=now_ms(),
                environment=json_or_none(environment),
                notes=json_or_none(notes),
                warnings=encode_warnings(warnings),
                resumed=resumed,
                **({"attributes": json_or_none(attributes)} if attributes else {}),
            )
            superseded = [old for old in self._marks.of(key_of(done)) if old.id != done.id]
            return self._put(done, superseded, outputs=outputs)[1]

    def fail(
        self,
        execution_id: int,
        error: str,
        canceled: bool = False,
        warnings: Sequence[JobWarning] = (),
        resumed: str = "",
    ) -> None:
        """Record a running execution as FAILED or CANCELED. The head stays; this stays visible as the attempt."""
        with self._consistent():
            state = ExecutionState.CANCELED if canceled else ExecutionState.FAILED
            failed = replace(self._marks.running(execution_id), state=state)
            failed = altered(failed, error=clean_text(error), warnings=encode_warnings(warnings), resumed=resumed)
            self._put(altered(failed, ended_ms=now_ms()))

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
            self._marks.check_not_running(addr)
            now = now_ms()
            # A chain of reuses names the execution that really ran.
            origin = source.source or source.execution_id
            new = self._new(addr, self._name(addr, "reuse"), source.type, ExecutionState.CACHED, "reuse", inputs)
            new = altered(
                new,
                head=self._key,
                source=origin,
                started_ms=now,
                ended_ms=now,
                **taken_over(source),
                **described(components, fingerprint, code_version),
            )
            return self._put(new, self._marks.of(key_of(new)), inputs, recorded_outputs(source))[0].id

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
            self._marks.check_not_running(addr)
            new = self._new(addr, self._name(addr, "import"), execution_type, ExecutionState.COMPLETE, "import", inputs)
            new = altered(
                new,
                head=self._key,
                imported_from=json_or_none(imported_from),
                ended_ms=now_ms(),
                **described(components, fingerprint, code_version),
            )
            return self._put(new, self._marks.of(key_of(new)), inputs, outputs)[1]

    def forget(self, addr: Address) -> None:
        """The address has no current result and no attempt any more. What is recorded of its past stays."""
        with self._consistent():
            self._marks.check_not_running(addr)
            key = address_key(addr)
            cleared = [altered(old, head=None, attempt=None) for old in self._marks.of(key)]
            if cleared:
                self._lock.commit(Transition(executions=tuple(cleared)))
                self._marks.drop(key)

    def delete_workspace(self) -> None:
        """Record in one put that the workspace is gone: no address has a result or an attempt in it any more.

        What was recorded stays. Raises ValueError if an attempt is recorded as running.
        """
        with self._consistent():
            marked = self._marks.everything()
            for execution in marked:
                if execution.state is ExecutionState.RUNNING:
                    raise ValueError(f"execution {execution.id} is recorded as running")
            cleared = tuple(altered(old, head=None, attempt=None) for old in marked)
            self._lock.commit(Transition(executions=cleared), MARKED_DELETED)
            self._marks.clear()

    def move(self, recorded: Recorded, to: Address) -> int:
        """Record in one put that an address's current result stands at another address now; gives the execution's id.

        The old address has no result any more; what was its attempt stays its past.
        """
        with self._consistent():
            for addr in (recorded.addr, to):
                self._marks.check_not_running(addr)
            key = address_key(recorded.addr)
            head = self._marks.heads[key]
            new = self._new(to, self._name(to, "move"), recorded.type, head.state, "move", recorded.inputs)
            kept = {name: value for name, value in head.properties.items() if name not in new.properties}
            new = replace(new, properties={**kept, **new.properties})
            if recorded.outputs:
                new = altered(
                    replace(new, state=ExecutionState.CACHED), source=recorded.source or recorded.execution_id
                )
            outputs = recorded_outputs(recorded)
            written = self._put(new, [*self._marks.of(key), *self._marks.of(key_of(new))], recorded.inputs, outputs)[0]
            self._marks.drop(key)
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
            self._marks.check_not_running(addr)
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
            return self._put(new, self._marks.of(key_of(new)), inputs)[0].id

    def endpoint_deleted(self, addr: Address) -> None:
        """Record that an endpoint is gone: its history shows when, and the address has no record any more."""
        with self._consistent():
            self._marks.check_not_running(addr)
            new = self._new(addr, self._name(addr, "delete"), "Deploy", ExecutionState.COMPLETE, "delete", {})
            new = altered(new, ended_ms=now_ms())
            self._put(new, self._marks.of(key_of(new)))

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
                self._marks.read(self._store)
                self._loaded = True
            try:
                yield
            except StoreError:
                self._loaded = False
                raise

    def _new(
        self,
        addr: Address,
        name: str,
        type_: str,
        state: ExecutionState,
        operation: str,
        inputs: Mapping[str, RecordedArtifact],
    ) -> Execution:
        heads = {n: self._marks.heads.get(address_key(a.address)) for n, a in inputs.items() if a.address is not None}
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

    # ---------------------------------------------------------------- putting

    def _put(
        self,
        execution: Execution,
        superseded: Sequence[Execution] = (),
        inputs: Mapping[str, RecordedArtifact] = _NONE,
        outputs: Mapping[str, OutputRecord] = _NONE,
    ) -> tuple[Execution, dict[str, RecordedArtifact]]:
        """Put one execution with its events in one transition; those that it supersedes are no head or attempt then."""
        cleared = [altered(old, head=None, attempt=None) for old in superseded]
        committed, joined = put_joined(self._store, self._lock.commit, (execution, *cleared), inputs, outputs)
        written = replace(execution, id=committed.execution_ids[0])
        self._marks.remember(written, cleared)
        found = {
            name: decode_artifact(replace(joined.artifacts[i], id=committed.artifact_ids[i]))
            for name, i in joined.output_index.items()
        }
        return written, found
