"""Finds the objects of a bucket that a datasource's path means, and knows them by what the store says of them.

Standard library only. Plan lists objects and reads none as a whole: see `docs/decisions/0016-sources-in-buckets.md`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from zenctl.diagnostics import DiagnosticError, did_you_mean, error
from zenctl.digests import sha256_text
from zenctl.jobs.objects import RemoteObject, split_uri
from zenctl.jobs.storage import StorageError, each
from zenctl.jobs.stores.objects import PAGE, Bucket, Found, ObjectStorage
from zenctl.schema import SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.data.files import source_digest
from zenctl.steps.data.observing import empty, placed
from zenctl.steps.data.problems import FileProblem

SCHEMES = ("gs", "s3")

MOST = 100_000
"""Most objects that are listed for a source: a hundred calls."""

LOOKED_AT = 16
"""Sources of up to this many objects have a bit of each read for plan, if that tells columns; of larger ones the first.
"""

_PATTERN = frozenset("*?[")

Objects = Mapping[str, RemoteObject]
"""By name relative to the folder they were looked for in, sorted by it."""


def find_objects(path: str, buckets: Buckets, kind: str, names: Sequence[str]) -> dict[str, RemoteObject]:
    """What `files.find_files` gives of local files, of objects: one, a folder with names that match, or a pattern.

    Raises DiagnosticError if there is none, or the bucket cannot be read, and if all are empty.
    """
    uri, key = split_uri(path)
    storage = open_bucket(path, buckets, kind)
    try:
        found = _found(storage.bucket, uri, key, names)
    except StorageError as problem:
        raise unreadable(path, problem) from problem
    if not any(item.size for item in found.values()):
        raise empty(path, "bytes")
    return found


def open_bucket(path: str, buckets: Buckets, kind: str) -> ObjectStorage:
    """The bucket of a path. Raises DiagnosticError for what is none that jobs can read."""
    uri, _ = split_uri(path)
    scheme, _, name = uri.partition("://")
    if scheme not in SCHEMES:
        detail = f"A {kind} datasource reads files of this machine, gs://BUCKET/KEY and s3://BUCKET/KEY."
        raise DiagnosticError(error("source_unsupported", f"cannot read {path}", detail))
    if not name:
        raise DiagnosticError(error("source_missing", f"{path} names no bucket", f"Write {scheme}://BUCKET/KEY."))
    storage = buckets(uri)
    if not isinstance(storage, ObjectStorage):
        detail = "The provider's store is none of those that jobs can read."
        raise DiagnosticError(error("source_unsupported", f"cannot read {path}", detail))
    return storage


def unreadable(path: str, problem: StorageError) -> DiagnosticError:
    """What a user is told of a bucket that cannot be read."""
    return DiagnosticError(error("source_unreadable", f"cannot read {path}: {problem}", problem.hint))


def content_digest(found: RemoteObject) -> str:
    """Names an object's content, wherever it lies; where the store has no checksum, this version of it only."""
    content = found.checksum or f"version:{found.uri}:{found.version}"
    return sha256_text(f"{content}:{found.size}")


def state_of(
    kind: str, objects: Objects, rows: int | None = None, columns: Mapping[str, str] | None = None
) -> SourceState:
    """A source of objects as plan sees it, its digest made of those of its objects in order."""
    digest = source_digest(kind, [content_digest(found) for found in objects.values()])
    return SourceState(digest, total(objects), rows, locations_of(objects), columns or {})


def total(objects: Objects) -> int:
    """Bytes of all objects."""
    return sum(found.size for found in objects.values())


def locations_of(objects: Objects) -> dict[str, str]:
    """Where a job finds them."""
    return {name: found.location() for name, found in objects.items()}


class ObjectFile(io.RawIOBase):
    """An object as a file of which stretches are read, each with a call of its own: not to be read from end to end."""

    def __init__(self, bucket: Bucket, found: RemoteObject) -> None:
        super().__init__()
        self.size = found.size
        self._bucket = bucket
        self._found = found
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self.size:
            return 0
        data = self._bucket.read(self._found.key, self._at, len(buffer), self._found.version).data
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


Look = Callable[[ObjectFile], Mapping[str, Any]]
"""Reads a bit of an object, and gives what it tells as JSON; raises FileProblem."""


def looked_at(
    path: str, objects: Objects, buckets: Buckets, cache: SourceCache, form: str, look: Look
) -> list[Mapping[str, Any]]:
    """What a bit of each object tells, in order, of many objects of the first; from the cache where it is known.

    `form` names the rules of `look`. Raises DiagnosticError.
    """
    wanted = list(objects.values())[: None if len(objects) <= LOOKED_AT else 1]
    storage: ObjectStorage = buckets(split_uri(path)[0])
    facts: list[Mapping[str, Any] | None] = []
    for found in wanted:
        known = (cache.get_object(found.uri, found.version) or {}).get(form)
        facts.append(known if isinstance(known, dict) else None)
    unknown = [found for found, known in zip(wanted, facts, strict=True) if known is None]

    def read(found: RemoteObject) -> Mapping[str, Any] | FileProblem:
        try:
            return look(ObjectFile(storage.bucket, found))
        except FileProblem as problem:
            return problem

    try:
        seen = dict(zip((found.uri for found in unknown), each(storage, read, unknown), strict=True))
    except StorageError as problem:
        raise unreadable(path, problem) from problem
    problems = [placed(problem, uri) for uri, problem in seen.items() if isinstance(problem, FileProblem)]
    if problems:
        raise DiagnosticError(*problems)
    for found in unknown:
        cache.put_object(found.uri, found.version, {form: seen[found.uri]})
    told = (seen.get(found.uri, known) for found, known in zip(wanted, facts, strict=True))
    return [known for known in told if known is not None and not isinstance(known, FileProblem)]


def _found(bucket: Bucket, uri: str, key: str, names: Sequence[str]) -> dict[str, RemoteObject]:
    globs = " or ".join(names)
    if _PATTERN & set(key):
        prefix = key[: min(key.index(sign) for sign in _PATTERN & set(key))]
        listed = _listed(bucket, uri, prefix)
        exact = [found for found in listed if found.key == key]
        if exact:
            return {_base(key): _remote(uri, exact[0])}
        found = {item.key: _remote(uri, item) for item in listed if _matches(item.key, key)}
        if not found:
            raise _missing(f"no object matches {uri}/{key}", _among(uri, prefix, listed))
        return dict(sorted(found.items()))
    # The object itself sorts before all others that begin with its name, so this costs one call.
    is_folder = not key or key.endswith("/")
    exact = [] if is_folder else [item for item in next(iter(bucket.pages(key, 1)), ()) if item.key == key]
    if exact:
        return {_base(key): _remote(uri, exact[0])}
    folder = key if is_folder else f"{key}/"
    below = {item.key[len(folder) :]: item for item in _listed(bucket, uri, folder)}
    found = {
        name: _remote(uri, item)
        for name, item in below.items()
        if any(fnmatchcase(_base(name), glob) for glob in names) and _is_visible(name)
    }
    if found:
        return dict(sorted(found.items()))
    if below:
        advice = f"Objects there are {', '.join(sorted(below)[:5])}: name one, or write a pattern."
        raise _missing(f"no {globs} object below {uri}/{folder}", advice)
    raise _missing(f"there is no object {uri}/{key}", _near(bucket, uri, key))


def _listed(bucket: Bucket, uri: str, prefix: str) -> list[Found]:
    """All objects under a prefix but for what stands for a folder."""
    listed: list[Found] = []
    for page in bucket.pages(prefix, PAGE):
        listed += [item for item in page if not item.key.endswith("/")]
        if len(listed) > MOST:
            detail = "Name a folder or a pattern that begins with more of the name."
            summary = f"there are more than {MOST:,} objects under {uri}/{prefix}"
            raise DiagnosticError(error("source_unsupported", summary, detail))
    return listed


def _matches(key: str, pattern: str) -> bool:
    """As a local path matches a pattern: `*` stays within a folder, `**` is any number of them."""
    asked = pattern.startswith(".") or "/." in pattern
    return (asked or _is_visible(key)) and _parts_match(key.split("/"), pattern.split("/"))


def _parts_match(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        if len(patterns) == 1:
            return bool(parts)
        return any(_parts_match(parts[at:], patterns[1:]) for at in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


def _is_visible(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/"))


def _base(key: str) -> str:
    return key.rpartition("/")[2]


def _remote(uri: str, found: Found) -> RemoteObject:
    return RemoteObject(f"{uri}/{found.key}", found.version, found.size, found.checksum)


def _near(bucket: Bucket, uri: str, key: str) -> str:
    """What there is in the folder of an object that is missing, as far as one call tells."""
    folder = key.rstrip("/").rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    return _among(uri, prefix, next(iter(bucket.pages(prefix, PAGE)), ()), key)


def _among(uri: str, prefix: str, listed: Sequence[Found], wanted: str = "") -> str:
    if not listed:
        return f"Nothing in {uri} begins with {prefix}." if prefix else f"{uri} is empty."
    uris = [f"{uri}/{item.key}" for item in listed]
    there = f"There {'is' if len(uris) == 1 else 'are'} {', '.join(uris[:3])}{' and others' if len(uris) > 3 else ''}."
    return f"{there}{did_you_mean(f'{uri}/{wanted}', uris) if wanted else ''}"


def _missing(summary: str, detail: str) -> DiagnosticError:
    return DiagnosticError(error("source_missing", summary, detail))
