"""Reads and writes a plan file: one zip with `plan.json`, the configuration's files and the code archives.

No pickle. The digest in it detects damage, not malice: a plan file is as powerful as the code it carries.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zenctl.addrs import AddressError, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, Position, Severity, SourceRange, error
from zenctl.digests import canonical_json, sha256_bytes
from zenctl.plans import zipped
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import (
    Change,
    CheckResult,
    CodeArchive,
    CodeDiff,
    EndpointSeen,
    FilesRead,
    OutputChange,
    Plan,
    PlannedMachines,
)

FORMAT = 3
"""Version of the plan file's form."""

UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {2: lambda raw: {**raw, "machines": []}}
"""What makes a document of an earlier form one of the next; a form that is not here is refused: plan anew."""

MAX_BYTES = 1 << 30
"""Largest size, packed and unpacked, that is read, so that a crafted file cannot fill the memory."""

HEAD, DOCUMENT = "zenctl-plan.json", "plan.json"
_MEMBER = re.compile(r"files/[0-9a-f]{64}|code/[0-9a-f]{64}\.zip")


def write(path: Path, plan: Plan) -> None:
    """Write the plan to a file, whole or not at all, readable by its owner only."""
    data = to_bytes(plan)
    handle, temporary = tempfile.mkstemp(prefix=".zenctl-plan-", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: Path) -> Plan:
    """Read a plan file; raises DiagnosticError that says what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PlanFileProblem("too_large", f"it has more than {MAX_BYTES >> 20:,} MiB")
        return from_bytes(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a NUL, which no file has
        raise _refused(path, "missing", "There is no such file. `zenctl plan -out=FILE` writes one.") from None
    except OSError as problem:
        raise _refused(path, "unreadable", f"{problem.strerror or problem}.") from problem
    except PlanFileProblem as problem:
        detail = str(problem)[:1].upper() + str(problem)[1:]
        raise _refused(path, problem.kind, f"{detail}. {_ADVICE.get(problem.kind, _AGAIN)}") from problem


def looks_like_plan(path: Path) -> bool:
    """Whether a file begins as a plan file does."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == _ZIP
    except OSError:
        return False


REFUSALS = frozenset({"missing", "foreign", "truncated", "damaged", "changed", "too_large", "unsafe", "newer", "older"})
"""Why a plan file is refused: what the diagnostic's code ends with, `plan_file_<kind>`."""


class PlanFileProblem(Exception):
    """Why bytes are no plan. `kind` is one of REFUSALS."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        assert kind in REFUSALS, kind
        self.kind = kind


_ZIP = b"PK\x03\x04"
_AGAIN = "Make the plan again with `zenctl plan -out=FILE`."
_ADVICE = {
    "newer": "Update zenctl, or make the plan again with this one: `zenctl plan -out=FILE`.",
    "unsafe": "No zenctl writes such a file: do not trust it. `zenctl plan -out=FILE` makes a plan.",
    "changed": "What was reviewed is not what is in it: do not trust it. `zenctl plan -out=FILE` makes a plan.",
}


def _refused(path: Path, kind: str, detail: str) -> DiagnosticError:
    return DiagnosticError(error(f"plan_file_{kind}", f"{path} cannot be read as a plan", detail))


def to_bytes(plan: Plan) -> bytes:
    """The file's bytes; equal plans give equal bytes. Members are named by what they hold, never by a path."""
    texts = {name: text.encode() for name, text in plan.files.items()}
    named = {name: sha256_bytes(data) for name, data in texts.items()}
    members = {f"files/{named[name]}": data for name, data in texts.items()}
    members |= {f"code/{archive.digest}.zip": archive.data for archive in plan.code.values()}
    document = canonical_json({**_encode(plan), "files": named})
    digests = {name: sha256_bytes(data) for name, data in sorted(members.items())}
    head = canonical_json({"format": FORMAT, "plan": sha256_bytes(document), "members": digests})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive_file:
        for name, data in [(HEAD, head), (DOCUMENT, document), *sorted(members.items())]:
            archive_file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Plan:
    """Read the file's bytes, verifying format and digests; raises PlanFileProblem."""
    if not data.startswith(_ZIP):
        raise PlanFileProblem("foreign", "it is no plan file of zenctl")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise PlanFileProblem("truncated", "its end is missing: it was not copied or written to its end")
    content = _unpacked(data, MAX_BYTES)
    head = _head(content)
    document = content.pop(DOCUMENT, b"")
    for name in content:
        if not _MEMBER.fullmatch(name):
            raise PlanFileProblem("unsafe", f"it holds {name!r}, which no plan has")
    try:
        digests = {name: sha256_bytes(found) for name, found in content.items()}
        if sha256_bytes(document) != head["plan"] or digests != head["members"]:
            raise PlanFileProblem("changed", "it was changed after it was written (its digest does not match)")
        raw = json.loads(document)
        for form in range(int(head["format"]), FORMAT):
            raw = UPGRADES[form](raw)
        files = {name: content[f"files/{digest}"].decode() for name, digest in raw["files"].items()}
        archives = {name[5:-4]: found for name, found in content.items() if name.startswith("code/")}
        left = MAX_BYTES - sum(len(found) for found in content.values())
        for digest, archive in archives.items():
            if digest != sha256_bytes(archive):
                raise PlanFileProblem("changed", "code in it is other than its name says")
            left -= sum(len(found) for found in _unpacked(archive, left, "a code archive in it: ").values())
        return _decode(raw, files, archives)
    except (AddressError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise PlanFileProblem(
            "damaged", f"what stands in it is no plan ({type(problem).__name__}: {problem})"
        ) from problem


def _unpacked(data: bytes, limit: int, where: str = "") -> dict[str, bytes]:
    try:
        return zipped.members(data, limit)
    except zipped.ZipProblem as problem:
        raise PlanFileProblem(problem.kind, f"{where}{problem}") from problem


def _head(content: dict[str, bytes]) -> Mapping[str, Any]:
    """What stands before all else: the format, which is looked at before anything that depends on it."""
    try:
        head = json.loads(content.pop(HEAD))
        written = int(head["format"])
    except KeyError:
        raise PlanFileProblem("foreign", "it is a zip file, but no plan file of zenctl") from None
    except (ValueError, TypeError, RecursionError) as problem:
        raise PlanFileProblem("damaged", f"its head cannot be read ({problem})") from problem
    if written > FORMAT:
        raise PlanFileProblem("newer", f"it was written by a newer zenctl (format {written}, this one reads {FORMAT})")
    if written < FORMAT and written not in UPGRADES:
        raise PlanFileProblem("older", f"it was written by an older zenctl (format {written}, this one reads {FORMAT})")
    return head if isinstance(head, dict) else {}


def _encode(plan: Plan) -> dict[str, Any]:
    return {
        "project": plan.project,
        "workspace": plan.workspace,
        "serial": plan.serial,
        "timestamp": plan.timestamp,
        "zenctl_version": plan.zenctl_version,
        "destroy": plan.destroy,
        "refresh_only": plan.refresh_only,
        "configuration_digest": plan.configuration_digest,
        "variables": dict(plan.variables),
        "providers": dict(plan.providers),
        "heads": dict(plan.heads),
        "read": {
            folder: {
                "digests": dict(read.digests),
                "existing": dict(read.existing),
                "matches": {inner: {p: list(m) for p, m in found.items()} for inner, found in read.matches.items()},
            }
            for folder, read in plan.read.items()
        },
        "code": {address: archive.digest for address, archive in plan.code.items()},
        "code_version": dict(plan.code_version),
        "code_diffs": {address: asdict(found) for address, found in plan.code_diffs.items()},
        "changes": [_encode_change(change) for change in plan.changes],
        "outputs": [asdict(output) for output in plan.outputs],
        "diagnostics": [encode_diagnostic(d) for d in plan.diagnostics],
        "refreshed": plan.refreshed,
        "endpoints": {address: asdict(seen) if seen else None for address, seen in plan.endpoints.items()},
        "drift": [_encode_change(change) for change in plan.drift],
        "checks": [asdict(check) for check in plan.checks],
        "blocks": dict(plan.blocks),
        "machines": [asdict(machines) for machines in plan.machines],
    }


def _decode(raw: Mapping[str, Any], files: Mapping[str, str], archives: Mapping[str, bytes]) -> Plan:
    return Plan(
        project=raw["project"],
        workspace=raw["workspace"],
        serial=raw["serial"],
        timestamp=raw["timestamp"],
        zenctl_version=raw["zenctl_version"],
        destroy=raw["destroy"],
        configuration_digest=raw["configuration_digest"],
        variables=raw["variables"],
        providers=raw["providers"],
        heads=raw["heads"],
        read={folder: _decode_read(read) for folder, read in raw["read"].items()},
        files=files,
        code={address: CodeArchive(digest, archives[digest]) for address, digest in raw["code"].items()},
        code_version=raw.get("code_version", {}),
        code_diffs={address: CodeDiff(**found) for address, found in raw.get("code_diffs", {}).items()},
        changes=tuple(_decode_change(change) for change in raw["changes"]),
        outputs=tuple(OutputChange(**output) for output in raw["outputs"]),
        diagnostics=tuple(_decode_diagnostic(d) for d in raw["diagnostics"]),
        refreshed=raw["refreshed"],
        refresh_only=raw["refresh_only"],
        endpoints={address: EndpointSeen(**seen) if seen else None for address, seen in raw["endpoints"].items()},
        drift=tuple(_decode_change(change) for change in raw["drift"]),
        checks=tuple(CheckResult(c["kind"], c["name"], c["status"], tuple(c["problems"])) for c in raw["checks"]),
        blocks=raw["blocks"],
        machines=tuple(_decode_machines(machines) for machines in raw["machines"]),
    )


def _decode_machines(raw: Mapping[str, Any]) -> PlannedMachines:
    from zenctl.provider import MachinePool, PriceEstimate

    pool = {**raw["pool"], "price": PriceEstimate(**raw["pool"]["price"]), "locations": tuple(raw["pool"]["locations"])}
    return PlannedMachines(tuple(raw["backends"]), MachinePool(**pool), tuple(raw["runs"]), tuple(raw["may_run"]))


def _decode_read(raw: Mapping[str, Any]) -> FilesRead:
    matches = {inner: {p: tuple(m) for p, m in found.items()} for inner, found in raw["matches"].items()}
    return FilesRead(raw["digests"], raw["existing"], matches)


def _encode_change(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "action": change.action.value,
        "reasons": [{"code": r.code.value, "detail": r.detail, "data": dict(r.data)} for r in change.reasons],
        "before": change.before,
        "after": change.after,
        "after_unknown": list(change.after_unknown),
        "sensitive": list(change.sensitive),
        "depends_on": list(change.depends_on),
        "components": encode_components(change.components) if change.components else None,
        "fingerprint": change.fingerprint,
        "execution_id": change.execution_id,
        "moved_from": change.moved_from,
        "provider": change.provider,
        "create_first": change.create_first,
    }


def _decode_change(raw: Mapping[str, Any]) -> Change:
    components = raw["components"]
    return Change(
        addr=parse(raw["address"]),
        action=Action(raw["action"]),
        reasons=tuple(Reason(ReasonCode(r["code"]), r["detail"], r["data"]) for r in raw["reasons"]),
        before=raw["before"],
        after=raw["after"],
        after_unknown=tuple(raw["after_unknown"]),
        sensitive=tuple(raw["sensitive"]),
        depends_on=tuple(raw["depends_on"]),
        components=decode_components(components) if components else None,
        fingerprint=raw["fingerprint"],
        execution_id=raw["execution_id"],
        moved_from=raw["moved_from"],
        provider=raw["provider"],
        create_first=raw["create_first"],
    )


def encode_components(components: Components) -> dict[str, Any]:
    """Components as plain JSON, the form in which they are recorded too."""
    return {
        "type": components.type,
        "code": dict(components.code),
        "params": dict(components.params),
        "inputs": dict(components.inputs),
        "source": dict(components.source),
        "environment": dict(components.environment),
        **({} if components.triggers_replace is None else {"triggers_replace": components.triggers_replace}),
    }


def decode_components(raw: Mapping[str, Any]) -> Components:
    """The reverse; parts that an older record does not have are empty."""
    return Components(
        type=raw.get("type", ""),
        code=raw.get("code", {}),
        params=raw.get("params", {}),
        inputs=raw.get("inputs", {}),
        source=raw.get("source", {}),
        environment=raw.get("environment", {}),
        triggers_replace=raw.get("triggers_replace"),
    )


def encode_diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic as plain JSON."""
    place = diagnostic.range
    return {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
        "address": diagnostic.address,
        "range": asdict(place) if place else None,
        "values": [list(pair) for pair in diagnostic.values],
    }


def _decode_diagnostic(raw: Mapping[str, Any]) -> Diagnostic:
    place = raw["range"]
    source = SourceRange(place["filename"], Position(**place["start"]), Position(**place["end"])) if place else None
    values = tuple((name, statement) for name, statement in raw.get("values", ()))
    severity = Severity(raw["severity"])
    return Diagnostic(severity, raw["code"], raw["summary"], raw["detail"], source, raw["address"], values)
