"""Projects whose data lies in a bucket: planned without a download, applied, changed and refused by the command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Project
from tests.e2e.test_artifact_stores import KEYS, digests, no_secret_was_written
from tests.e2e.test_faults import words
from tests.emulators import Emulator, moto
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


def test_data_that_moves_to_a_bucket_is_read_once_more_and_cut_off(tiny: Project, s3: Emulator) -> None:
    tiny.ok("apply", "-auto-approve")
    before = digests(tiny)
    storage = on_s3(tiny, s3)
    storage.put("in/heights.csv", (tiny.root / "heights.csv").read_bytes())
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', f'path = "{storage.uri}/in/*.csv"')
    applied = words(tiny.ok("apply", "-auto-approve"))
    assert "datasource.csv.heights: ran" in applied
    assert "step.python.tallest: running" not in applied
    assert digests(tiny) == before
    tiny.ok("plan", "-detailed-exitcode")
    no_secret_was_written(tiny)
    # The same bytes under another name are the same source.
    storage.put("copied.csv", (tiny.root / "heights.csv").read_bytes())
    tiny.edit("main.zen.hcl", f"{storage.uri}/in/*.csv", f"{storage.uri}/copied.csv")
    tiny.ok("plan", "-detailed-exitcode")
    storage.put("copied.csv", (tiny.root / "heights.csv").read_bytes() + b"Zoe,300\n", overwrite=True)
    planned = words(tiny.ok("plan", "-detailed-exitcode", code=2))
    assert "datasource.csv.heights will be read again" in planned
    assert "bytes" in planned


def test_data_and_artifacts_in_two_buckets(tiny: Project, s3: Emulator) -> None:
    data, artifacts = on_s3(tiny, s3), on_s3(tiny, s3)
    data.put("heights.csv", (tiny.root / "heights.csv").read_bytes())
    tiny.edit("main.zen.hcl", 'path = "heights.csv"', f'path = "{data.uri}/heights.csv"')
    tiny.ok("config", "artifacts", "set", artifacts.uri)
    tiny.ok("apply", "-auto-approve")
    tiny.ok("plan", "-detailed-exitcode")
    assert [item.path for item in data.list("")] == ["heights.csv"]
    no_secret_was_written(tiny)


def test_penguins_in_a_bucket_are_the_same_snapshot(project: Project, s3: Emulator) -> None:
    shutil.copytree(ROOT / "examples" / "penguins", project.root, dirs_exist_ok=True)
    project.ok("apply", "-auto-approve", "-target=datasource.csv.penguins")
    before = digests(project)
    storage = on_s3(project, s3)
    storage.put("penguins.csv", (project.root / "data" / "penguins.csv").read_bytes())
    project.edit("penguins.zen.hcl", '"data/penguins.csv"', f'"{storage.uri}/penguins.csv"')
    ran = words(project.ok("apply", "-auto-approve", "-target=datasource.csv.penguins"))
    assert "datasource.csv.penguins: ran" in ran
    assert digests(project) == before


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
    said = words(tiny.fails("apply", "-auto-approve"))
    assert "The source of datasource.csv.heights changed while it was read" in said
    assert f"gs://{bucket}/in/heights.csv was changed or deleted after the plan was made" in said
    assert "Nothing was recorded" in said


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
