"""Writes the twin of a configuration file: the same configuration in the other syntax, comments included."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from zenctl.config.files import HCL_SUFFIX, YAML_SUFFIXES, read_folder, read_text
from zenctl.config.folding import fold_blocks
from zenctl.config.shapes import ROOT
from zenctl.config.texts import parse_text, write_text
from zenctl.diagnostics import Diagnostic, DiagnosticError, SourceRange, error, has_errors, raise_errors
from zenctl.lang.from_source import document_of_hcl, document_of_yaml
from zenctl.lang.meaning import same_body
from zenctl.lang.quoting import is_name
from zenctl.lang.syntax import Body
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.registry import Registry

Syntax = Literal["hcl", "yaml"]


@dataclass(frozen=True, slots=True)
class Twin:
    """A converted file: the name and text that it gets, or why it cannot be converted."""

    source: str
    name: str
    text: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()


def syntax_of(name: str) -> Syntax | None:
    """The syntax of a file of this name; None if it is no configuration file."""
    if name.endswith(HCL_SUFFIX):
        return "hcl"
    return "yaml" if name.endswith(YAML_SUFFIXES) else None


def twin_name(name: str) -> str:
    """The name of a file's twin: `a.zen.hcl` and `a.zen.yaml` are each other's."""
    for suffix in YAML_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix) + HCL_SUFFIX
    return name.removesuffix(HCL_SUFFIX) + YAML_SUFFIXES[0]


def sources(root: Path, names: Sequence[str], to: Syntax | None) -> dict[str, str]:
    """The texts to convert, by name relative to `root`: the files named, or all of the folder that are not `to` yet.

    Without `to` each becomes the other syntax; a folder must then have files of one syntax only. Raises
    DiagnosticError for what cannot be read or chosen.
    """
    texts: dict[str, str] = {}
    problems: list[Diagnostic] = []
    if names:
        for name in dict.fromkeys(names):
            problem = _unsuited(name, to)
            if problem is None:
                texts[name], problem = read_text(root / name, name)
            problems += [] if problem is None else [problem]
    else:
        texts, problems = read_folder(root)
        found = {syntax_of(name) for name in texts}
        if to is None and len(found) > 1:
            detail = "Say which they should all be, -to=yaml or -to=hcl, or name the files to convert."
            problems.append(error("bad_argument", "There are files of both syntaxes here", detail))
        texts = {name: text for name, text in texts.items() if to is None or syntax_of(name) != to}
    targets: dict[str, str] = {}
    for name in texts:
        other = targets.setdefault(twin_name(name), name)
        if other != name:
            summary = f"{other} and {name} would both become {twin_name(name)}"
            problems.append(error("bad_argument", summary, "Convert one, rename it, then convert the other."))
    raise_errors(problems)
    return texts


def _unsuited(name: str, to: Syntax | None) -> Diagnostic | None:
    syntax = syntax_of(name)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        syntax = None
    if syntax is None or "\0" in name:
        detail = f"The name of a configuration file ends with {HCL_SUFFIX}, {' or '.join(YAML_SUFFIXES)}."
        return error("bad_argument", f"{name} is no configuration file", detail)
    if syntax == to:
        return error("bad_argument", f"{name} is {syntax.upper()} already", "Leave it out, or leave -to out.")
    return None


def twin(name: str, text: str, registry: Registry) -> Twin:
    """Convert a file. What comes of it has been read again and means the same, ranges and comments apart.

    `registry` tells which blocks inside a step and its like are attributes in YAML. Errors of the file, and what the
    other syntax cannot say, are diagnostics; then there is no text.
    """
    target = twin_name(name)
    scalars: dict[SourceRange, str] = {}
    body, diagnostics = parse_text(name, text, scalars)
    if syntax_of(name) == "hcl":
        body, found = fold_blocks(body, registry)
    else:
        found = list(_unnameable(body))
    diagnostics = [*diagnostics, *found]
    if has_errors(diagnostics):
        return Twin(name, target, "", tuple(diagnostics))
    if syntax_of(name) == "hcl":
        from zenctl.lang.write_yaml import write_yaml

        written = write_yaml(document_of_hcl(body, text, name, ROOT))
    else:
        from zenctl.lang.write import write_hcl  # loads python-hcl2

        written = write_hcl(document_of_yaml(body, scalars, text, name, ROOT))
    again, problems = parse_text(target, written)
    if problems:
        # What both syntaxes can say can still be past a limit in one of them: YAML nests deeper, by the labels.
        summary = f"{name} cannot be written as {target}: {problems[0].summary}"
        return Twin(name, target, "", (*diagnostics, error("cannot_convert", summary, problems[0].detail)))
    if not same_body(body, again, ROOT):
        raise AssertionError(f"{target} would not mean the same as {name}")
    return Twin(name, target, written, tuple(diagnostics))


def write(root: Path, made: Sequence[Twin], texts: Mapping[str, str], *, replace: bool) -> None:
    """Write twins beside their files. With `replace` the files go, after every twin is on the disk as it should be.

    `texts` are the files as they were converted: one that has another text by now stays. Raises DiagnosticError.
    """
    try:
        for twin in made:
            write_text(root / twin.name, twin.text)
        if not replace:
            return
        for twin in made:
            if read_text(root / twin.name, twin.name) != (twin.text, None):
                problem = error("unreadable_file", f"{twin.name} is not as it was written", f"{twin.source} was kept.")
                raise DiagnosticError(problem)
        for twin in made:
            if read_text(root / twin.source, twin.source) != (texts[twin.source], None):
                detail = f"It was kept beside {twin.name}, which has its text of before. Convert it again with -force."
                raise DiagnosticError(error("file_changed", f"{twin.source} was changed meanwhile", detail))
            (root / twin.source).unlink()
    except OSError as problem:
        name = Path(problem.filename or "").name
        raise DiagnosticError(error("unwritable_file", f"{name} cannot be written: {problem.strerror}")) from problem


def _unnameable(body: Body) -> Iterable[Diagnostic]:
    """Keys of YAML that would be attributes of a block in HCL and cannot."""
    for attribute in body.attributes.values():
        if not is_name(attribute.name):
            detail = (
                "The name of an attribute of a block has letters, digits, underscores and dashes in HCL. Rename it."
            )
            summary = f'"{attribute.name}" cannot be written in HCL'
            yield error("cannot_convert", summary, detail, range=attribute.name_range)
    for block in body.blocks:
        yield from _unnameable(block.body)
