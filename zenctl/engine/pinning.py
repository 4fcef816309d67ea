"""Finds the recorded snapshot that a datasource's `version` names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone

from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.engine.desired import DesiredDatasource
from zenctl.engine.refreshing import damage
from zenctl.jobs.storage import Storage
from zenctl.metadata.state import Recorded
from zenctl.schema.block import SourceModel

MIN_DIGITS = 6
"""Fewest digits of a digest that name it: fewer would be taken for a serial, or name many."""

_SHOWN = 5


def pinned_version(desired: DesiredDatasource) -> str:
    """What `version` says; empty where the source is to be taken as it is."""
    return desired.model.version.strip().lower() if isinstance(desired.model, SourceModel) else ""


def find_snapshot(desired: DesiredDatasource, history: Sequence[Recorded], storage: Storage) -> Recorded:
    """The newest record of the snapshot that `version` names, among the address's own (`history`, newest first).

    Raises DiagnosticError: version_unknown, version_ambiguous, version_malformed, version_deleted (it was freed, or its
    files are gone or damaged).
    """
    version = pinned_version(desired)
    snapshots = snapshots_of(history)
    if not re.fullmatch(rf"\d+|[0-9a-f]{{{MIN_DIGITS},64}}", version):
        detail = f"Give the serial of an apply, or {MIN_DIGITS} to 64 hexadecimal digits of a snapshot's digest."
        raise _wrong(desired, "malformed", f'"{version}" is no version of a snapshot', detail)
    found = named_snapshots(version, snapshots)
    digests = sorted({recorded.outputs["data"].digest for recorded in found})
    if not found:
        raise _wrong(desired, "unknown", f'{desired.addr} has no snapshot "{version}"', _known(snapshots))
    if len(digests) > 1:
        texts = ", ".join(digest[:16] for digest in digests[:_SHOWN])
        raise _wrong(desired, "ambiguous", f'"{version}" names {len(digests)} snapshots', f"They begin: {texts}.")
    # Of what was freed some files may be there yet: what deleted them was interrupted, or is at work just now.
    freed = "`zenctl state gc` has freed it" if found[0].is_deleted else None
    broken = freed or damage(storage, digests[0])
    if broken is not None:
        detail = f"{broken}. Choose another one, or leave `version` out to read the source anew. {_known(snapshots)}"
        summary = f'The snapshot "{version}" of {desired.addr} was deleted, or is damaged'
        raise _wrong(desired, "deleted", summary, detail)
    return found[0]


def snapshots_of(history: Sequence[Recorded]) -> list[Recorded]:
    """The records of a datasource's history that are snapshots."""
    return [recorded for recorded in history if recorded.is_result and "data" in recorded.outputs]


def named_snapshots(version: str, snapshots: Sequence[Recorded]) -> list[Recorded]:
    """Those that a version names: by the serial of their apply, else by the first digits of their digest."""
    found = [recorded for recorded in snapshots if version.isdigit() and recorded.serial == int(version)]
    if not found and len(version) >= MIN_DIGITS:
        found = [recorded for recorded in snapshots if recorded.outputs["data"].digest.startswith(version)]
    return found


def _known(snapshots: Sequence[Recorded]) -> str:
    newest: dict[str, Recorded] = {}
    for recorded in snapshots:
        if recorded.is_deleted:
            continue
        newest.setdefault(recorded.outputs["data"].digest, recorded)
    texts = [
        f"{digest[:12]} (apply {recorded.serial}, {_day(recorded)}{_rows(recorded)})"
        for digest, recorded in list(newest.items())[:_SHOWN]
    ]
    more = f" and {len(newest) - _SHOWN} older ones" if len(newest) > _SHOWN else ""
    return f"Recorded are {', '.join(texts)}{more}." if texts else "None is recorded yet: apply without it first."


def _day(recorded: Recorded) -> str:
    return datetime.fromtimestamp(recorded.started_ms / 1000, timezone.utc).strftime("%Y-%m-%d")


def _rows(recorded: Recorded) -> str:
    rows = recorded.outputs["data"].properties.get("rows")
    return f", {rows:,} rows" if isinstance(rows, int) else ""


def _wrong(desired: DesiredDatasource, kind: str, summary: str, detail: str) -> DiagnosticError:
    attribute = desired.config.body.attributes.get("version")
    place = attribute.expression.range if attribute is not None else desired.config.range
    problem: Diagnostic = error(f"version_{kind}", summary, detail, range=place, address=str(desired.addr))
    return DiagnosticError(problem)
