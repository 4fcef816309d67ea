"""Looks at a csv source for plan: digest, bytes, rows, and whether its header can be read. Standard library only."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from zenctl.diagnostics import Diagnostic, DiagnosticError, Position, SourceRange, error
from zenctl.digests import sha256_json
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.csv.counting import CsvFacts, scan
from zenctl.steps.csv.header import HeaderProblem, read_header
from zenctl.steps.csv.profiling import PROFILE_BYTES, profile
from zenctl.steps.csv.schema import Csv
from zenctl.steps.data.files import find_files, shown, source_digest, unreadable
from zenctl.steps.data.observing import other_columns, placed, unknown_columns
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import patterns

NAMES = patterns("*.csv")


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads a file only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_header, source_column,
    source_unsupported.
    """
    if not isinstance(model, Csv):
        raise TypeError(f"observe takes the block of a csv datasource, not {type(model).__name__}")
    files = find_files(model.path, root, "csv", NAMES)
    facts, problems = [], []
    columns: tuple[str, ...] = ()
    for path in files.values():
        name = shown(path, root)
        try:
            names = read_header(path, model.delimiter, model.header)
            facts.append(_facts(path, cache))
        except OSError as problem:
            raise unreadable(name, problem) from problem
        except HeaderProblem as problem:
            problems.append(_header_problem(problem, name))
            continue
        except FileProblem as problem:
            problems.append(placed(problem, name))
            continue
        if columns and set(names) != set(columns):
            problems.append(other_columns(name, names, shown(next(iter(files.values())), root), columns))
        columns = columns or names
    problems += unknown_columns("types", model.types, columns) if columns else []
    if problems:
        raise DiagnosticError(*problems)
    rows = sum(max(found.records - int(model.header), 0) for found in facts)
    if rows == 0:
        detail = "A snapshot without rows would only fail later: check what should have written the file."
        raise DiagnosticError(error("source_empty", f"{model.path} has a header, but no rows", detail))
    locations = {name: str(path.absolute()) for name, path in files.items()}
    digest = source_digest("csv", [found.sha256 for found in facts])
    size = sum(found.bytes for found in facts)
    form = _form(model)
    types = _columns(list(files.values()), columns, model, cache, (digest, form, size))
    return SourceState(digest, size, rows, locations, types, form)


def _form(model: Csv) -> str:
    """What rows and types follow from besides the content."""
    rules = {name: getattr(model, name) for name in ("delimiter", "header", "null_values", "types")}
    return sha256_json(rules)[:16]


def _columns(
    files: list[Path], names: tuple[str, ...], model: Csv, cache: SourceCache, source: tuple[str, str, int]
) -> dict[str, str]:
    """Types by column, of large sources as declared; the rows of small ones are kept in the cache besides."""
    digest, form, size = source
    declared = {name: str(model.types.get(name, "")) for name in names}
    if size > PROFILE_BYTES:
        return declared
    key = f"{digest}-{form}"
    known = (cache.get(files[0]) or {}).get("columns")
    if isinstance(known, dict) and known.get("of") == key:
        return {str(name): str(kind) for name, kind in known["types"].items()}
    try:
        found = profile(files, names, model)
    except OSError as problem:
        raise unreadable(str(files[0]), problem) from problem
    if found is None:
        return declared
    cache.keep_rows(digest, form, found.rows)
    # Beside the first file's own facts: the digest says which files of the source it holds for.
    cache.put(files[0], {**(cache.get(files[0]) or {}), "columns": {"of": key, "types": found.columns}})
    return found.columns


def _facts(path: Path, cache: SourceCache) -> CsvFacts:
    """What is known of the file's content; a file is read anew if what the cache holds is not ours."""
    known = cache.get(path)
    kept = known.get("csv") if known is not None else None
    if isinstance(kept, dict) and kept.keys() == {"sha256", "bytes", "records"}:
        return CsvFacts(**kept)
    facts = scan(path)
    cache.put(path, {**(known or {}), "csv": asdict(facts)})
    return facts


def _header_problem(problem: HeaderProblem, shown: str) -> Diagnostic:
    code = "source_empty" if problem.message == "the file is empty" else "source_header"
    if not problem.line:
        return error(code, f"{shown}: {problem.message}", problem.hint)
    place = SourceRange(shown, Position(problem.line, 1, 0), Position(problem.line + 1, 1, 0))
    return error(code, f"{shown}:{problem.line}: {problem.message}", problem.hint, range=place)
