"""A plan file gives back the plan; damage, newer formats and other files are refused with a reason."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.diagnostics import DiagnosticError, Position, SourceRange, warning
from zenctl.digests import sha256_bytes
from zenctl.plans import planfile
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import Change, CodeArchive, OutputChange, Plan

PLACE = SourceRange("main.zen.hcl", Position(1, 2, 1), Position(1, 5, 4))


def example() -> Plan:
    archive = b"PK-not-really"
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
    serve = Change(EndpointAddr("local", "p"), Action.UPDATE, (Reason(ReasonCode.UPSTREAM_PENDING, "waits"),))
    return Plan(
        project="penguins",
        workspace="default",
        serial=4,
        timestamp="2026-11-24T00:00:00+00:00",
        zenctl_version="0.1.0",
        changes=(fit, serve),
        outputs=(OutputChange("accuracy", 0.5, None, unknown=True),),
        files={"main.zen.hcl": "# héllo\n", "sub.zen.yaml": "a: 1\n"},
        variables={"epochs": 10},
        heads={"step.python.fit": 3},
        code={str(fit.addr): CodeArchive(sha256_bytes(archive), archive)},
        providers={"local": "0.1.0"},
        diagnostics=(warning("w", "careful", "why", range=PLACE, values=(("var.n", "is 1"),)),),
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


def rewritten(change: object) -> bytes:
    """The example's file with one member replaced and nothing else."""
    name, data = change  # type: ignore[misc]
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(planfile.to_bytes(example()))) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            new.writestr(info, data if info.filename == name else old.read(info))
    return out.getvalue()


def head(**values: object) -> tuple[str, bytes]:
    return "zenctl-plan.json", json.dumps({"format": 1, "plan": "", "members": {}, **values}).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (rewritten(("plan.json", b"{}")), "changed after it was written"),
        (rewritten(("files/main.zen.hcl", b"evil")), "changed after it was written"),
        (rewritten(head(format=99)), "update zenctl"),
        (b"PK\x03\x04 but no zip", "cannot be read as a plan"),
        (b"", "cannot be read as a plan"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(DiagnosticError) as caught:
        planfile.read(tmp_path / "p")
    [diagnostic] = caught.value.diagnostics
    assert says in f"{diagnostic.summary} {diagnostic.detail}"
    assert "zenctl plan -out=FILE" in diagnostic.detail


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="There is no such file"):
        planfile.read(tmp_path / "none")


def test_every_flipped_byte_is_noticed_or_harmless() -> None:
    data = bytearray(planfile.to_bytes(example()))
    for at in range(0, len(data), 37):
        damaged = bytes(data[:at]) + bytes([data[at] ^ 0x20]) + bytes(data[at + 1 :])
        try:
            plan = planfile.from_bytes(damaged)
        except Exception:  # noqa: BLE001 - any refusal will do; `read` turns it into a diagnostic
            continue
        assert plan == example()
