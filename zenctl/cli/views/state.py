"""Shows what is recorded: a workspace's results, and one result with all it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from zenctl.addrs import DatasourceAddr
from zenctl.cli.views.attributes import Side, text
from zenctl.cli.views.history import apply_document, who
from zenctl.cli.views.machines import story
from zenctl.cli.views.outputs import Outputs, output_block
from zenctl.cli.views.style import Style, columns, duration, pad, plural, printable, short_digest, size
from zenctl.config.selected import DEFAULT
from zenctl.engine.metrics import metrics_of
from zenctl.jobs.result import JobWarning
from zenctl.metadata.state import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.store import ExecutionState

if TYPE_CHECKING:
    from zenctl.metadata.applies import Apply

_DONE = {ExecutionState.COMPLETE: "complete", ExecutionState.CACHED: "reused"}
_VALUES_SHOWN = 8


def moment(ms: int) -> str:
    """A time in UTC to the second, `2026-11-24 00:38:12 UTC`; `-` where there is none."""
    if not ms:
        return "-"
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def workspace_lines(state: WorkspaceState, style: Style) -> list[str]:
    """Every recorded address with its state and time, attempts that gave no result, and the outputs."""
    lines = [f"# {state.project}/{state.workspace}, after apply {state.serial}", ""]
    records = {str(addr): recorded for addr, recorded in state.results.items()}
    failed = {str(addr): recorded for addr, recorded in state.attempts.items()}
    if not records and not failed:
        return [f"Nothing is recorded for workspace {state.workspace} of {state.project} yet."]
    width = max(columns(address) for address in (*records, *failed))
    for address in sorted({*records, *failed}):
        for recorded in filter(None, (records.get(address), failed.get(address))):
            note = artifacts_note(recorded)
            line = (
                f"{pad(address, width)}  {_state(recorded, style)}  {moment(recorded.ended_ms or recorded.started_ms)}"
            )
            lines.append(f"{line}  {style.dim(note)}".rstrip() if note else line)
    if state.outputs:
        lines += ["", "Outputs:", "", output_block(state.outputs, style)]
    return lines


def state_word(recorded: Recorded) -> str:
    """How it ended, or that it runs: `complete`, `reused`, `failed`, `canceled`, `running`."""
    return _DONE.get(recorded.state, recorded.state.value.lower())


def artifacts_note(recorded: Recorded) -> str:
    """What is most worth knowing in few words: an error, rows, metrics, a URL."""
    if recorded.error and not recorded.is_result:
        return printable(recorded.error.strip().splitlines()[0])[:80] if recorded.error.strip() else ""
    url = recorded.attributes.get("url")
    if url:
        return printable(str(url))
    notes = [note for artifact in recorded.outputs.values() if (note := values_note(artifact, 3))]
    return ", ".join(dict.fromkeys(notes))[:80]


def values_note(artifact: RecordedArtifact, limit: int) -> str:
    """`345 rows`, `accuracy 0.98, loss 0.07`: the plain values an artifact carries."""
    found = []
    for name, value in artifact.properties.items():
        if name == "rows" and isinstance(value, (int, float)):
            found.append(plural(int(value), "row"))
        elif isinstance(value, float):
            found.append(f"{name} {value:.4g}")
        elif isinstance(value, (bool, int)):
            found.append(f"{name} {text(Side(value))}")
        elif isinstance(value, str) and len(value) <= 40:
            found.append(f"{name} {short_digest(printable(value))}")
    more = f", and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


def recorded_lines(
    recorded: Recorded, style: Style, apply: Apply | None = None, because: str = "", store: str = ""
) -> list[str]:
    """One execution as a block: what it is, when it ran, by whom and how long, from what, with what, into what.

    `because` says how it was found; `store` is the URI of the artifact store, where outputs have one to be told.
    """
    addr = recorded.addr
    lines = [style.bold(f"# {addr}"), *([style.dim(f"# {printable(because)}")] if because else [])]
    lines += [f'{addr.kind} "{addr.type}" "{addr.name}" {{', *_section(dict(_facts(recorded, apply)), style)]
    params = recorded.components.get("params", {})
    sections = {"params": {name: param_text(value) for name, value in params.items()}}
    sections["inputs"] = {name: artifact_text(artifact) for name, artifact in recorded.inputs.items()}
    # Metrics have a section of their own, where all of them are shown.
    sections["outputs"] = {
        name: artifact_text(artifact, values=artifact.type != "Metrics") for name, artifact in recorded.outputs.items()
    }
    if store:
        sections["uris"] = {name: f"{store}/{artifact.uri}" for name, artifact in recorded.outputs.items()}
    sections["metrics"] = {printable(name): text(Side(value)) for name, value in metrics_of(recorded).items()}
    sections["environment"] = {name: text(Side(value)) for name, value in ran_with(recorded).items()}
    for title, rows in sections.items():
        if rows:
            lines += ["", f"  {title} = {{", *_section(rows, style, 4), "  }"]
    if recorded.attributes.get("machines"):
        lines += ["", "  machines = {", *(f"    {line}" for line in story(recorded.attributes["machines"])), "  }"]
    if recorded.warnings:
        lines += ["", f"  {style.yellow('warnings')} = {{", *_warned(recorded.warnings), "  }"]
    return [*lines, "}"]


def _warned(warnings: Iterable[JobWarning]) -> Iterator[str]:
    """Each warning on a line, and its detail below it."""
    for said in warnings:
        yield f"    {printable(said.summary)}"
        yield from (f"      {line}".rstrip() for line in printable(said.detail).splitlines())


def ran_with(recorded: Recorded) -> dict[str, str]:
    """The image, Python and the packages that count, as the plan saw them and as the job reported them."""
    planned, reported = recorded.components.get("environment", {}), recorded.environment
    packages = {**planned.get("distributions", {}), **reported.get("distributions", {})}
    python = reported.get("python") or planned.get("python")
    facts = {"image": reported.get("image"), "python": python}
    return {**{name: str(value) for name, value in facts.items() if value}, **dict(sorted(packages.items()))}


def artifact_text(artifact: RecordedArtifact, *, values: bool = True) -> str:
    """`Dataset 3f2a91c0d4e5 (12.3 kB, 345 rows)`; without `values` only its size is told."""
    facts = ["freed by state gc"] if artifact.deleted else []
    facts += [size(artifact.bytes)] if artifact.bytes else []
    note = values_note(artifact, _VALUES_SHOWN) if values else ""
    facts += [note] if note else []
    return f"{artifact.type} {short_digest(artifact.digest)}" + (f" ({', '.join(facts)})" if facts else "")


def _facts(recorded: Recorded, apply: Apply | None) -> Iterator[tuple[str, str]]:
    yield "state", state_word(recorded)
    if recorded.started_ms:
        yield "started", moment(recorded.started_ms)
    if recorded.ended_ms and recorded.started_ms and not recorded.imported_from:
        yield "took", duration(max(0, recorded.ended_ms - recorded.started_ms) / 1000)
    yield "apply", f"{recorded.serial} (execution {recorded.execution_id})"
    if apply is not None:
        yield "by", printable(who(apply) + (f", {apply.holder.command}" if apply.holder.command else ""))
        if recorded.workspace != DEFAULT:
            yield "workspace", recorded.workspace
    if recorded.source:
        yield "result of", f"execution {recorded.source}, produced {moment(recorded.produced_ms)}"
    if recorded.resumed:
        yield "resumed", f"from the checkpoint of {recorded.resumed}"
    for name, place in sorted(recorded.imported_from.items()):
        yield "imported", f"{name} from {printable(place)}"
    if recorded.backend:
        yield "backend", recorded.backend
    source = recorded.components.get("source", {})
    if source:
        rows = [plural(int(source["rows"]), "row")] if source.get("rows") is not None else []
        parts = [
            *rows,
            *([size(source["bytes"])] if source.get("bytes") else []),
            short_digest(str(source.get("digest", ""))),
        ]
        yield "source", ", ".join(parts)
    code = recorded.components.get("code", {})
    if code:
        yield "code", f"{code.get('entry', '')} ({short_digest(str(code.get('digest', '')))})"
    version = commit_text(recorded.code_version)
    if version:
        yield "commit", version
    if recorded.fingerprint:
        yield "fingerprint", short_digest(recorded.fingerprint)
    for name, value in sorted(recorded.attributes.items()):
        if isinstance(value, (str, int, float)) and value != "":
            yield name, short_digest(printable(str(value)))
    if recorded.error:
        yield "error", printable(recorded.error.strip().splitlines()[0]) if recorded.error.strip() else "-"


def commit_text(version: Mapping[str, Any]) -> str:
    """`4f2e1ab on main, with uncommitted changes`; empty outside git."""
    commit = str(version.get("commit") or "")
    if not commit:
        return ""
    branch = f" on {version['branch']}" if version.get("branch") else ""
    branch = f", pinned as {version['ref']}" if version.get("ref") else branch
    return f"{commit[:10]}{branch}" + (", with uncommitted changes" if version.get("dirty") else "")


def param_text(value: Any) -> str:
    """A parameter on one line; sensitive ones hidden."""
    return text(_side(value))


def _side(value: Any) -> Side:
    if isinstance(value, Mapping) and set(value) in ({"sensitive"}, {"unknown"}):
        return Side(None, "unknown" in value, "sensitive" in value)
    return Side(value)


def _section(rows: Mapping[str, str], style: Style, indent: int = 2) -> list[str]:
    width = max((columns(name) for name in rows), default=0)
    return [f"{' ' * indent}{style.dim(pad(name, width))}  {value}" for name, value in rows.items()]


def _state(recorded: Recorded, style: Style) -> str:
    word = pad(_DONE.get(recorded.state, recorded.state.value.lower()), 8)
    return style.green(word) if recorded.is_result else style.red(word)


def state_document(state: WorkspaceState) -> dict[str, Any]:
    """`show -json`: the state in Terraform's shape; sensitive outputs are null."""
    resources = [recorded_document(recorded) for _, recorded in sorted(state.results.items(), key=lambda i: str(i[0]))]
    attempts = [recorded_document(recorded) for _, recorded in sorted(state.attempts.items(), key=lambda i: str(i[0]))]
    return {
        "format_version": "1.0",
        "project": state.project,
        "workspace": state.workspace,
        "serial": state.serial,
        "values": {"outputs": _masked(state.outputs), "root_module": {"resources": resources}},
        "attempts": attempts,
    }


def pulled_document(state: WorkspaceState, apply: Apply | None, version: str) -> dict[str, Any]:
    """`state pull`: all that is recorded of the workspace as it is now."""
    return {
        "format_version": "1.0",
        "zenctl_version": version,
        "project": state.project,
        "workspace": state.workspace,
        "serial": state.serial,
        "apply": None if apply is None else apply_document(apply),
        "outputs": _masked(state.outputs),
        "results": [recorded_document(recorded) for recorded in state.results.values()],
        "attempts": [recorded_document(recorded) for recorded in state.attempts.values()],
    }


def recorded_document(recorded: Recorded) -> dict[str, Any]:
    """One execution as JSON, whole."""
    addr = recorded.addr
    return {
        "address": str(addr),
        "mode": "managed",
        "kind": addr.kind,
        "type": addr.type,
        "name": addr.name,
        **({"index": addr.key} if addr.key is not None else {}),
        "project": recorded.project,
        "workspace": recorded.workspace,
        "values": {
            "execution_id": recorded.execution_id,
            "job_id": recorded.job_id,
            "state": recorded.state.value,
            "serial": recorded.serial,
            "fingerprint": recorded.fingerprint,
            "started": _iso(recorded.started_ms),
            "ended": _iso(recorded.ended_ms),
            "backend": recorded.backend,
            "code_version": dict(recorded.code_version),
            "components": dict(recorded.components),
            "inputs": {name: _artifact(a) for name, a in recorded.inputs.items()},
            "outputs": {name: _artifact(a) for name, a in recorded.outputs.items()},
            "attributes": dict(recorded.attributes),
            "environment": dict(recorded.environment),
            "operation": recorded.operation,
            "producers": dict(recorded.producers),
            "error": recorded.error,
            "warnings": [{"summary": said.summary, "detail": said.detail} for said in recorded.warnings],
            "reused_execution_id": recorded.source or None,
            **({"resumed_from_job_id": recorded.resumed} if recorded.resumed else {}),
            **({"imported_from": dict(recorded.imported_from)} if recorded.imported_from else {}),
        },
    }


def is_source(recorded: Recorded) -> bool:
    """Whether it is where data comes in."""
    return isinstance(recorded.addr, DatasourceAddr)


def _artifact(artifact: RecordedArtifact) -> dict[str, Any]:
    return {
        "type": artifact.type,
        "digest": artifact.digest,
        "uri": artifact.uri,
        "bytes": artifact.bytes,
        "properties": dict(artifact.properties),
        **({"deleted": True} if artifact.deleted else {}),
    }


def _iso(ms: int) -> str | None:
    if not ms:
        return None
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _masked(outputs: Outputs) -> dict[str, Any]:
    return {
        name: {"sensitive": bool(o.get("sensitive")), "value": None if o.get("sensitive") else o.get("value")}
        for name, o in outputs.items()
    }
