"""Garbage collection on records and stored files of every history: what is needed stays, the rest goes, kills heal."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.measuring import PATIENCE
from tests.unit.engine.histories import ALL, APPLYING, CHAIN, CONFIGURATION, DATA, FIT, REPORT, Killed, Mortal, Place
from zenctl.digests import sha256_text
from zenctl.engine import collecting
from zenctl.engine.collecting import Policy
from zenctl.engine.garbage import Garbage
from zenctl.engine.opening import Opened, open_configuration
from zenctl.engine.requests import Inputs
from zenctl.engine.results import ResultFinder
from zenctl.engine.reusing import Trusted
from zenctl.jobs.artifacts import blob_path, note_path, read_tree, tree_path
from zenctl.jobs.result import JobResult, OutputResult
from zenctl.jobs.spec import result_path
from zenctl.jobs.wire import result_to_json
from zenctl.metadata import exclusive as exclusive_module
from zenctl.metadata import lock as lock_module
from zenctl.metadata.applies import applies
from zenctl.metadata.inventory import take_inventory
from zenctl.metadata.lineage import ancestry
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.workspaces import COLLECTION

NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A history takes a good part of a second: to look for the shortest one that fails takes minutes."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Opened, Path]:
    root = tmp_path_factory.mktemp("configured")
    (root / "main.zen.hcl").write_text(CONFIGURATION)
    (root / "rows.csv").write_text("a\n1\n")
    return open_configuration(Inputs(root), values_required=False), root


@pytest.fixture
def place(opened: tuple[Opened, Path], tmp_path: Path) -> Place:
    return Place(*opened, MemoryStore(), Mortal(tmp_path / "artifacts"))


WORKSPACES = st.sampled_from(["default", "pr-1", "pr-2", "pinning"])
STEPS = st.one_of(
    st.tuples(st.just("apply"), WORKSPACES, st.integers(0, 3)),
    st.tuples(st.just("apply"), WORKSPACES, st.integers(0, 3)),
    st.tuples(st.just("forget"), WORKSPACES, st.sampled_from(CHAIN)),
    st.tuples(st.just("delete"), WORKSPACES, st.none()),
    st.tuples(st.just("abandon"), st.none(), st.integers(0, 9)),
    st.tuples(st.just("kill"), st.none(), st.integers(0, 6)),
    st.tuples(st.just("gc"), st.none(), st.integers(0, 3)),
)


@settings(max_examples=40, deadline=None, phases=NO_SHRINK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=2, max_size=14))
@example([("apply", "pinning", 0), ("delete", "pinning", None), ("kill", None, 1), ("apply", "pinning", 1)])
def test_whatever_happens_nothing_needed_is_freed_and_nothing_else_stays(
    opened: tuple[Opened, Path], steps: list[tuple[str, Any, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(*opened, MemoryStore(), Mortal(Path(folder, "artifacts")))
        for what, workspace, value in steps:
            if what == "apply":
                place.apply(workspace, value)
            elif what == "forget":
                place.forget(workspace, value)
            elif what == "delete":
                place.delete_workspace(workspace)
            elif what == "abandon":
                (place.storage.root / "blobs").mkdir(parents=True, exist_ok=True)
                place.abandon(value)
            elif what == "kill":
                place.storage.deaths = [value]
                try:
                    place.collect()
                except Killed:
                    place.check()
                place.storage.deaths = []
            else:
                place.collect(Policy(keep=value))
                place.check()
        place.collect()
        place.check()
        assert place.find() == Garbage()
        _nothing_else(place)


def _nothing_else(place: Place) -> None:
    """What is stored is what live records name: the lists of files and the files."""
    live = {str(a.properties["digest"]) for a in take_inventory(place.store).artifacts.values() if a.state == "LIVE"}
    trees = {info.path for info in place.storage.list("trees/")}
    assert trees == {tree_path(digest) for digest in live}
    files = {blob_path(f.sha256) for digest in live for f in read_tree(place.storage, digest).files}
    assert {info.path for info in place.storage.list("blobs/")} == files
    assert list(place.storage.leftovers()) == []


def test_the_newest_versions_stay_and_what_is_freed_is_counted(place: Place) -> None:
    for parameter in range(4):
        place.apply("default", parameter)
    versions = {
        addr: len({r.outputs for r in take_inventory(place.store).runs if r.address == str(addr)}) for addr in CHAIN
    }
    found = place.find(Policy(keep=2))
    assert {g.address: g.versions for g in found.groups} == {
        str(addr): count - 2 for addr, count in versions.items() if count > 2
    }
    assert found.groups[0].workspaces == ("default",)
    assert found.bytes == sum(g.bytes for g in found.groups) > 0
    assert len(found.objects) == sum(g.files for g in found.groups)
    place.collect(Policy(keep=2))
    place.check()
    assert place.find(Policy(keep=2)).is_empty
    assert {g.address: g.versions for g in place.find().groups} == {
        str(addr): 1 for addr, count in versions.items() if count > 1
    }


def test_notes_go_with_what_they_are_about(place: Place) -> None:
    place.apply("default", 0)
    dead = {a.digest for r in place.state().results.values() for a in r.outputs.values()}
    place.apply("default", 1)
    needed = {a.digest for r in place.state().results.values() for a in r.outputs.values()}
    note = sha256_text("note")
    paths = {digest: note_path(digest, note) for digest in dead | needed}
    for path in (*paths.values(), note_path(sha256_text("never stored"), note)):
        place.storage.put(path, b"note")
    place.collect()
    assert dead - needed
    assert {info.path for info in place.storage.list("known/")} == {paths[digest] for digest in needed}


def test_what_is_young_stays(place: Place) -> None:
    place.apply("default", 0)
    place.apply("default", 1)
    assert place.find(Policy(older_than=3600.0)).is_empty
    assert not place.find().is_empty


def test_what_was_freed_is_not_reused_and_is_live_again_once_it_is_made_anew(place: Place) -> None:
    place.apply("default", 0)
    first = place.state().results[FIT]
    place.apply("default", 2)
    place.collect()
    [old] = [r for r in ancestry(place.store, [first.execution_id]) if r.execution_id == first.execution_id]
    assert old.is_deleted
    state = place.state()
    results = ResultFinder(place.store, place.storage, state, Trusted("p", "default"))
    assert results(FIT, first.fingerprint) is None
    assert results.pinned(first.execution_id, first.fingerprint) is None
    before = place.state().results[FIT].execution_id
    place.apply("default", 0)
    made = place.state().results[FIT]
    assert (made.execution_id > before, made.source) == (True, 0)
    assert not place.state().results[FIT].is_deleted
    place.check()


def test_an_interruption_leaves_nothing_that_looks_whole(place: Place) -> None:
    for parameter in range(4):
        place.apply("default", parameter)
    place.storage.deaths = [1]
    with pytest.raises(Killed):
        place.collect()
    place.check()
    left = place.find()
    assert left.groups
    assert left.deleted == ()
    place.collect()
    assert place.find().is_empty


def test_applies_may_pass_while_much_is_deleted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for parameter in range(4):
        place.apply("default", parameter)
    monkeypatch.setattr(collecting, "_hold", lambda finding: 0.0 * finding)
    monkeypatch.setattr(collecting, "AT_ONCE", 2)
    found = place.collect()
    assert len(applies(place.store, *COLLECTION, 0)) == -(-len(_files(found)) // 2) + -(-len(_lists(found)) // 2)
    assert place.find().is_empty
    place.check()


def test_deleting_takes_as_long_as_finding_where_that_takes_long() -> None:
    assert [collecting._hold(seconds) for seconds in (0.1, 300.0)] == [collecting.HOLD_SECONDS, 300.0]


def _files(garbage: Garbage) -> list[str]:
    return [info.path for info in garbage.objects if info.path not in _lists(garbage)]


def _lists(garbage: Garbage) -> list[str]:
    return [info.path for info in garbage.objects if info.path.startswith("trees/")]


def test_only_what_was_approved_goes(place: Place) -> None:
    place.apply("default", 0)
    place.apply("default", 1)
    approved = place.find()
    place.apply("default", 2)
    place.collect(ALL, approved)
    place.check()
    left = place.find()
    assert {i.path for i in left.objects}.isdisjoint(i.path for i in approved.objects)
    assert left.groups


def test_what_was_approved_and_is_needed_by_now_stays(place: Place) -> None:
    place.apply("default", 0)
    place.apply("default", 1)
    approved = place.find()
    place.apply("default", 0)
    place.collect(ALL, approved)
    place.check()


def test_a_pinned_snapshot_stays_in_the_workspace_that_pins_it(place: Place) -> None:
    place.apply("pinning", 0)
    place.apply("default", 0)
    first = place.state("pinning").results[DATA].outputs["data"].digest
    place.apply("pinning", 1)
    place.apply("default", 1)
    place.collect()
    assert place.whole(first)


def test_a_snapshot_that_is_half_deleted_goes_although_it_is_pinned_again(place: Place) -> None:
    place.apply("pinning", 0)
    first = place.state("pinning").results[DATA].outputs["data"].digest
    place.delete_workspace("pinning")
    place.storage.deaths = [1]
    with pytest.raises(Killed):
        place.collect()
    place.apply("pinning", 1)
    assert place.storage.stat(tree_path(first)) is not None
    place.collect()
    assert place.storage.stat(tree_path(first)) is None
    place.check()


def test_what_an_interrupted_job_made_again_of_what_was_half_deleted_stays(place: Place) -> None:
    place.apply("default", 0)
    made = place.state().results[DATA]
    place.apply("default", 1)
    place.storage.deaths = [1]
    with pytest.raises(Killed):
        place.collect()
    lock = acquire(place.store, "p", "default", Holder("other-host", 4711, "zenctl apply"), lease_seconds=0.001)
    recorder = Recorder(place.store, lock)
    lock.close()
    started = place.run(recorder, DATA, made.fingerprint, {}, end=False)
    [job] = [run.job_id for run in take_inventory(place.store).runs if run.id == started]
    [old] = made.outputs.values()
    result = JobResult(job, {"data": OutputResult("Dataset", old.digest, 3, old.bytes, {})})
    place.storage.put(result_path(job), result_to_json(result))
    place.collect(lock_timeout=PATIENCE)
    assert place.whole(old.digest)


def test_results_of_other_projects_stay(place: Place) -> None:
    place.apply("default", 0, project="q")
    place.apply("default", 1, project="q")
    place.apply("default", 2)
    place.apply("default", 3)
    place.collect()
    for run in take_inventory(place.store).runs:
        if run.project == "q":
            assert all(place.whole(d) for d in _digests(place, run.outputs))


def _digests(place: Place, ids: tuple[int, ...]) -> list[str]:
    return [str(artifact.properties["digest"]) for artifact in place.store.artifacts_by_id(ids)]


def test_what_an_interrupted_job_wrote_stays_until_somebody_settles_it(place: Place) -> None:
    place.apply("default", 0)
    lock = acquire(place.store, "p", "default", Holder("other-host", 4711, "zenctl apply"), lease_seconds=0.001)
    recorder = Recorder(place.store, lock)
    lock.close()
    started = place.run(recorder, FIT, "f" * 64, {}, end=False)
    before = {info.path for info in place.storage.list("")}
    # It may still be writing: nothing that is as young as it is taken for abandoned.
    place.collect(lock_timeout=PATIENCE)
    assert {info.path for info in place.storage.list("")} == before
    held = place.find()
    assert (held.is_empty, len(held.held)) == (True, 3)
    # It has ended, and the next apply will take what it wrote.
    [job] = [run.job_id for run in take_inventory(place.store).runs if run.id == started]
    output = place.write(str(FIT), int("f", 16) % 5, "f" * 64)
    result = JobResult(job, {"data": OutputResult("Dataset", output.digest, 3, output.bytes, {})})
    place.storage.put(result_path(job), result_to_json(result))
    place.collect()
    assert place.whole(output.digest)
    # Nobody wants it any more.
    lock = acquire(place.store, "p", "default", APPLYING)
    Recorder(place.store, lock).fail(started, "its apply was interrupted", canceled=True)
    lock.finish("complete")
    place.collect()
    assert not place.whole(output.digest)
    place.check()


def test_a_store_that_another_metadata_store_uses_is_left_alone(place: Place) -> None:
    place.apply("default", 0)
    place.apply("default", 1)
    other = replace(place, store=MemoryStore(), numbers=count(101))
    other.apply("default", 2)
    before = {info.path for info in place.storage.list("")}
    with pytest.raises(collecting.DiagnosticError) as refused:
        place.find()
    [problem] = refused.value.diagnostics
    assert (problem.code, "job-101" in problem.detail) == ("store_shared", True)
    with pytest.raises(collecting.DiagnosticError):
        place.collect()
    assert {info.path for info in place.storage.list("")} == before
    place.collect(force=True)
    place.check()
    assert not any("job-101" in info.path for info in place.storage.list("jobs/"))


def test_files_that_are_not_zenctls_stay(place: Place) -> None:
    place.apply("default", 0)
    place.storage.put("notes/readme.txt", b"mine")
    place.collect()
    assert place.storage.stat("notes/readme.txt") is not None


def test_a_needed_artifact_whose_list_is_damaged_is_no_obstacle(place: Place) -> None:
    place.apply("default", 0)
    digest = place.state().results[REPORT].outputs["data"].digest
    path = place.storage.local_path(tree_path(digest))
    path.chmod(0o644)
    path.write_bytes(b"{}")
    place.collect()
    assert path.read_bytes() == b"{}"
    shutil.rmtree(place.storage.root)
    assert place.find().is_empty


def test_applies_and_collections_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lock_module, exclusive_module):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.001)

    def applying(workspace: str, parameters: list[int]) -> None:
        for parameter in parameters:
            place.apply(workspace, parameter)

    # Each makes what the other has made and left: the very results that are garbage at times.
    orders = {"pr-1": [0, 1, 2, 3, 0, 1, 2, 3], "pr-2": [3, 2, 1, 0, 3, 2, 1, 0]}
    with ThreadPoolExecutor() as pool:
        appliers = [pool.submit(applying, *order) for order in orders.items()]
        while not all(applier.done() for applier in appliers):
            place.collect(lock_timeout=PATIENCE)
        for applier in appliers:
            applier.result()
    place.check()
    assert applies(place.store, *COLLECTION, 0)
    place.collect()
    place.check()
