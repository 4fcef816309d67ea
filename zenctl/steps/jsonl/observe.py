"""Looks at a jsonl source for plan: digest, bytes, rows, and the first line. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from zenctl.diagnostics import DiagnosticError
from zenctl.digests import sha256_json
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.data.files import find_files, source_digest, unreadable
from zenctl.steps.data.magic import foreign_kind
from zenctl.steps.data.observing import empty, facts_of, scan_clear, unknown_columns
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import clear_bytes, clear_head, patterns
from zenctl.steps.jsonl.kinds import COLUMN, merged
from zenctl.steps.jsonl.lines import kind_of, rows_of, rows_or_problems, text_of
from zenctl.steps.jsonl.schema import Jsonl

NAMES = patterns("*.jsonl", "*.ndjson")
FORM = "jsonl-1"
"""Counts changes of what `_scan` gives."""
PROFILE_BYTES = 4 << 20
"""Sources larger than this are not parsed: plan must stay quick."""
_FIRST = 1 << 20
"""Bytes in which the first line is looked for."""


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads a file only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_column,
    source_unsupported.
    """
    if not isinstance(model, Jsonl):
        raise TypeError(f"observe takes the block of a jsonl datasource, not {type(model).__name__}")
    files = find_files(model.path, root, "jsonl", NAMES)
    strict = model.bad_rows == "fail"
    form = FORM if strict else f"{FORM}-whatever the first line"
    facts = facts_of(files.values(), root, cache, form, partial(_scan, strict=strict))
    rows = sum(found["rows"] for found in facts)
    if rows == 0:
        raise empty(model.path)
    digest = source_digest("jsonl", [found["sha256"] for found in facts])
    size = sum(found["bytes"] for found in facts)
    locations = {name: str(path.absolute()) for name, path in files.items()}
    rules = rules_of(model)
    columns, _ = profiled(list(files.values()), model, cache, (digest, rules, size), partial(_rows_in, model=model))
    problems = unknown_columns("types", model.types, list(columns)) if columns else []
    if problems:
        raise DiagnosticError(*problems)
    return SourceState(digest, size, rows, locations, columns, rules)


def rules_of(model: Jsonl) -> str:
    """Names what rows and types follow from besides the content."""
    rules: dict[str, Any] = {"types": model.types, "nested": model.nested}
    if model.bad_rows != "fail":
        rules["bad_rows"] = "left out"
    return sha256_json(rules)[:16]


def _scan(path: Path, *, strict: bool) -> Mapping[str, Any]:
    """Counts lines; `strict`: the first one must be an object."""
    head = clear_head(path, _FIRST)
    foreign = foreign_kind(head)
    if foreign is not None:
        kind, remedy = foreign
        hint = f"Convert it first: {remedy}." if remedy else f'Name its type: datasource "{kind.lower()}".'
        raise FileProblem(f"not JSON lines in UTF-8 but {kind}", hint)
    text = head.removeprefix(BYTE_ORDER_MARK)
    lead = text[: len(text) - len(text.lstrip())]
    line, end, _ = text[len(lead) :].partition(b"\n")
    if strict and line and (end or len(head) < _FIRST):
        next(rows_of(line, lead.count(b"\n") + 1), None)
    counter = LineCounter()
    return {**scan_clear(path, counter.update), "rows": counter.finish()}


Rows = Iterable[Mapping[str, Any]]


def profiled(
    files: list[Path], model: Jsonl, cache: SourceCache, source: tuple[str, str, int], rows_in: Callable[[bytes], Rows]
) -> tuple[dict[str, str], int | None]:
    """Types by column and the number of rows of small sources, whose rows are kept in the cache besides.

    {} and None for others, and for bad ones. `rows_in` gives the rows of a file's content; it raises FileProblem.
    """
    digest, form, size = source
    if size > PROFILE_BYTES:
        return {}, None
    key = f"{digest}-{form}"
    known = (cache.get(files[0]) or {}).get("jsonl-columns")
    if isinstance(known, dict) and known.get("of") == key and "rows" in known:
        return {str(name): str(kind) for name, kind in known["types"].items()}, int(known["rows"])
    kinds: dict[str, str] = {}
    rows: list[bytes] = []
    try:
        for path in files:
            for row in rows_in(clear_bytes(path)):
                kinds = merged([kinds, {name: kind_of(value) for name, value in row.items()}])
                text = "\x1f".join(f"{name}\x1e{text_of(row[name])}" for name in sorted(row)).encode()
                rows.append(blake2b(text, digest_size=8).digest() + (len(text) + 1).to_bytes(4, "big"))
    except OSError as problem:
        raise unreadable(str(files[0]), problem) from problem
    except FileProblem:
        # The job reads all rows, and tells of the first that is wrong, whatever the size of the source.
        return {}, None
    types = {name: str(model.types.get(name) or COLUMN.get(kind, "")) for name, kind in kinds.items()}
    cache.keep_rows(digest, form, b"".join(sorted(rows)))
    found = {"of": key, "types": types, "rows": len(rows)}
    cache.put(files[0], {**(cache.get(files[0]) or {}), "jsonl-columns": found})
    return types, len(rows)


def _rows_in(data: bytes, model: Jsonl) -> Rows:
    """The rows of lines; without those that are left out."""
    if model.bad_rows == "fail":
        return (row for _, row in rows_of(data, 1))
    found = rows_or_problems(data, dict(model.types), nested=model.nested == "text")
    return (row for _, _, row in found if not isinstance(row, str))


class LineCounter:
    """Counts the lines that are not blank, of text given in chunks cut anywhere."""

    def __init__(self) -> None:
        self._lines = 0
        self._content = False
        """Whether the line that is open has any."""

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""
        if any(blank in chunk for blank in (b"\n\n", b"\n\r", b"\n ", b"\n\t", b"\n\v", b"\n\f")):
            first, *others = chunk.split(b"\n")
            ended = [self._content or bool(first.strip()), *(bool(line.strip()) for line in others)]
            self._lines += sum(ended[:-1])
            self._content = ended[-1]
            return
        ends = chunk.count(b"\n")
        if not ends:
            self._content = self._content or bool(chunk.strip())
            return
        self._lines += ends - 1 + (self._content or bool(chunk[: chunk.index(b"\n")].strip()))
        self._content = bool(chunk[chunk.rindex(b"\n") + 1 :].strip())

    def finish(self) -> int:
        """The number of lines; the last one needs no end."""
        return self._lines + self._content
