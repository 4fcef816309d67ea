"""Finds the record that words name: an address, an apply of one, a content's digest or URI, an endpoint's URL."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from zenctl.addrs import Address, AddressError, EndpointAddr, parse
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.engine.pinning import MIN_DIGITS
from zenctl.jobs.artifacts import scan_folder
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.contents import find_artifacts, find_producer
from zenctl.metadata.past import newest_results, recorded_in
from zenctl.metadata.records import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.state import read_heads, read_state
from zenctl.metadata.store import MetadataStore
from zenctl.metadata.workspaces import workspaces

TREE_URI = re.compile(r"(?:^|/)trees/([0-9a-f]{2})/(\1[0-9a-f]{62})(?:\.json)?$")
"""An artifact's URI, relative to its store or whole: its digest stands in it."""

_DIGITS = re.compile(rf"[0-9a-f]{{{MIN_DIGITS},64}}")
_URL = re.compile(r"(https?://|(?=[A-Za-z0-9.-]+:\d{1,5}(?:/|$)))", re.IGNORECASE)
"""A URL, or what is one without `http://`."""
_SHOWN = 10
_LOOPBACK = {"localhost": "127.0.0.1", "::1": "127.0.0.1", "0.0.0.0": "127.0.0.1"}  # noqa: S104 - compared, not bound

FORMS = (
    "Give an address (step.train.fit), one as an apply made it (step.train.fit@3), an artifact's digest or URI, "
    "a model's folder, or an endpoint's URL. `zenctl state list` lists the addresses."
)


@dataclass(frozen=True, slots=True)
class Named:
    """The record that words name. `because` says how it was found, where they are no address."""

    recorded: Recorded
    because: str = ""


def split_serial(text: str) -> tuple[str, int | None]:
    """`step.python.fit@3` is an address and the serial of an apply; an `@` inside a key is none."""
    address, at, serial = text.rpartition("@")
    if at and serial.isascii() and serial.isdigit() and len(serial) < 10 and not address.count('"') % 2:
        return address, int(serial)
    return text, None


def find_recorded(
    store: MetadataStore, project: str, workspace: str, text: str, *, results_only: bool = False
) -> Recorded:
    """The record of `ADDRESS[@SERIAL]`. Raises DiagnosticError if there is none, or the address is none."""
    address, serial = split_serial(text)
    try:
        addr = parse(address)
    except AddressError as problem:
        raise DiagnosticError(error("bad_address", str(problem), "`zenctl state list` lists all.")) from problem
    if serial is None:
        return recorded_at(read_state(store, project, workspace), addr, results_only=results_only)
    found = recorded_in(store, project, workspace, addr, serial)
    wanted = [recorded for recorded in found if recorded.is_result or not results_only]
    if not wanted:
        raise DiagnosticError(_not_in_apply(store, project, workspace, addr, serial))
    return max(wanted, key=lambda recorded: (recorded.is_result, recorded.execution_id))


def recorded_at(state: WorkspaceState, addr: Address, *, results_only: bool) -> Recorded:
    """The record of an address: its newest attempt or result; raises DiagnosticError if there is none."""
    found = None if results_only else state.attempts.get(addr)
    found = found or state.results.get(addr)
    if found is None:
        hint = did_you_mean(str(addr), [str(a) for a in (*state.results, *state.attempts)])
        detail = f"`zenctl state list` lists what is recorded.{hint}"
        raise DiagnosticError(error("not_recorded", f"Nothing is recorded for {addr}", detail))
    return found


def find_named(store: MetadataStore, project: str, workspace: str, text: str, root: Path) -> Named:
    """The record that the words name. Paths are seen from `root`. Raises DiagnosticError if there is none."""
    url = _URL.match(text)
    if url is not None:
        return _served(store, project, workspace, text if url[1] else f"http://{text}")
    uri = TREE_URI.search(text)
    if uri is not None:
        return _content(store, project, workspace, uri.group(2), f"the artifact {text}")
    try:
        parse(split_serial(text)[0])
    except AddressError as problem:
        if _DIGITS.fullmatch(text.lower()):
            return _content(store, project, workspace, text.lower(), f"an artifact {text}")
        place = root / text
        if _is_there(place):
            return _folder(store, project, workspace, text, place)
        if "/" in text or "\\" in text:
            raise DiagnosticError(error("unknown_record", f"There is no file or folder {text}", FORMS)) from problem
        raise DiagnosticError(error("bad_address", str(problem), FORMS)) from problem
    return Named(find_recorded(store, project, workspace, text))


def _content(store: MetadataStore, project: str, workspace: str, digits: str, what: str) -> Named:
    found = find_artifacts(store, digits)
    digests = sorted({artifact.digest for artifact in found})
    if len(digests) > 1:
        shown = "\n".join(f"  {digest}  {_types(found, digest)}" for digest in digests[:_SHOWN])
        more = f"\n  and {len(digests) - _SHOWN} more" if len(digests) > _SHOWN else ""
        detail = f"Give more digits:\n{shown}{more}"
        raise DiagnosticError(error("ambiguous_digest", f"{len(digests)} artifacts begin with {digits}", detail))
    if not digests:
        detail = "Is it of another project's metadata store? `zenctl config metadata get` says which is asked."
        raise DiagnosticError(error("unknown_record", f"Nothing recorded is {what}", detail))
    named = _producer(store, project, workspace, found)
    if named is None:
        summary = f"Nothing that is recorded made {what}"
        raise DiagnosticError(error("unknown_record", summary, "It is known as an input only."))
    return named


def _producer(store: MetadataStore, project: str, workspace: str, artifacts: list[RecordedArtifact]) -> Named | None:
    recorded, others = find_producer(store, artifacts, project, workspace)
    if recorded is None:
        return None
    digest = artifacts[0].digest
    names = [name for name, artifact in recorded.outputs.items() if artifact.digest == digest]
    also = f"; {others} more {'record has' if others == 1 else 'records have'} the same content" if others else ""
    return Named(recorded, f"{digest[:12]} is its output {', '.join(names)}{also}")


def _types(artifacts: Iterable[RecordedArtifact], digest: str) -> str:
    return ", ".join(sorted(artifact.type for artifact in artifacts if artifact.digest == digest))


def _folder(store: MetadataStore, project: str, workspace: str, text: str, place: Path) -> Named:
    """Who made the content of a folder or file: as it is, or as it is kept (models are normalised first)."""
    try:
        for digest in _digests(place):
            found = find_artifacts(store, digest)
            named = _producer(store, project, workspace, found) if found else None
            if named is not None:
                return named
    except (OSError, StorageError) as problem:
        raise DiagnosticError(error("unreadable", f"{text} cannot be read: {problem}")) from problem
    detail = (
        "No recorded result has exactly these files. A model is known by all of its files: give its own folder, "
        "not one above it, as it was copied."
    )
    raise DiagnosticError(error("unknown_record", f"Nothing that is recorded made {text}", detail))


def _digests(place: Path) -> Iterable[str]:
    """The digests that the content may be recorded under; later ones cost more."""
    from zenctl.runner.models import normalise

    yield scan_folder(place).digest
    with tempfile.TemporaryDirectory(prefix="zenctl-", ignore_cleanup_errors=True) as scratch:
        copy = Path(scratch) / "model"
        if place.is_file():
            copy.mkdir()
            shutil.copyfile(place, copy / place.name)
        else:
            shutil.copytree(place, copy, copy_function=shutil.copyfile)
        normalise(copy)
        yield scan_folder(copy).digest


def _served(store: MetadataStore, project: str, workspace: str, url: str) -> Named:
    """The endpoint that is recorded at a URL, or whose URL is the only one above or below it."""
    names = [workspace, *(w.name for w in workspaces(store, project) if w.name != workspace)]
    known = {
        served: recorded
        for name in reversed(names)
        for recorded in read_heads(store, project, name)
        if isinstance(recorded.addr, EndpointAddr) and (served := str(recorded.attributes.get("url") or ""))
    }
    found = [served for served in known if _is_below(url, served)] or [s for s in known if _is_below(s, url)]
    if len(found) == 1:
        recorded = known[found[0]]
        where = "" if recorded.workspace == workspace else f" in workspace {recorded.workspace}"
        return Named(recorded, f"{found[0]} is its URL{where}")
    shown = "\n".join(f"  {served}  {known[served].addr}" for served in (found or list(known))[:_SHOWN])
    if found:
        detail = f"Give more of the URL:\n{shown}"
        raise DiagnosticError(error("ambiguous_url", f"{len(found)} recorded endpoints are below {url}", detail))
    detail = f"Recorded are:\n{shown}" if known else "No endpoint is recorded. `zenctl apply` makes those declared."
    raise DiagnosticError(error("unknown_record", f"No recorded endpoint is at {url}", detail))


def _is_below(url: str, above: str) -> bool:
    """Whether a URL is another one, or one below it, as a path or a method (`:predict`)."""
    given, known = urlsplit(url), urlsplit(above)
    if _place(given.netloc, given.scheme) != _place(known.netloc, known.scheme):
        return False
    path, beginning = given.path.rstrip("/"), known.path.rstrip("/")
    return path.startswith(beginning) and path[len(beginning) : len(beginning) + 1] in ("", "/", ":")


def _place(netloc: str, scheme: str) -> tuple[str, str]:
    """Host and port; all names of this machine's loopback are one."""
    host, _, port = netloc.rpartition("@")[2].lower().rpartition(":")
    if not host or not port.isdigit():
        host, port = netloc.rpartition("@")[2].lower(), "443" if scheme.lower() == "https" else "80"
    host = host.strip("[]")
    return _LOOPBACK.get(host, host), port


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _not_in_apply(store: MetadataStore, project: str, workspace: str, addr: Address, serial: int) -> Diagnostic:
    results = newest_results(store, project, workspace, addr, _SHOWN)
    serials = sorted({recorded.serial for recorded in results})
    detail = f"It has results of apply {', '.join(map(str, serials))}." if serials else "It has no results."
    return error("not_recorded", f"Apply {serial} recorded no result of {addr}", detail)
