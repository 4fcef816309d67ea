"""Looks at a csv source in a bucket for plan: its objects, and the header of some. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from zenctl.diagnostics import DiagnosticError
from zenctl.digests import sha256_json
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.csv.counting import RecordCounter
from zenctl.steps.csv.header import HeaderProblem, header_of
from zenctl.steps.csv.observe import NAMES
from zenctl.steps.csv.schema import Csv
from zenctl.steps.data.objects import ObjectFile, find_objects, looked_at, state_of
from zenctl.steps.data.observing import other_columns, unknown_columns
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import packing

HEAD = 16 << 10
"""Bytes in which the header is looked for: nothing is told of one that is longer."""


def observe_objects(model: BlockModel, buckets: Buckets, cache: SourceCache) -> SourceState:
    """The source as its bucket says it is; rows are not known, nor types that are not declared.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_header, source_column,
    source_unsupported.
    """
    if not isinstance(model, Csv):
        raise TypeError(f"observe_objects takes the block of a csv datasource, not {type(model).__name__}")
    objects = find_objects(model.path, buckets, "csv", NAMES)
    form = f"csv-{sha256_json([model.delimiter, model.header])[:16]}"
    found = looked_at(model.path, objects, buckets, cache, form, partial(_look, model))
    headers = [told["columns"] for told in found if told["columns"]]
    if not headers:
        return state_of("csv", objects)
    columns = [str(name) for name in headers[0]]
    uris = [item.uri for item in objects.values()]
    problems = [
        other_columns(uri, told["columns"], uris[0], columns)
        for uri, told in zip(uris, found, strict=False)
        if told["columns"] and set(told["columns"]) != set(columns)
    ]
    problems += unknown_columns("types", model.types, columns)
    if problems:
        raise DiagnosticError(*problems)
    return state_of("csv", objects, columns={name: str(model.types.get(name, "")) for name in columns})


def _look(model: Csv, file: ObjectFile) -> Mapping[str, Any]:
    head = file.read(HEAD) or b""
    counter = RecordCounter()
    counter.update(head)
    is_cut = file.size > len(head) and counter.finish() < 2
    if is_cut or packing(head):
        # What is packed is left to the job.
        return {"columns": []}
    try:
        return {"columns": list(header_of(head, model.delimiter, model.header))}
    except HeaderProblem as problem:
        code = "source_empty" if problem.message == "the file is empty" else "source_header"
        raise FileProblem(problem.message, problem.hint, problem.line, code=code) from problem
