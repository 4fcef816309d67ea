"""Keeps what files say between commands, by their content, so that plan reads only what changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from zenctl.digests import sha256_bytes
from zenctl.fingerprint.data import replace_file
from zenctl.fingerprint.definitions.facts import (
    Binding,
    Body,
    Call,
    ClassFacts,
    Entry,
    FileFacts,
    FunctionFacts,
    Import,
    Later,
    Uses,
)

MAX_ENTRIES = 10_000
"""Most files that are kept; beyond it only those of the last command are."""

Read = Callable[[bytes], "FileFacts | None"]
ReadBody = Callable[[str, int], Body]


class FactsCache:
    """Remembers the facts of Python files in one file; losing it, or damage to it, costs only time.

    Its first line names the code that made it: a version that reads otherwise does not take it. Of functions that were
    not reached only the heads are kept. Nothing is written before `save`.
    """

    def __init__(self, path: Path, read: Read) -> None:
        """`read` gives the facts of a content that is not known yet."""
        self._path = path
        self._read = read
        self._lines: dict[str, bytes] | None = None
        self._used: dict[str, FileFacts | None] = {}
        # What was read anew, with how many bodies of its functions were known when it was last written.
        self._anew: dict[str, int] = {}

    def facts(self, data: bytes) -> FileFacts | None:
        """What a file with this content says, None if it is not Python."""
        key = sha256_bytes(data)
        if key not in self._used:
            self._used[key] = self._find(key, data)
        return self._used[key]

    def save(self) -> None:
        """Write the cache, whole or not at all; a folder that cannot be written to is left alone."""
        known = {key: _known_bodies(self._used[key]) for key in self._anew}
        if known == self._anew:
            return
        new = {key: _line(self._used[key]) for key, count in known.items() if count != self._anew[key]}
        kept = {**(self._lines or {}), **new}
        if len(kept) > MAX_ENTRIES:
            kept = {key: line for key, line in kept.items() if key in self._used}
        lines = [_header(), *(b"%s %s" % (key.encode(), line) for key, line in kept.items())]
        try:
            replace_file(self._path, b"\n".join(lines) + b"\n")
        except OSError:
            # Plan must work in a read-only checkout.
            return
        self._lines, self._anew = kept, known

    def _find(self, key: str, data: bytes) -> FileFacts | None:
        if self._lines is None:
            self._lines = _load(self._path)
        line = self._lines.get(key)
        if line is not None:
            try:
                return from_json(json.loads(line), lambda name, index: self._body(key, data, name, index))
            except (ValueError, TypeError, KeyError, IndexError):
                # Damaged: it is read anew.
                self._lines.pop(key)
        found = self._read(data)
        if found is not None:
            self._anew[key] = -1
        return found

    def _body(self, key: str, data: bytes, name: str, index: int) -> Body:
        """Read a function that was not reached before, or what is kept of it is damaged."""
        self._anew[key] = -1
        facts = self._read(data)
        assert facts is not None, "it was read before"
        return facts.functions[name][index].body.get()


class _StoredBody(Later[Body]):
    """A body with the text that is kept of it, None if it was never read."""

    __slots__ = ("text",)

    def __init__(self, text: str | None, make: Callable[[], Body]) -> None:
        super().__init__(make)
        self.text = text


def to_json(facts: FileFacts) -> list[Any]:
    """Facts as plain lists; of functions whose bodies were not asked for without these."""
    return [
        [_fields(entry)[:-1] for entry in facts.entries],
        _bindings_to_json(facts.bindings),
        [[[*_fields(f)[:-1], _body_to_json(f.body)] for f in found] for found in facts.functions.values()],
        [[_fields(c) for c in found] for found in facts.classes.values()],
        _uses_to_json(facts.top),
        _uses_to_json(facts.main) if facts.main is not None else None,
        [_fields(star) for star in facts.stars],
        facts.exports,
    ]


def from_json(raw: list[Any], read: ReadBody) -> FileFacts:
    """The reverse. Raises TypeError, ValueError, KeyError or IndexError for what `to_json` did not write.

    `read` gives bodies that are missing or damaged, by the function's name and its number among those of this name.
    """
    entries, bindings, functions, classes, top, main, stars, exports = raw
    made = [tuple(_function(item, index, read) for index, item in enumerate(found)) for found in functions]
    kinds = [tuple(_class(item) for item in found) for found in classes]
    by_name = {found[0].name: found for found in made}
    bodies = {name: [function.body for function in reversed(found)] for name, found in by_name.items()}
    return FileFacts(
        entries=tuple(_entry(item, bodies) for item in entries),
        bindings=_bindings(bindings),
        functions=by_name,
        classes={found[0].name: found for found in kinds},
        top=_uses(top),
        main=_uses(main) if main is not None else None,
        stars=tuple(_import(item) for item in stars),
        exports=tuple(exports) if exports is not None else None,
    )


def _fields(item: Any) -> list[Any]:
    return [getattr(item, name) for name in item.__dataclass_fields__]


def _uses_to_json(uses: Uses) -> list[Any]:
    return [
        [[*chain, line] for chain, line in uses.chains.items()],
        dict(uses.attributes),
        [[*chain, line] for chain, line in uses.stores.items()],
        uses.words,
        [_fields(item) for item in uses.imports],
        _bindings_to_json(uses.bindings),
        [_fields(call) for call in uses.calls],
        sorted(uses.marks),
        uses.literals,
        uses.flows,
    ]


def _uses(raw: list[Any]) -> Uses:
    chains, attributes, stores, words, imports, bindings, calls, marks, literals, flows = raw
    return Uses(
        chains={tuple(item[:-1]): item[-1] for item in chains},
        attributes=dict(attributes),
        stores={tuple(item[:-1]): item[-1] for item in stores},
        words=tuple(words),
        imports=tuple(_import(item) for item in imports),
        bindings=_bindings(bindings),
        calls=tuple(Call(tuple(item[0]), item[1], tuple(item[2]), *item[3:]) for item in calls),
        marks=frozenset(marks),
        literals=tuple((text, line) for text, line in literals),
        flows=tuple((atom, place) for atom, place in flows),
    )


def _bindings_to_json(bindings: Mapping[str, tuple[Binding, ...]]) -> dict[str, list[Any]]:
    return {name: [_fields(binding) for binding in found] for name, found in bindings.items()}


def _bindings(raw: Mapping[str, list[Any]]) -> dict[str, tuple[Binding, ...]]:
    return {name: tuple(Binding(*item) for item in found) for name, found in raw.items()}


def _entry(raw: list[Any], bodies: Mapping[str, list[Later[Body]]]) -> Entry:
    """`bodies` are those of the functions that no entry was made for yet, in reverse order."""
    kind, key, digest, docs, hints, head, names, module = raw
    body = bodies[key].pop() if kind == "function" else None
    return Entry(kind, key, digest, docs, hints, head, tuple(names), module, body)


def _import(raw: list[Any]) -> Import:
    return Import(raw[0], tuple(raw[1]), *raw[2:])


def _function(raw: list[Any], index: int, read: ReadBody) -> FunctionFacts:
    name, owner, kind, parameters, decorators, body = raw
    made = _StoredBody(body, partial(_body, body, name, index, read))
    return FunctionFacts(name, owner, kind, tuple(parameters), tuple(map(tuple, decorators)), made)


def _body_to_json(body: Later[Body]) -> str | None:
    """A text of its own, so that it need not be decoded where it is not asked for."""
    if isinstance(body, _StoredBody) and not body.is_made:
        return body.text
    if not body.is_made or body.get().too_deep:
        return None
    found = body.get()
    return _compact([found.digest, found.docs, found.hints, _uses_to_json(found.uses), found.hinted])


def _body(text: str | None, name: str, index: int, read: ReadBody) -> Body:
    if text is not None:
        try:
            digest, docs, hints, uses, hinted = json.loads(text)
            return Body(digest, docs, hints, _uses(uses), tuple(map(tuple, hinted)))
        except (ValueError, TypeError, KeyError, IndexError):
            # Damaged: it is read anew.
            pass
    return read(name, index)


def _known_bodies(facts: FileFacts | None) -> int:
    """Of how many functions the bodies are known without reading them."""
    every = [f.body for found in facts.functions.values() for f in found] if facts is not None else []
    return sum(body.is_made or (isinstance(body, _StoredBody) and body.text is not None) for body in every)


def _line(facts: FileFacts | None) -> bytes:
    assert facts is not None, "only facts are read anew"
    return _compact(to_json(facts)).encode("utf-8", "surrogatepass")


def _compact(raw: list[Any]) -> str:
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False)


def _class(raw: list[Any]) -> ClassFacts:
    name, bases, decorators, keywords, methods, inner, fields, metaclass = raw
    chains = tuple(map(tuple, bases)), tuple(map(tuple, decorators))
    made = tuple(metaclass) if metaclass is not None else None
    return ClassFacts(name, *chains, keywords, tuple(methods), tuple(inner), tuple(fields), made)


@lru_cache(maxsize=1)
def _header() -> bytes:
    """Names the code that reads definitions, by its bytes, and the Python whose standard library it knows."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), here.parent / "canonical.py", here.parent / "parsing.py"]
    digest = sha256_bytes(b"\0".join(path.read_bytes() for path in sources))
    return f"zenctl definitions {sys.version_info[0]}.{sys.version_info[1]} {digest}".encode()


def _load(path: Path) -> dict[str, bytes]:
    try:
        header, *lines = path.read_bytes().split(b"\n")
    except OSError:
        return {}
    if header != _header():
        return {}
    return {line[:64].decode("ascii", "replace"): line[65:] for line in lines if line}
