"""Functions that read files of the module's folder, and those of paths."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Callable

from zenctl.lang.calls import FunctionProblem
from zenctl.lang.files import FileProblem, FileReader
from zenctl.lang.functions.bounds import bounded_elements
from zenctl.lang.functions.declaring import Group, text
from zenctl.lang.functions.hashing import ALGORITHMS, IN_BASE64, hexadecimal, in_base64
from zenctl.lang.model import Value, set_value, string
from zenctl.lang.types import BOOL, STRING, SetType

PATHS = Group()
_PATH = text("path")


def _told(problem: FileProblem) -> FunctionProblem:
    return FunctionProblem(f"{problem}{problem.hint}", 0, hidden=str(problem))


def read_bytes(files: FileReader | None, path: str) -> bytes:
    """A file's content. Raises FunctionProblem for the first argument; so do the two below."""
    if files is None:
        raise FunctionProblem("No files can be read here.", 0)
    try:
        return files.read(path)
    except FileProblem as problem:
        raise _told(problem) from None


def read_text(files: FileReader | None, path: str) -> str:
    """A file's content as text."""
    try:
        return read_bytes(files, path).decode("utf-8")
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        detail = f"The file is not text in UTF-8: byte 0x{problem.object[problem.start]:02x} on line {line}. "
        raise FunctionProblem(f"{detail}filebase64() reads any file.", 0, hidden="The file is not in UTF-8.") from None


def file_functions(files: FileReader | None) -> Group:
    """The functions that read files, for one reader; without one, calling them is an error."""
    group = Group()

    @group.function("file", "The content of a text file.", _PATH, returns=STRING)
    def _file(path: str) -> str:
        return read_text(files, path)

    @group.function("filebase64", "The content of any file in Base64.", _PATH, returns=STRING)
    def _filebase64(path: str) -> str:
        return base64.b64encode(read_bytes(files, path)).decode()

    @group.function("fileexists", "Whether there is such a file.", _PATH, returns=BOOL)
    def _fileexists(path: str) -> bool:
        if files is None:
            raise FunctionProblem("No files can be read here.", 0)
        try:
            return files.exists(path)
        except FileProblem as problem:
            raise _told(problem) from None

    @group.function(
        "fileset",
        "The files below a folder that match a pattern of *, **, ?, [...] and {a,b}, relative to the folder.",
        _PATH,
        text("pattern"),
        returns=SetType(STRING),
    )
    def _fileset(path: str, pattern: str) -> Value:
        if files is None:
            raise FunctionProblem("No files can be read here.", 0)
        try:
            found = files.glob(path, pattern)
        except FileProblem as problem:
            raise FunctionProblem(f"{problem}{problem.hint}", hidden=str(problem)) from None
        bounded_elements(len(found))
        return set_value(STRING, [string(name) for name in found])

    def add(name: str, description: str, digest: Callable[[bytes], str]) -> None:
        group.function(name, description, _PATH, returns=STRING)(lambda path: digest(read_bytes(files, path)))

    for algorithm, title in ALGORITHMS.items():
        add(f"file{algorithm}", f"The {title} digest of a file, in hexadecimal.", hexadecimal(algorithm))
    for algorithm in IN_BASE64:
        add(f"filebase64{algorithm}", f"The {ALGORITHMS[algorithm]} digest of a file, in Base64.", in_base64(algorithm))
    return group


@PATHS.function("basename", "The last part of a path.", _PATH, returns=STRING)
def _basename(path: str) -> str:
    if not path:
        return "."
    return posixpath.basename(path.rstrip("/")) or "/"


@PATHS.function("dirname", "A path without its last part.", _PATH, returns=STRING)
def _dirname(path: str) -> str:
    return posixpath.normpath(posixpath.dirname(path) or ".").replace("//", "/")
