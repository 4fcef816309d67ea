"""Telling and setting the stores of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.config import stores
from zenctl.config.stores import EditError, Store, artifact_store, get_store, metadata_store, set_store
from zenctl.diagnostics import DiagnosticError
from zenctl.lang.document import BlockData
from zenctl.provider.registry import Registry

SQLITE = metadata_store("sqlite", {"path": "a.db"})


def put(root: Path, registry: Registry, wanted: BlockData) -> str:
    """Set a store, write it, and give the file's text."""
    edited = set_store(root, registry, wanted)
    stores.write(root, edited)
    return (root / edited.file).read_text()


def test_defaults(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text("locals {}\n")
    assert get_store(tmp_path, registry, "metadata") == Store("sqlite", ".zenctl/metadata.db", None)
    assert get_store(tmp_path, registry, "artifacts").range is None


def test_a_new_file_in_an_empty_folder(tmp_path: Path, registry: Registry) -> None:
    edited = set_store(tmp_path, registry, SQLITE)
    assert (edited.file, edited.is_new, edited.is_changed) == ("settings.zen.hcl", True, True)
    assert not (tmp_path / "settings.zen.hcl").exists()
    assert put(tmp_path, registry, SQLITE) == 'zenctl {\n  metadata "sqlite" {\n    path = "a.db"\n  }\n}\n'
    store = get_store(tmp_path, registry, "metadata")
    assert (store.type, store.location, str(store.range)) == ("sqlite", "a.db", "settings.zen.hcl:2:3")
    again = set_store(tmp_path, registry, SQLITE)
    assert (again.is_new, again.is_changed) == (False, False)


@pytest.mark.parametrize("text", ["# mine\nlocals {}", "# mine\nlocals {}\n"])
def test_an_own_settings_file_is_added_to(tmp_path: Path, registry: Registry, text: str) -> None:
    (tmp_path / "settings.zen.hcl").write_text(text)
    after = put(tmp_path, registry, metadata_store("sqlite", {}))
    assert after == '# mine\nlocals {}\n\nzenctl {\n  metadata "sqlite" {}\n}\n'


def test_the_block_that_is_there_is_edited(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text("locals {}\n")
    (tmp_path / "b.zen.yaml").write_text("# é\nzenctl:\n  project: p # the name\n  # end\n")
    (tmp_path / "c.zen.hcl").write_text('zenctl {\n  artifacts "local" { path = "x" } # here\n}\n')
    assert put(tmp_path, registry, SQLITE) == (
        "# é\nzenctl:\n  project: p # the name\n  metadata: {sqlite: {path: a.db}}\n  # end\n"
    )
    after = put(tmp_path, registry, artifact_store("/mnt/a b", registry))
    assert after == 'zenctl {\n  artifacts "local" { path = "/mnt/a b" } # here\n}\n'
    edited = set_store(tmp_path, registry, artifact_store("y", registry))
    assert edited.before == Store("local", "/mnt/a b", edited.before.range if edited.before else None)
    assert edited.after.location == "y"
    assert not (tmp_path / "settings.zen.hcl").exists()


def test_permissions_and_links_are_kept(tmp_path: Path, registry: Registry) -> None:
    target = tmp_path / "elsewhere.hcl"
    target.write_text("zenctl {}\n")
    target.chmod(0o640)
    (tmp_path / "a.zen.hcl").symlink_to(target)
    put(tmp_path, registry, SQLITE)
    assert (tmp_path / "a.zen.hcl").is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert "a.db" in target.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zen.hcl", "elsewhere.hcl"]


@pytest.mark.parametrize("type_", ["oracle", "sqlit", ""])
def test_types_that_there_are_not(type_: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        metadata_store(type_, {})
    [problem] = caught.value.diagnostics
    assert problem.code == "unknown_metadata_store_type"
    assert "Available: grpc, mysql, postgresql, sqlite." in problem.detail


def test_places_of_artifacts(registry: Registry) -> None:
    assert artifact_store("a b", registry) == BlockData("artifacts", ("local",), {"path": "a b"})
    assert artifact_store("file:///mnt/x", registry).attributes == {"path": "/mnt/x"}
    with pytest.raises(DiagnosticError, match=r"No artifact store serves gs://.*Available: local"):
        artifact_store("gs://bucket/a", registry)
    for text in ("a\udc80", "a\0"):
        with pytest.raises(DiagnosticError, match="not valid text"):
            artifact_store(text, registry)
        with pytest.raises(DiagnosticError, match="not valid text"):
            metadata_store("sqlite", {"path": text})
    with pytest.raises(DiagnosticError, match="empty"):
        artifact_store(" ", registry)


def refused(root: Path, registry: Registry, wanted: BlockData = SQLITE) -> DiagnosticError:
    before = {path.name: path.read_text() for path in root.iterdir()}
    with pytest.raises(DiagnosticError) as caught:
        set_store(root, registry, wanted)
    assert {path.name: path.read_text() for path in root.iterdir()} == before
    return caught.value


def test_a_configuration_that_cannot_be_read_is_left_alone(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text("zenctl {\n")
    assert refused(tmp_path, registry).diagnostics[0].code == "unclosed_block"


def test_settings_that_would_be_wrong_are_not_written(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text('zenctl {\n  required_version = "> 99"\n}\n')
    problem = refused(tmp_path, registry)
    assert isinstance(problem, EditError)
    assert problem.diagnostics[0].code == "version_not_met"
    assert "a.db" in problem.texts["a.zen.hcl"]


def test_a_wrong_store_is_mended(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text('zenctl {\n  metadata "oracle" {\n    host = "x" # there\n  }\n}\n')
    with pytest.raises(DiagnosticError, match='no metadata store type "oracle"'):
        get_store(tmp_path, registry, "metadata")
    edited = set_store(tmp_path, registry, SQLITE)
    assert edited.before is None
    assert edited.texts["a.zen.hcl"] == 'zenctl {\n  metadata "sqlite" {\n    path = "a.db" # there\n  }\n}\n'


def test_a_store_that_is_set_twice(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text('zenctl {\n  metadata "sqlite" {}\n}\n')
    (tmp_path / "b.zen.hcl").write_text('zenctl {\n  metadata "sqlite" {}\n}\n')
    [problem] = refused(tmp_path, registry).diagnostics
    assert (problem.code, str(problem.range)) == ("duplicate", "b.zen.hcl:2:3")


def test_what_takes_a_person_says_what_to_write(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "a.zen.hcl").write_text("zenctl { /* why */ }\n")
    [problem] = refused(tmp_path, registry).diagnostics
    assert problem.code == "cannot_edit"
    assert '    metadata "sqlite" {\n' in problem.detail
    (tmp_path / "a.zen.hcl").unlink()
    # After a flow mapping over several lines nothing can be put by lines.
    (tmp_path / "a.zen.yaml").write_text("zenctl:\n  artifacts: {\n    local: {}\n  }\n")
    [problem] = refused(tmp_path, registry).diagnostics
    assert problem.code == "cannot_edit"


def test_a_folder_that_cannot_be_written(tmp_path: Path, registry: Registry) -> None:
    edited = set_store(tmp_path, registry, SQLITE)
    with pytest.raises(DiagnosticError, match=r"settings\.zen\.hcl cannot be written: No such file"):
        stores.write(tmp_path / "gone", edited)
