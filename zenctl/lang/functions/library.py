"""The standard library of functions: made for the files of a module and the time of a plan, loaded when first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zenctl.lang.calls import Function
from zenctl.lang.files import FileReader


def standard_library(files: FileReader | None = None, timestamp: str | None = None) -> Mapping[str, Function]:
    """All functions by name.

    `files` are the module's, for `file` and the like; without them, calling these is an error. `timestamp` is when the
    plan was made, as in RFC 3339; without it, `plantimestamp` and `timestamp` are unknown. Nothing is loaded before a
    function is asked for; then ValueError is raised for what is not a timestamp.
    """
    return _StandardLibrary(files, timestamp)


class _StandardLibrary(Mapping[str, Function]):
    def __init__(self, files: FileReader | None, timestamp: str | None) -> None:
        self._files = files
        self._timestamp = timestamp
        self._loaded: Mapping[str, Function] | None = None

    def _functions(self) -> Mapping[str, Function]:
        if self._loaded is None:
            self._loaded = _load(self._files, self._timestamp)
        return self._loaded

    def __getitem__(self, name: str) -> Function:
        return self._functions()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions())

    def __len__(self) -> int:
        return len(self._functions())


def _load(files: FileReader | None, timestamp: str | None) -> Mapping[str, Function]:
    from zenctl.lang.functions.building import BUILDING
    from zenctl.lang.functions.collections import COLLECTIONS
    from zenctl.lang.functions.converting import CONVERTING
    from zenctl.lang.functions.dates import DATES, clock_functions
    from zenctl.lang.functions.encoding import ENCODING
    from zenctl.lang.functions.files import PATHS, file_functions
    from zenctl.lang.functions.hashing import HASHING
    from zenctl.lang.functions.networks import NETWORKS
    from zenctl.lang.functions.numeric import NUMERIC
    from zenctl.lang.functions.patterns import PATTERNS
    from zenctl.lang.functions.sets import SETS
    from zenctl.lang.functions.templates import refusing_functions, template_functions
    from zenctl.lang.functions.texts import TEXTS

    fixed = (
        NUMERIC,
        TEXTS,
        PATTERNS,
        COLLECTIONS,
        BUILDING,
        SETS,
        ENCODING,
        HASHING,
        DATES,
        NETWORKS,
        PATHS,
        CONVERTING,
    )
    functions = {name: function for group in fixed for name, function in group.items()}
    functions |= clock_functions(timestamp) | file_functions(files)
    within_templates = {**functions, **refusing_functions()}
    return {**functions, **template_functions(files, within_templates)}


DEFAULT: Mapping[str, Function] = standard_library()
"""The library without files and without a time."""

LEFT_OUT: Mapping[str, str] = {
    "abspath": "an absolute path belongs to one machine, and would make results differ from one to another",
    "bcrypt": "its result differs each time, so that every plan would differ from the one before",
    "defaults": "write optional(type, default) in the type of the variable",
    "list": "write [a, b], or tolist([a, b])",
    "map": "write {a = b}, or tomap({a = b})",
    "pathexpand": "a home folder belongs to one machine, and would make results differ from one to another",
    "rsadecrypt": 'secrets are referred to (secrets = { NAME = "env:NAME" }), and never decrypted by a plan',
    "uuid": "its result differs each time, so that every plan would differ from the one before; uuidv5() does not",
}
"""The functions of Terraform that are not here, each with the reason or what to write instead."""
