"""Reads and writes a plan file: one zip with `plan.json`, the configuration's files and the code archives.

No pickle. The digest in it detects damage, not malice: a plan file is as powerful as the code it carries.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zenctl.addrs import AddressError, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, Position, Severity, SourceRange, error
from zenctl.digests import canonical_json, sha256_bytes
from zenctl.plans.actions import Action, Components, Reason, ReasonCode
from zenctl.plans.plan import Change, CodeArchive, CodeDiff, FilesRead, OutputChange, Plan

FORMAT = 1
"""Version of the plan file's form; a newer one is refused."""

MAX_BYTES = 1 << 30
"""Largest unpacked size that is read, so that a crafted file cannot fill the memory."""


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
        return from_bytes(path.read_bytes())
    except FileNotFoundError:
        raise _refused(path, "There is no such file. `zenctl plan -out=FILE` writes one.") from None
    except (OSError, zipfile.BadZipFile, _Damaged, KeyError, ValueError, TypeError) as problem:
        raise _refused(path, f"{problem}. Make the plan again with `zenctl plan -out=FILE`.") from problem


def looks_like_plan(path: Path) -> bool:
    """Whether a file begins as a plan file does."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError:
        return False


class _Damaged(Exception):
    pass


def _refused(path: Path, detail: str) -> DiagnosticError:
    return DiagnosticError(error("plan_file_unreadable", f"{path} cannot be read as a plan", detail))


def to_bytes(plan: Plan) -> bytes:
    """The file's bytes; equal plans give equal bytes."""
    document = canonical_json(_encode(plan))
    members = {f"files/{name}": text.encode() for name, text in plan.files.items()}
    members |= {f"code/{archive.digest}.zip": archive.data for archive in plan.code.values()}
    digests = {name: sha256_bytes(data) for name, data in sorted(members.items())}
    head = canonical_json({"format": FORMAT, "plan": sha256_bytes(document), "members": digests})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive_file:
        for name, data in [("zenctl-plan.json", head), ("plan.json", document), *sorted(members.items())]:
            archive_file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Plan:
    """Read the file's bytes, verifying format and digests."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise _Damaged("it is no plan file of zenctl, or a part of it is missing")
    with zipfile.ZipFile(io.BytesIO(data)) as archive_file:
        if sum(info.file_size for info in archive_file.infolist()) > MAX_BYTES:
            raise _Damaged("it unpacks to more than 1 GiB")
        content = {name: archive_file.read(name) for name in archive_file.namelist()}
    if "zenctl-plan.json" not in content:
        raise _Damaged("it is no plan file of zenctl")
    head = json.loads(content.pop("zenctl-plan.json"))
    if head["format"] > FORMAT:
        raise _Damaged(f"it has format {head['format']}, this zenctl reads up to {FORMAT}: update zenctl")
    document = content.pop("plan.json")
    if sha256_bytes(document) != head["plan"] or {n: sha256_bytes(d) for n, d in content.items()} != head["members"]:
        raise _Damaged("it was changed after it was written (its digest does not match)")
    files = {n[6:]: d.decode() for n, d in content.items() if n.startswith("files/")}
    archives = {n[5:-4]: d for n, d in content.items() if n.startswith("code/")}
    return _decode(json.loads(document), files, archives)


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
    }


def _decode(raw: Mapping[str, Any], files: Mapping[str, str], archives: Mapping[str, bytes]) -> Plan:
    return Plan(
        project=raw["project"],
        workspace=raw["workspace"],
        serial=raw["serial"],
        timestamp=raw["timestamp"],
        zenctl_version=raw["zenctl_version"],
        destroy=raw["destroy"],
        refresh_only=raw.get("refresh_only", False),
        configuration_digest=raw["configuration_digest"],
        variables=raw["variables"],
        providers=raw["providers"],
        heads=raw["heads"],
        read={folder: _decode_read(read) for folder, read in raw.get("read", {}).items()},
        files=files,
        code={address: CodeArchive(digest, archives[digest]) for address, digest in raw["code"].items()},
        code_version=raw.get("code_version", {}),
        code_diffs={address: CodeDiff(**found) for address, found in raw.get("code_diffs", {}).items()},
        changes=tuple(_decode_change(change) for change in raw["changes"]),
        outputs=tuple(OutputChange(**output) for output in raw["outputs"]),
        diagnostics=tuple(_decode_diagnostic(d) for d in raw["diagnostics"]),
    )


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
        "create_first": change.create_first,
    }


def _decode_change(raw: Mapping[str, Any]) -> Change:
    try:
        address = parse(raw["address"])
    except AddressError as problem:
        raise _Damaged(str(problem)) from problem
    components = raw["components"]
    return Change(
        addr=address,
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
        moved_from=raw.get("moved_from", ""),
        create_first=raw.get("create_first", False),
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
