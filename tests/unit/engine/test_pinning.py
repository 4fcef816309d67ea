"""Which recorded snapshot a version names, and what is said where it names none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zenctl.addrs import DatasourceAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.desired import DesiredDatasource
from zenctl.engine.pinning import find_snapshot, pinned_version
from zenctl.jobs.artifacts import Tree, tree_path
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import ExecutionState
from zenctl.provider.testing.fakes import FakeStorage
from zenctl.steps.csv.schema import Csv

ADDR = DatasourceAddr("csv", "d")
EMPTY = Tree(()).to_json()
WHOLE = Tree(()).digest


def wanted(version: str) -> DesiredDatasource:
    config = SimpleNamespace(body=SimpleNamespace(attributes={}), range=None)
    return DesiredDatasource(ADDR, cast(Any, config), Csv(path="x.csv", version=version))


def snapshot(serial: int, digest: str, state: ExecutionState = ExecutionState.COMPLETE) -> Recorded:
    outputs = {"data": RecordedArtifact(serial, "Dataset", "u", digest, properties={"rows": 1000 + serial})}
    return Recorded(ADDR, serial, f"job-{serial}", state, serial, "Process", outputs=outputs)


HISTORY = [
    snapshot(5, WHOLE),
    snapshot(4, "abcdef1" + "0" * 57),
    snapshot(3, "abcdef2" + "0" * 57),
    snapshot(2, WHOLE),
    snapshot(1, "123456" + "0" * 58, ExecutionState.FAILED),
]


@pytest.fixture
def storage() -> FakeStorage:
    made = FakeStorage()
    made.put(tree_path(WHOLE), EMPTY)
    return made


@pytest.mark.parametrize(("version", "serial"), [("5", 5), ("2", 2), (WHOLE[:6], 5), (WHOLE.upper(), 5)])
def test_a_serial_or_a_digest_names_a_snapshot(version: str, serial: int, storage: FakeStorage) -> None:
    assert find_snapshot(wanted(version), HISTORY, storage).serial == serial


@pytest.mark.parametrize(
    ("version", "code", "says"),
    [
        ("7", "version_unknown", "abcdef100000 (apply 4, 1970-01-01, 1,004 rows)"),
        ("1", "version_unknown", "Recorded are"),
        ("123456", "version_unknown", "Recorded are"),
        ("abcdef", "version_ambiguous", "They begin: abcdef1000000000, abcdef2000000000."),
        ("abcdef1", "version_deleted", "is gone"),
        ("4", "version_deleted", "is gone"),
        ("abcde", "version_malformed", "6 to 64 hexadecimal digits"),
        ("v1.0", "version_malformed", "6 to 64 hexadecimal digits"),
    ],
)
def test_what_cannot_be_pinned_says_why(version: str, code: str, says: str, storage: FakeStorage) -> None:
    with pytest.raises(DiagnosticError) as caught:
        find_snapshot(wanted(version), HISTORY, storage)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == code
    assert says in diagnostic.detail


def test_what_is_recorded_as_deleted_cannot_be_pinned_although_its_files_are_there_yet(storage: FakeStorage) -> None:
    whole = snapshot(5, WHOLE)
    deleted = replace(whole, outputs={"data": replace(whole.outputs["data"], deleted=True)})
    with pytest.raises(DiagnosticError) as caught:
        find_snapshot(wanted("5"), [deleted, *HISTORY[1:3]], storage)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "version_deleted"
    assert diagnostic.detail.startswith("`zenctl state gc` has freed it.")


def test_nothing_recorded_yet(storage: FakeStorage) -> None:
    with pytest.raises(DiagnosticError, match="None is recorded yet"):
        find_snapshot(wanted("1"), [], storage)


def test_without_a_version_nothing_is_pinned() -> None:
    assert pinned_version(wanted("")) == ""
    assert pinned_version(wanted(" ABCDEF ")) == "abcdef"
