"""Secrets by reference: refused where a backend cannot reach them, read where it can, and written nowhere."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import git
import pytest

from tests.e2e.conftest import Project
from tests.fakes import compute, gcs, secret_manager
from tests.fakes.compute.guest import TOKEN
from tests.fakes.iam import Grant

SECRET = "projects/proj/secrets/token"
VALUE = "hunter2-Zm9v-value-that-nobody-may-see"

GCE = """
backend "gce" "vm" {
  project      = "proj"
  zone         = "europe-west1-b"
  machine_type = "e2-small"
  packages     = "image"
  endpoint     = "ENDPOINT"
}
"""

MISTAKES = """
step "python" "named" {
  code    = "steps/rank.py:nothing"
  backend = backend.gce.vm
  secrets = {
    TOKEN = "env:TOKEN"
    KEY   = "file:key.pem"
    CLOUD = "gcp-secret:projects/p/secrets/token/versions/2"
    OTHER = "aws-secret:prod/db#password"
  }
}
step "python" "default" {
  for_each = toset(["a", "b"])
  code     = "steps/rank.py:nothing"
  secrets  = { TOKEN = "env:TOKEN_${each.key}" }
}
step "python" "here" {
  code    = "steps/rank.py:nothing"
  backend = backend.local.here
  secrets = { TOKEN = "env:TOKEN", CLOUD = "gcp-secret:token", OTHER = "aws-secret:x" }
}
step "python" "off" {
  enabled = false
  code    = "steps/rank.py:nothing"
  secrets = { TOKEN = "env:TOKEN" }
}
step "python" "hidden" {
  code    = "steps/rank.py:nothing"
  secrets = { TOKEN = var.hidden }
}
step "python" "later" {
  code    = "steps/rank.py:nothing"
  secrets = { TOKEN = step.python.count.result.value == 3 ? "env:A" : "gcp-secret:b" }
}
variable "hidden" {
  default   = "env:VERY_HIDDEN"
  sensitive = true
}
backend "local" "here" {}
datasource "csv" "far" {
  path    = "heights.csv"
  backend = backend.gce.vm
}
datasource "csv" "near" {
  path = "heights.csv"
}
datasource "csv" "bucket" {
  path    = "gs://bucket/x.csv"
  backend = backend.gce.vm
}
datasource "sql" "people" {
  dialect  = "postgresql"
  database = "people"
  password = "env:PASSWORD"
  table    = "people"
}
"""

SPELLED = """
step "python" "misspelt" {
  code    = "steps/rank.py:nothing"
  secrets = { A = "gpc-secret:projects/p/secrets/a", B = "sk-live-4242424242" }
}
"""


def by_default(project: Project, endpoint: str = "http://127.0.0.1:1") -> None:
    """The small project, with machines of Compute Engine as its default."""
    project.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  defaults { orchestrator = backend.gce.vm }')
    project.write("backend.zen.hcl", GCE.replace("ENDPOINT", endpoint))


def test_what_a_backend_cannot_reach_is_refused_before_anything_runs(tiny: Project) -> None:
    by_default(tiny)
    (tiny.root / "steps" / "rank.py").open("a").write("\n\ndef nothing(out: Output[Artifact]) -> None:\n    pass\n")
    tiny.write("secret.zen.hcl", MISTAKES)
    found = tiny.json_of(1, "validate", "-json")["diagnostics"]
    told = {(d["range"]["start"]["line"], d["summary"]): d for d in found}
    line = {text.strip(): number for number, text in enumerate(MISTAKES.split("\n"), start=1)}
    named = "which jobs on backend.gce.vm cannot resolve"
    default = "which jobs on backend.gce.vm, the default orchestrator (main.zen.hcl:3), cannot resolve"
    each, far = 'secrets  = { TOKEN = "env:TOKEN_${each.key}" }', 'path    = "heights.csv"'
    expected = {
        (line['TOKEN = "env:TOKEN"'], f'"secrets.TOKEN" is "env:TOKEN", {named}'),
        (line['KEY   = "file:key.pem"'], f'"secrets.KEY" is "file:key.pem", {named}'),
        (line['OTHER = "aws-secret:prod/db#password"'], f'"secrets.OTHER" is "aws-secret:prod/db#password", {named}'),
        (line[each], f'"secrets.TOKEN" is "env:TOKEN_a", {default}'),
        (line[each], f'"secrets.TOKEN" is "env:TOKEN_b", {default}'),
        (line["secrets = { TOKEN = var.hidden }"], f'"secrets.TOKEN" is of the form "env:...", {default}'),
        (line[far], '"path" is on this machine, where jobs on backend.gce.vm cannot read it'),
        (line['password = "env:PASSWORD"'], f'"password" is "env:PASSWORD", {default}'),
    }
    assert set(told) == expected
    details = {d["summary"]: d["detail"] for d in found}
    assert "Leave `backend` out" in details['"path" is on this machine, where jobs on backend.gce.vm cannot read it']
    advice = details['"secrets.TOKEN" is "env:TOKEN", which jobs on backend.gce.vm cannot resolve']
    assert "an environment variable of the machine that zenctl runs on" in advice
    assert "gcp-secret:projects/PROJECT/secrets/NAME; or give it a backend of type local" in advice
    assert "VERY_HIDDEN" not in str(found)
    said = " ".join(tiny.fails("plan").split())
    assert said.count("cannot resolve") == len(expected) - 1
    assert "secret.zen.hcl line 6" in said or "secret.zen.hcl:6" in said


def test_a_text_that_is_no_reference_is_told_with_what_was_meant(tiny: Project) -> None:
    (tiny.root / "steps" / "rank.py").open("a").write("\n\ndef nothing(out: Output[Artifact]) -> None:\n    pass\n")
    tiny.write("secret.zen.hcl", SPELLED)
    found = tiny.json_of(1, "validate", "-json")["diagnostics"]
    texts = sorted(f"{d['summary']} {d['detail']}" for d in found)
    assert len(texts) == 2
    assert 'Did you mean "gcp-secret:"?' in texts[0]
    assert "give where the secret is, not the secret" in texts[1]
    assert not any("4242" in text for text in texts)


@pytest.fixture(scope="module")
def keeper() -> Iterator[secret_manager.Running]:
    with secret_manager.serving() as running:
        running.fake.add(SECRET, "older", VALUE)
        yield running
        assert running.fake.problems == []


def uses_the_secret(project: Project, reference: str) -> None:
    """A step that prints its secret in every way, and keeps no more of it than its length."""
    secrets = f'  secrets = {{ TOKEN = "{reference}" }}'
    project.edit("main.zen.hcl", "  params = { top = var.top }", f"  params = {{ top = var.top }}\n{secrets}")
    project.edit(
        "steps/rank.py",
        "    chosen = [",
        "    import base64, os, sys\n    token = os.environ['TOKEN']\n"
        "    print('seen', token, len(token), file=sys.stderr)\n    print(base64.b64encode(token.encode()).decode())\n"
        "    chosen = [",
    )


def texts_of(root: Path) -> Iterator[tuple[str, bytes]]:
    """All files below a folder, and what they hold; sockets and what goes away meanwhile are left out."""
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.path.join(folder, name), Path(folder, name).read_bytes()


def unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is there, and what it holds if it is an archive, which may be compressed."""
    yield name, data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from unpacked(f"{name}/{member}", archive.read(member))
    elif data[:2] == b"\x1f\x8b":
        yield f"{name} unpacked", gzip.decompress(data)


def leaks(everything: Mapping[str, bytes]) -> list[str]:
    """Where the value stands, in any form."""
    found = (part for name, data in everything.items() for part in unpacked(name, data))
    return [name for name, data in found if any(form in data for form in FORMS)]


FORMS = [VALUE.encode(), base64.b64encode(VALUE.encode()).rstrip(b"=")]


def test_a_leak_would_be_found(tmp_path: Path) -> None:
    """What the tests below rely on."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(f"key: {VALUE}".encode()))
    (tmp_path / "plan.out").write_bytes(packed.getvalue())
    (tmp_path / "log").write_bytes(base64.b64encode(VALUE.encode()))
    (tmp_path / "fine").write_bytes(b"(sensitive value)")
    place = str(tmp_path)
    assert sorted(leaks(dict(texts_of(tmp_path)))) == [f"{place}/log", f"{place}/plan.out/inner.gz unpacked"]


@pytest.mark.benchmark
def test_a_step_on_this_machine_reads_it_too(tiny: Project, keeper: secret_manager.Running) -> None:
    uses_the_secret(tiny, f"gcp-secret:{SECRET}")
    keeper.fake.grants[""] = {SECRET}
    tiny.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"] = keeper.endpoint
    tiny.ok("apply", "-auto-approve")
    assert f"seen (sensitive value) {len(VALUE)}" in tiny.ok("logs", "step.python.tallest")
    assert leaks(dict(texts_of(tiny.root))) == []
    # Another version is no reason to run again, nor is a permission that is gone: plan does not ask.
    keeper.fake.grants[""] = set()
    seen = len(keeper.fake.seen)
    tiny.edit("main.zen.hcl", f"{SECRET}", f"{SECRET}/versions/1")
    tiny.ok("plan", "-detailed-exitcode")
    assert len(keeper.fake.seen) == seen


def test_a_machine_reads_it_and_it_is_written_nowhere(tiny: Project, keeper: secret_manager.Running) -> None:
    with compute.serving() as machines, gcs.serving() as buckets:
        bucket = buckets.fake.bucket()
        tiny.environment["STORAGE_EMULATOR_HOST"] = buckets.endpoint
        tiny.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"] = keeper.endpoint
        tiny.ok("config", "artifacts", "set", f"gs://{bucket}/p")
        buckets.fake.grants[TOKEN] = [Grant(bucket, "p/")]
        keeper.fake.grants[TOKEN] = {SECRET}
        by_default(tiny, machines.endpoint)
        uses_the_secret(tiny, f"gcp-secret:{SECRET}")
        held: dict[str, bytes] = {}
        put, serial = buckets.fake.insert, []

        def insert(*words: object, **more: object) -> object:
            stored = put(*words, **more)  # type: ignore[arg-type]
            # Also what is removed again: orders, pieces of logs.
            held[f"{stored.name} {stored.generation}"] = stored.data + str(stored.metadata).encode()
            serial.extend(found.guest.serial for found in machines.fake.running())
            return stored

        buckets.fake.insert = insert  # type: ignore[method-assign, assignment]
        tiny.ok("plan", "-out=plan.out")
        said = tiny.run("apply", "plan.out")
        assert said.returncode == 0, said.stdout + said.stderr
        logs = tiny.ok("logs", "step.python.tallest")
        assert f"seen (sensitive value) {len(VALUE)}" in logs
        assert len(machines.fake.inserted) == 1
        everything = {
            **held,
            **dict(texts_of(tiny.root)),
            "machine": str(machines.fake.inserted).encode(),
            "serial": b"".join(serial),
            "said": (said.stdout + said.stderr + logs).encode(),
        }
        assert len(held) > 5
        assert b"serves gs://" in everything["serial"]
        assert any("plan.out" in name for name in everything)
        assert any(name.endswith("metadata.db") for name in everything)
        assert leaks(everything) == []
        assert (machines.fake.problems, buckets.fake.problems, buckets.fake.denied) == ([], [], [])


def test_a_fork_aims_at_no_other_secret(tiny: Project) -> None:
    held = {"A": f"gcp-secret:{SECRET}", "B": "aws-secret:one", "C": f"gcp-secret:{SECRET}/versions/2", "D": "env:D"}
    aimed = {**held, "A": "gcp-secret:projects/proj/secrets/root", "B": "aws-secret:root", "C": f"gcp-secret:{SECRET}"}
    before, after = (", ".join(f'{name} = "{where}"' for name, where in given.items()) for given in (held, aimed))
    tiny.edit(
        "main.zen.hcl", "  params = { top = var.top }", f"  secrets = {{ {before} }}\n  params = {{ top = var.top }}"
    )
    with git.Repo.init(tiny.root) as repo:
        repo.git.add("-A")
        repo.git.execute(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "trusted"])
        repo.git.tag("trusted")
    tiny.edit("main.zen.hcl", before, after)
    told = " ".join(tiny.fails("plan", "-trusted-config=trusted").split())
    refused = [
        name for name in aimed if f'to a secret, secrets.{name} = "{aimed[name]}", and does not in trusted' in told
    ]
    assert refused == ["A", "B", "C"]
