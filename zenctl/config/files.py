"""Reads the configuration's files of a folder: every *.zen.hcl, *.zen.yaml and *.zen.yml."""

from __future__ import annotations

from pathlib import Path

from zenctl.diagnostics import Diagnostic, Position, SourceRange, error

HCL_SUFFIX = ".zen.hcl"
YAML_SUFFIXES = (".zen.yaml", ".zen.yml")
SUFFIXES = (HCL_SUFFIX, *YAML_SUFFIXES)
VALUES_SUFFIX = ".zenvars"
"""Of the files that hold values of variables; they are HCL."""

MAX_BYTES = 4 << 20
"""Largest file that is read: a configuration is written by people."""


def read_folder(root: Path) -> tuple[dict[str, str], list[Diagnostic]]:
    """The texts by file name, sorted by name. A folder without any such file is an error that says what to do."""
    if not root.is_dir():
        detail = "Give the configuration's folder with -chdir=DIR, or run zenctl there."
        return {}, [error("no_configuration", f"There is no folder {root}", detail)]
    try:
        names = sorted(p.name for p in root.iterdir() if p.name.endswith(SUFFIXES) and not p.name.startswith("."))
    except OSError as problem:
        return {}, [error("unreadable_folder", f"The folder {root} cannot be read: {problem.strerror}")]
    if not names:
        detail = (
            f"Looked for *.zen.hcl, *.zen.yaml and *.zen.yml in {root.absolute()}. "
            "Run `zenctl init` to begin one here, or give the configuration's folder with -chdir=DIR."
        )
        return {}, [error("no_configuration", "There is no zenctl configuration in this folder", detail)]
    texts: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for name in names:
        text, unreadable = read_text(root / name, name)
        if unreadable is not None:
            diagnostics.append(unreadable)
        else:
            texts[name] = text
    return texts, diagnostics


def read_text(path: Path, name: str) -> tuple[str, Diagnostic | None]:
    """A file's text, or a diagnostic that says why there is none and where in the file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        detail = "Check that it is a file and that you may read it."
        return "", error(
            "unreadable_file", f"{name} cannot be read: {problem.strerror}", detail, range=_place(name, b"")
        )
    return decoded(data, name)


def decoded(data: bytes, name: str) -> tuple[str, Diagnostic | None]:
    """What a file of that name says, or a diagnostic: it must be UTF-8 and not larger than `MAX_BYTES`."""
    if len(data) > MAX_BYTES:
        return "", error("unreadable_file", f"{name} is larger than {MAX_BYTES >> 20} MiB", range=_place(name, b""))
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as problem:
        place = _place(name, data[: problem.start])
        found = data[problem.start]
        summary = f"{name} is not UTF-8 text: byte 0x{found:02x} on line {place.start.line}"
        return "", error("not_utf8", summary, "Save the file as UTF-8 in your editor.", range=place)


def _place(name: str, before: bytes) -> SourceRange:
    text = before.decode("utf-8")
    line = text.count("\n") + 1
    column = len(text) - (text.rfind("\n") + 1) + 1
    at = Position(line, column, len(before))
    return SourceRange(name, at, at)
