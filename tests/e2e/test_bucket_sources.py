"""Projects whose data lies in a bucket: planned without a download, applied, changed and refused by the command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.documented import expect_documented
from tests.e2e.conftest import ROOT, Project
from tests.e2e.test_artifact_stores import KEYS, digests, no_secret_was_written
from tests.e2e.test_faults import words
from tests.emulators import Emulator, moto
from tests.fakes.faults import Fault
from tests.fakes.gcs import FakeGcs, Running, Stored, serving
from zenctl.jobs.stores.objects import ObjectStorage
from zenctl.jobs.stores.opening import open_store


@pytest.fixture(scope="module")
def s3() -> Iterator[Emulator]:
    with moto() as server:
        yield server


@pytest.fixture
def strict(tiny: Project) -> Iterator[Running]:
    with serving() as running:
        tiny.environment["STORAGE_EMULATOR_HOST"] = running.endpoint
        yield running
        assert running.fake.problems == []


def on_s3(project: Project, s3: Emulator) -> ObjectStorage:
    """An empty bucket of S3 that the project can reach."""
    project.environment.update({**KEYS, "AWS_ENDPOINT_URL_S3": s3.endpoint})
    access = {"endpoint": s3.endpoint, "key_id": "id", "secret": "secret"}
    storage = open_store(f"s3://{s3.bucket()}", access)
    assert isinstance(storage, ObjectStorage)
    return storage


def test_penguins_that_move_to_a_bucket_are_read_once_more_and_cut_off(project: Project, s3: Emulator) -> None:
    shutil.copytree(ROOT / "examples" / "penguins", project.root, dirs_exist_ok=True)
    lines = (project.root / "data" / "penguins.csv").read_bytes()
    clean = "-target=step.python.clean"
    project.ok("apply", "-auto-approve", clean)
    before = digests(project)
    storage = on_s3(project, s3)
    storage.put("in/penguins.csv", lines)
    project.edit("penguins.zen.hcl", '"data/penguins.csv"', f'"{storage.uri}/in/*.csv"')
    applied = words(project.ok("apply", "-auto-approve", clean))
    assert "datasource.csv.penguins: ran" in applied
    assert "step.python.clean: running" not in applied
    assert digests(project) == before
    no_secret_was_written(project)
    # The same bytes under another name are the same source.
    storage.put("copied.csv", lines)
    project.edit("penguins.zen.hcl", f"{storage.uri}/in/*.csv", f"{storage.uri}/copied.csv")
    assert "datasource.csv.penguins will be read" not in project.ok("plan", clean)
    storage.put("copied.csv", lines + lines.splitlines(keepends=True)[-1], overwrite=True)
    planned = words(project.ok("plan", "-detailed-exitcode", clean, code=2))
    assert "datasource.csv.penguins will be read again" in planned
    assert "bytes" in planned
    storage.put("copied.csv", lines + lines.splitlines(keepends=True)[-1] * 100, overwrite=True)
    moved = project.ok("plan", "-drift", clean)
    assert "#     species: moved by 0." in moved
    assert "cannot be told" not in moved


def test_data_and_artifacts_in_two_buckets(tiny: Project, s3: Emulator) -> None:
    data, artifacts = on_s3(tiny, s3), on_s3(tiny, s3)
    data.put("heights.csv", (tiny.root / "heights.csv").read_bytes())
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', f'path = "{data.uri}/heights.csv"')
    tiny.ok("config", "artifacts", "set", artifacts.uri)
    tiny.ok("apply", "-auto-approve")
    tiny.ok("plan", "-detailed-exitcode")
    assert [item.path for item in data.list("")] == ["heights.csv"]
    no_secret_was_written(tiny)


def put(fake: FakeGcs, bucket: str, name: str, data: bytes) -> None:
    fake.insert(bucket, {"name": name}, {}, data)


def test_plan_downloads_nothing_and_a_job_takes_no_other_version(
    tiny: Project, strict: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = strict.fake
    bucket = fake.bucket()
    lines = (tiny.root / "heights.csv").read_bytes()
    put(fake, bucket, "in/heights.csv", lines)
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', f'path = "gs://{bucket}/in/"')
    tiny.ok("plan")
    # The folder's objects, and a header.
    assert fake.seen == ["objects.list", "objects.get.media"]
    fake.seen.clear()
    tiny.ok("plan")
    assert fake.seen == ["objects.list"]

    def overwriting(asked: str, name: str, query: Mapping[str, str], once: list[bool] = []) -> Stored:  # noqa: B006
        if query.get("alt") == "media" and not once:
            once.append(True)
            put(fake, bucket, "in/heights.csv", lines + b"Zoe,300\n")
        return FakeGcs.get(fake, asked, name, query)

    monkeypatch.setattr(fake, "get", overwriting)
    expect_documented(
        "an object of a source is overwritten while its job reads it", tiny.fails("apply", "-auto-approve")
    )
    denied = Fault("objects.get.media", status=403, reason="forbidden", message="ci@x has no access", after=1)
    fake.faults.add(denied)
    said = tiny.fails("apply", "-auto-approve")
    expect_documented("a source's bucket refuses while its job reads it", said)
    assert f"cannot read gs://{bucket}/in/heights.csv" in words(said)


def test_what_is_wrong_with_a_row_is_told_of_the_object(tiny: Project, strict: Running) -> None:
    bucket = strict.fake.bucket()
    put(strict.fake, bucket, "in/heights.csv", b"name,height\nAda,1\nBob\n")
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', f'path = "gs://{bucket}/in/heights.csv"')
    said = tiny.fails("apply", "-auto-approve")
    assert f"on gs://{bucket}/in/heights.csv:3" in said
    assert "heights.csv:3 has 1 value instead of 2" in words(said)
    assert ".zenctl" not in said
    assert not list((tiny.root / ".zenctl" / "work").glob("*/scratch/objects/*"))


def test_a_saved_plan_is_held_to_what_the_bucket_holds(tiny: Project, strict: Running, tmp_path: Path) -> None:
    bucket = strict.fake.bucket()
    lines = (tiny.root / "heights.csv").read_bytes()
    put(strict.fake, bucket, "heights.csv", lines)
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', f'path = "gs://{bucket}/heights.csv"')
    saved = str(tmp_path / "p.plan")
    tiny.ok("plan", f"-out={saved}")
    put(strict.fake, bucket, "heights.csv", lines + b"Zoe,300\n")
    said = words(tiny.fails("apply", saved, code=5))
    assert "The plan is stale" in said
    # Written anew with the same bytes it is what was planned.
    put(strict.fake, bucket, "heights.csv", lines)
    tiny.ok("apply", saved)
