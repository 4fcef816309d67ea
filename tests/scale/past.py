"""Makes metadata stores with a long past: a real apply, written by zenctl, and copies of it as earlier ones.

A million executions through MLMD would take hours. So the current results of every address are written through
`MlmdStore`, a few hundred in a put, and the past is then copied from them inside of the database, row by row of MLMD's
own tables: every copy has an id, a name, an apply and artifacts of its own, and is nobody's head. Its events, paths,
transitions, associations and attributions are those that zenctl writes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zenctl.digests import sha256_bytes, sha256_text
from zenctl.fingerprint.digest import fingerprint
from zenctl.jobs.artifacts import blob_path, tree_path
from zenctl.metadata.encoding import address_key, described, workspace_key
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.store import (
    Artifact,
    ArtifactState,
    Event,
    EventType,
    Execution,
    ExecutionState,
    MetadataStore,
    Transition,
)
from zenctl.plans.plan import Change, Plan

FIRST = 2_000_000
"""Ids of the newest apply come after this one, so that its past finds room before them."""

EVENTS = 2 * FIRST
CONTEXTS = FIRST + FIRST // 2
APPLIES = 1000
"""Ids of the past applies begin here: no other past context has one as low."""

AT_ONCE = 500
EACH = 10
"""Applies that ran all addresses between them, a tenth each."""

Run = Callable[[Sequence[str]], None]
"""Runs SQL statements in a store's database."""


@dataclass(frozen=True)
class Database:
    """A database of MLMD that the past is copied in. `run` runs statements; the texts are how it spells things."""

    run: Run
    concat: str
    divide: str
    reserve: str

    def join(self, *parts: str) -> str:
        """The text that several make together."""
        return f"concat({', '.join(parts)})" if self.concat == "concat" else " || ".join(parts)


SQLITE = """
import json, sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as connection:
    connection.execute("pragma journal_mode = off")
    connection.execute("pragma synchronous = off")
    connection.execute("pragma cache_size = -1000000")
    statements = json.load(sys.stdin)
    # Many rows go in faster where their indices are made afterwards.
    found = connection.execute("select name, sql from sqlite_master where type = 'index' and sql > ''").fetchall()
    many = len(statements) > 100
    for name, _ in found if many else ():
        connection.execute(f"drop index `{name}`")
    connection.execute("begin")
    for statement in statements:
        connection.execute(statement)
    connection.execute("commit")
    for _, sql in found if many else ():
        connection.execute(sql)
"""


def sqlite(path: Path) -> Database:
    """A file. It is written to by another process: MLMD holds it in this one."""

    def run(statements: Sequence[str]) -> None:
        command = [sys.executable, "-c", SQLITE, str(path)]
        subprocess.run(command, input=json.dumps(list(statements)), text=True, check=True)

    reserve = "insert into sqlite_sequence (name, seq) values ('{table}', {after})"
    return Database(run, "||", "/", reserve)


def mysql(run: Callable[..., None], database: str) -> Database:
    """A database of a server; `run` runs statements as its administrator."""
    settings = (f"use {database}", "set unique_checks = 0", "set foreign_key_checks = 0", "start transaction")

    def run_here(statements: Sequence[str]) -> None:
        for start in range(0, len(statements), 50):
            run(*settings, *statements[start : start + 50], "commit")

    return Database(run_here, "concat", "div", "alter table {table} auto_increment = {next}")


def reserve(database: Database) -> None:
    """Leave room for ids before those of the newest apply."""
    tables = {"Execution": FIRST, "Artifact": FIRST, "Event": EVENTS, "Context": CONTEXTS}
    text = database.reserve
    cleared = [f"delete from sqlite_sequence where name in ({', '.join(map(repr, tables))})"] if "seq" in text else []
    database.run([*cleared, *(text.format(table=t, after=after, next=after + 1) for t, after in tables.items())])


def write_project(root: Path, addresses: int) -> None:
    """A configuration of so many steps: chains of ten."""
    (root / "steps").mkdir(parents=True)
    (root / "steps/s.py").write_text(
        "from zenctl.sdk import Artifact, Output\n\n\n"
        "def first(out: Output[Artifact], *, n: int) -> None: ...\n\n\n"
        "def later(data: Artifact, out: Output[Artifact], *, n: int) -> None: ...\n"
    )
    blocks = ['zenctl { project = "big" }\n']
    for number in range(addresses):
        inputs = f"  inputs = {{ data = step.python.s{number - 1}.out }}\n" if number % 10 else ""
        code = f'  code = "steps/s.py:{"later" if number % 10 else "first"}"\n'
        blocks.append(f'step "python" "s{number}" {{\n{code}{inputs}  params = {{ n = {number} }}\n}}\n')
    (root / "main.zen.hcl").write_text("\n".join(blocks))


def write_apply(store: MetadataStore, plan: Plan, artifacts: Path) -> int:
    """Write what applying a plan of the project would; gives how many executions that are."""
    lock = acquire(store, "big", "default", Holder.here())
    blob = b"1"
    place = artifacts / blob_path(sha256_bytes(blob))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(blob)
    trees = {change.address: _tree(change.address, blob) for change in plan.changes}
    for digest, data in trees.values():
        place = artifacts / tree_path(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    digests = {address: digest for address, (digest, _) in trees.items()}
    ids: dict[str, int] = {}
    for start in range(0, len(plan.changes), AT_ONCE):
        part = plan.changes[start : start + AT_ONCE]
        made = lock.commit(_transition(part, digests, ids))
        for index, change in enumerate(part):
            ids[digests[change.address]] = made.artifact_ids[index]
    lock.finish("complete", {})
    return len(plan.changes)


def _tree(address: str, blob: bytes) -> tuple[str, bytes]:
    file = {"path": address, "sha256": sha256_bytes(blob), "size": len(blob)}
    data = json.dumps({"files": [file], "format": 1}, sort_keys=True, separators=(",", ":")).encode()
    return sha256_bytes(data), data


def _transition(part: Sequence[Change], digests: dict[str, str], ids: dict[str, int]) -> Transition:
    artifacts = [_artifact(digests[change.address]) for change in part]
    where = {digests[change.address]: index for index, change in enumerate(part)}
    executions: list[Execution] = []
    events: list[Event] = []
    for number, change in enumerate(part):
        inputs = dict(_inputs(change, digests))
        executions.append(_execution(change, inputs))
        events.append(Event(number, where[digests[change.address]], EventType.OUTPUT, "out"))
        for name, digest in inputs.items():
            if digest not in where:
                where[digest] = len(artifacts)
                artifacts.append(replace(_artifact(digest), id=ids[digest]))
            events.append(Event(number, where[digest], EventType.INPUT, name))
    return Transition(executions=tuple(executions), artifacts=tuple(artifacts), events=tuple(events))


def _inputs(change: Change, digests: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A step reads the output of the one before it in its chain."""
    for name in change.components.inputs if change.components is not None else ():
        yield name, digests[f"step.python.s{int(change.addr.name[1:]) - 1}"]


def _artifact(digest: str) -> Artifact:
    return Artifact("Artifact", tree_path(digest), ArtifactState.LIVE, {"digest": digest, "bytes": 1}, name=digest)


def _execution(change: Change, inputs: dict[str, str]) -> Execution:
    assert change.components is not None
    components = replace(change.components, inputs=inputs)
    key = workspace_key("big", "default")
    properties = {
        "project": "big",
        "workspace": "default",
        "workspace_key": key,
        "head": key,
        "address": change.address,
        "address_key": address_key(change.addr),
        "serial": 1,
        "operation": "run",
        "started_ms": 1_700_000_000_000,
        "ended_ms": 1_700_000_001_000,
        "backend": "backend.local.embedded",
        "handle": json.dumps({"job_id": change.address, "log": f"artifacts/jobs/{change.address}/log.txt"}),
        **described(components, fingerprint(components), {"branch": "main", "commit": sha256_text("c")[:40]}),
    }
    kept = {name: value for name, value in properties.items() if value is not None}
    return Execution("Process", f"job-{change.address}", ExecutionState.COMPLETE, kept)


def write_past(database: Database, executions: int, copies: int) -> None:
    """Copy the newest apply so many times as its past, as ten applies each; the newest one gets the last serial."""
    last = copies * EACH + 1
    statements = [
        f"update Context set name = {database.join(repr(f'big/default/{last}'), 'substr(name, 14)')} "
        "where name like 'big/default/1%'",
        f"update ContextProperty set int_value = {last} where name in ('serial', 'outputs_serial')",
        f"update ExecutionProperty set int_value = {last} where name = 'serial'",
    ]
    for copy in range(copies, 0, -1):
        statements += _copied(database, executions, copy, (copies - copy) * EACH)
    database.run(statements)


_TIMES = "create_time_since_epoch, last_update_time_since_epoch"
_COLUMNS = "name, is_custom_property, int_value, double_value, string_value, byte_value, proto_value, bool_value"
_NEWEST = f"e.id > {FIRST}"


def _values(*, int_value: str = "int_value", string_value: str = "string_value") -> str:
    return f"p.name, is_custom_property, {int_value}, double_value, {string_value}, byte_value, proto_value, bool_value"


def _copied(database: Database, executions: int, copy: int, before: int) -> list[str]:
    """One copy of every execution; `before` is the serial before those of the applies that it is spread over."""
    past = copy * executions
    share = max(executions // EACH, 1)
    serial = f"({before} + 1 + (e.id - {FIRST} - 1) {database.divide} {share})"
    return [*_copied_nodes(database, past, copy, serial), *_copied_contexts(database, past, before, serial)]


def _copied_nodes(database: Database, past: int, copy: int, serial: str) -> list[str]:
    """Executions, artifacts and events."""
    numbered = _values(int_value=f"case p.name when 'serial' then {serial} else int_value end")
    other = database.join(str(copy), "substr(string_value, 5)")
    digested = _values(string_value=f"case p.name when 'digest' then {other} else string_value end")
    return [
        f"insert into Execution (id, type_id, last_known_state, name, {_TIMES}) select id - {past}, type_id, "
        f"last_known_state, {database.join('name', repr('-'), str(copy))}, {_TIMES} from Execution e where {_NEWEST}",
        f"insert into ExecutionProperty (execution_id, {_COLUMNS}) select execution_id - {past}, {numbered} "
        f"from ExecutionProperty p join Execution e on e.id = p.execution_id where {_NEWEST} and p.name <> 'head'",
        f"insert into Artifact (id, type_id, uri, state, name, {_TIMES}) select id - {past}, type_id, uri, state, "
        f"{database.join(str(copy), 'substr(name, 5)')}, {_TIMES} from Artifact e where {_NEWEST}",
        f"insert into ArtifactProperty (artifact_id, {_COLUMNS}) select artifact_id - {past}, {digested} "
        f"from ArtifactProperty p where p.artifact_id > {FIRST}",
        f"insert into Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) select id - {2 * past}, "
        f"artifact_id - {past}, execution_id - {past}, type, milliseconds_since_epoch from Event where id > {EVENTS}",
        f"insert into EventPath (event_id, is_index_step, step_index, step_key) select event_id - {2 * past}, "
        f"is_index_step, step_index, step_key from EventPath where event_id > {EVENTS}",
    ]


def _copied_contexts(database: Database, past: int, before: int, serial: str) -> list[str]:
    """Ten applies, a transition of each execution, and what joins the executions and artifacts to them."""
    tenths = " union all ".join(f"select {number} as k" for number in range(EACH))
    apply, group, fence = CONTEXTS + 1, CONTEXTS + 2, CONTEXTS + 3
    applied = f"({before} + 1 + k)"
    numbered = "p.name in ('serial', 'outputs_serial')"
    counted = _values(int_value=f"case when {numbered} then {applied} else int_value end")
    token = database.join("'t'", f"(e.id - {past})")
    joined = [f"{APPLIES} - 1 + {serial}", str(group), f"e.id - {past}"]
    of_executions = " union all ".join(f"select {c}, e.id - {past} from Execution e where {_NEWEST}" for c in joined)
    of_artifacts = " union all ".join(f"select {c}, e.id - {past} from Artifact e where {_NEWEST}" for c in joined)
    return [
        f"insert into Context (id, type_id, name, {_TIMES}) select {APPLIES + before} + k, c.type_id, "
        f"{database.join(repr('big/default/'), applied)}, {_TIMES} from Context c, ({tenths}) t where c.id = {apply}",
        f"insert into ContextProperty (context_id, {_COLUMNS}) select {APPLIES + before} + k, {counted} "
        f"from ContextProperty p, ({tenths}) t where p.context_id = {apply}",
        f"insert into Context (id, type_id, name, {_TIMES}) select e.id - {past}, c.type_id, "
        f"{database.join(repr('big/default/'), serial, repr('/'), 'e.id')}, c.create_time_since_epoch, "
        f"c.last_update_time_since_epoch from Execution e, Context c where {_NEWEST} and c.id = {fence}",
        f"insert into ContextProperty (context_id, name, is_custom_property, string_value) select e.id - {past}, "
        f"'token', 0, {token} from Execution e where {_NEWEST}",
        f"insert into Association (context_id, execution_id) {of_executions}",
        f"insert into Attribution (context_id, artifact_id) {of_artifacts}",
    ]
