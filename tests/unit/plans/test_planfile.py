"""A plan file gives back the plan; damage, newer formats and other files are refused with a reason."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.diagnostics import DiagnosticError, Position, SourceRange, warning
from zenctl.digests import sha256_bytes
from zenctl.plans import planfile
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import (
    Change,
    CheckResult,
    CodeArchive,
    EndpointSeen,
    FilesRead,
    OutputChange,
    Plan,
    PlannedMachines,
)
from zenctl.provider import MachinePool, PriceEstimate


def zipped(members: Mapping[str, bytes], *, mode: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


PLACE = SourceRange("main.zen.hcl", Position(1, 2, 1), Position(1, 5, 4))


def example() -> Plan:
    archive = zipped({"a.py": b"def f(): ..."})
    fit = Change(
        addr=StepAddr("python", "fit", "k\u00e9y"),
        action=Action.RUN,
        reasons=(Reason(ReasonCode.PARAMETERS_CHANGED, "params.epochs: 5 -> 10", {"path": "params.epochs"}),),
        before={"params": {"epochs": 5}},
        after={"params": {"epochs": 10}, "outputs": {"model": None}},
        after_unknown=("outputs.model",),
        sensitive=("params.token",),
        depends_on=("datasource.csv.penguins",),
        components=Components("python/1", {"entry": "a.py:f", "digest": "d"}, {"epochs": 10}, {"data": ""}),
        execution_id=3,
    )
    waits = (Reason(ReasonCode.UPSTREAM_PENDING, "waits"),)
    serve = Change(EndpointAddr("local", "p"), Action.UPDATE, waits, provider="local.eu")
    gone = Change(EndpointAddr("local", "q"), Action.DELETE, (Reason(ReasonCode.DRIFTED, "is gone"),), before={"a": 1})
    return Plan(
        project="penguins",
        workspace="default",
        serial=4,
        timestamp="2026-11-24T00:00:00+00:00",
        zenctl_version="0.1.0",
        changes=(fit, serve),
        machines=(
            PlannedMachines(
                ("backend.gce.vm", "backend.gce.twin"),
                MachinePool(
                    "n1-standard-4", ("b", "c"), 1, "apply", {"gpu": 2}, True, PriceEstimate(0.1, as_of="d"), "k"
                ),
                (fit.address,),
                ("step.python.may",),
            ),
        ),
        outputs=(OutputChange("accuracy", 0.5, None, unknown=True),),
        files={"main.zen.hcl": "# héllo\n", "sub.zen.yaml": "a: 1\n"},
        variables={"epochs": 10},
        heads={"step.python.fit": 3},
        code={str(fit.addr): CodeArchive(sha256_bytes(archive), archive)},
        providers={"local": "0.1.0"},
        diagnostics=(warning("w", "careful", "why", range=PLACE, values=(("var.n", "is 1"),)),),
        refreshed=False,
        endpoints={"endpoint.local.p": EndpointSeen("abc", True), "endpoint.local.q": None},
        drift=(gone,),
        checks=(CheckResult("check", "check.good", "fail", ("not good",)),),
        blocks={"root_module": {"resources": []}},
        read={"": FilesRead({"a.txt": "ab"}, {"b.txt": False}, {"": {"*.txt": ("a.txt",)}})},
    )


def test_a_plan_reads_back_as_it_was_written(tmp_path: Path) -> None:
    planfile.write(tmp_path / "p.zenplan", example())
    assert planfile.read(tmp_path / "p.zenplan") == example()
    assert planfile.read(tmp_path / "p.zenplan").code == example().code
    assert planfile.read(tmp_path / "p.zenplan").diagnostics[0].values == (("var.n", "is 1"),)
    assert planfile.looks_like_plan(tmp_path / "p.zenplan")


def test_equal_plans_give_equal_bytes_that_only_the_owner_reads(tmp_path: Path) -> None:
    assert planfile.to_bytes(example()) == planfile.to_bytes(example())
    planfile.write(tmp_path / "p", example())
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["p"]


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(planfile.to_bytes(example()))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def resealed(document: bytes, others: Mapping[str, bytes], **head: object) -> bytes:
    """A file with these contents whose digests are right, as somebody could make it on purpose."""
    sealed = {"format": planfile.FORMAT, "plan": sha256_bytes(document)}
    sealed |= {"members": {name: sha256_bytes(data) for name, data in others.items()}, **head}
    return zipped({"zenctl-plan.json": json.dumps(sealed).encode(), "plan.json": document, **others})


def with_code(archive: bytes) -> bytes:
    """The example with another code archive, digests and all."""
    [path] = [name for name in members() if name.startswith("code/")]
    digest = sha256_bytes(archive)
    document = members()["plan.json"].replace(path[5:-4].encode(), digest.encode())
    others = {name: data for name, data in members().items() if name.startswith("files/")}
    return resealed(document, {**others, f"code/{digest}.zip": archive})


def refused(tmp_path: Path, data: bytes) -> tuple[str, str]:
    """The code and the text of the refusal."""
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(DiagnosticError) as caught:
        planfile.read(tmp_path / "p")
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.summary == f"{tmp_path / 'p'} cannot be read as a plan"
    assert "zenctl plan -out=FILE" in diagnostic.detail
    return diagnostic.code, diagnostic.detail


FILE = next(name for name in members() if name.startswith("files/"))


@pytest.mark.parametrize("name", ["plan.json", FILE, next(n for n in members() if n.startswith("code/"))])
def test_a_changed_member_is_noticed(tmp_path: Path, name: str) -> None:
    code, says = refused(tmp_path, zipped({**members(), name: b"{}"}))
    assert code == "plan_file_changed"
    assert "was changed after it was written" in says
    assert "do not trust it" in says


@pytest.mark.parametrize(("written", "code", "says"), [
    (planfile.FORMAT + 1, "plan_file_newer", "Update zenctl"),
    (min(planfile.UPGRADES) - 1, "plan_file_older", "an older zenctl"),
])  # fmt: skip
def test_another_format_is_refused_before_all_else(tmp_path: Path, written: int, code: str, says: str) -> None:
    data = zipped({"zenctl-plan.json": json.dumps({"format": written}).encode(), "surprise.bin": b""})
    found, text = refused(tmp_path, data)
    assert found == code
    assert says in text


def test_a_plan_of_the_format_before_is_read(tmp_path: Path) -> None:
    document = json.loads(members()["plan.json"])
    assert document.pop("machines")
    others = {name: data for name, data in members().items() if "/" in name}
    (tmp_path / "p").write_bytes(resealed(json.dumps(document).encode(), others, format=2))
    assert planfile.read(tmp_path / "p") == replace(example(), machines=())


def test_a_truncated_file_says_so(tmp_path: Path) -> None:
    whole = planfile.to_bytes(example())
    for size in (10, len(whole) // 2, len(whole) - 1):
        assert refused(tmp_path, whole[:size])[0] == "plan_file_truncated"


@pytest.mark.parametrize("data", [b"", b"not a plan", zipped({"a.txt": b"some other zip"})])
def test_what_is_no_plan_file_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, data)[0] == "plan_file_foreign"


def test_a_zip_bomb_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planfile, "MAX_BYTES", 1 << 20)
    read: list[str] = []
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda self, entry: read.append(entry.filename) or b"")
    code, says = refused(tmp_path, zipped({**dict.fromkeys(map(str, range(9)), bytes(1 << 18))}))
    assert (code, read) == ("plan_file_too_large", [])
    assert "unpacks to 2,359,296 bytes" in says


def test_a_file_too_large_to_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planfile, "MAX_BYTES", 100)
    assert refused(tmp_path, planfile.to_bytes(example()))[0] == "plan_file_too_large"


def test_a_bomb_inside_a_code_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_code(zipped({f"{n}.py": bytes(1 << 20) for n in range(4)}))
    monkeypatch.setattr(planfile, "MAX_BYTES", 1 << 20)
    code, says = refused(tmp_path, data)
    assert code == "plan_file_too_large"
    assert says.startswith("A code archive in it: it unpacks to")


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "a//b.py", "c\\evil.py"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    for data in (zipped({**members(), path: b""}), with_code(zipped({path: b""}))):
        code, says = refused(tmp_path, data)
        assert code == "plan_file_unsafe"
        assert "leads elsewhere" in says


def test_links_and_doubles_are_refused(tmp_path: Path) -> None:
    link = zipped({"a.py": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777)
    assert "is a link" in refused(tmp_path, with_code(link))[1]
    double = zipped({"a.py": b"1", "b.py": b"2"}).replace(b"b.py", b"a.py")
    assert "is in it twice" in refused(tmp_path, with_code(double))[1]


def test_a_member_that_no_plan_has_is_refused(tmp_path: Path) -> None:
    code, says = refused(tmp_path, zipped({**members(), "run-me.sh": b""}))
    assert code == "plan_file_unsafe"
    assert "'run-me.sh', which no plan has" in says


@pytest.mark.parametrize("document", [b"{}", b"[]", b"{", b"[" * 100_000, b"null"])
def test_a_well_sealed_file_of_other_content_is_damaged(tmp_path: Path, document: bytes) -> None:
    others = {name: data for name, data in members().items() if "/" in name}
    assert refused(tmp_path, resealed(document, others))[0] == "plan_file_damaged"


def test_a_resealed_example_is_read() -> None:
    others = {name: data for name, data in members().items() if "/" in name}
    assert planfile.from_bytes(resealed(members()["plan.json"], others)) == example()


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="There is no such file"):
        planfile.read(tmp_path / "none")


def test_every_flipped_byte_is_noticed_or_harmless() -> None:
    data = bytearray(planfile.to_bytes(example()))
    for at in range(0, len(data), 37):
        damaged = bytes(data[:at]) + bytes([data[at] ^ 0x20]) + bytes(data[at + 1 :])
        try:
            plan = planfile.from_bytes(damaged)
        except planfile.PlanFileProblem:
            continue
        assert plan == example()
