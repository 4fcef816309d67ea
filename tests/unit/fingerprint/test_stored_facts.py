"""What files say is kept between commands: all of it comes back, and damage to the cache costs only time."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest

from tests.staleness.corpus import read_cases
from zenctl.fingerprint.code import closure, read_facts
from zenctl.fingerprint.definitions import stored
from zenctl.fingerprint.definitions.facts import Body, FileFacts
from zenctl.fingerprint.definitions.stored import FactsCache, from_json, to_json
from zenctl.fingerprint.source import WorkingTree

SOURCE = b"import os\nclass A(dict):\n    def f(self, x: int = 1): return getattr(self, 'a')(os.sep)\n"


def texts() -> list[bytes]:
    library = sorted(Path(sysconfig.get_path("stdlib")).glob("[a-d]*.py"))
    corpus = [text.encode() for case in read_cases().values() for text in case.before.values()]
    return [*(path.read_bytes() for path in library), *corpus]


def whole(facts: FileFacts | None) -> FileFacts | None:
    """The facts with every body read."""
    for functions in facts.functions.values() if facts is not None else ():
        for function in functions:
            function.body.get()
    return facts


def none_missing(name: str, index: int) -> Body:
    pytest.fail(f"the body of {name} is missing")


def test_all_that_a_file_says_comes_back() -> None:
    count = 0
    for data in texts():
        facts = whole(read_facts(data))
        if facts is not None:
            count += 1
            assert from_json(json.loads(json.dumps(to_json(facts))), none_missing) == facts
    assert count > 300


class Reads:
    """Reads files, each time anew."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, data: bytes) -> FileFacts | None:
        self.count += 1
        return read_facts.__wrapped__(data)


def test_what_was_read_once_is_not_read_by_the_next_command(tmp_path: Path) -> None:
    path, reads = tmp_path / "cache" / "definitions.txt", Reads()
    first = FactsCache(path, reads)
    assert whole(first.facts(SOURCE)) is first.facts(SOURCE)
    assert first.facts(b"x = (") is None
    first.save()
    assert reads.count == 2
    again = FactsCache(path, reads)
    assert again.facts(SOURCE) == read_facts(SOURCE)
    assert reads.count == 2
    assert again.facts(b"y = 1") == read_facts(b"y = 1")
    again.save()
    assert FactsCache(path, reads).facts(SOURCE) == read_facts(SOURCE)
    assert reads.count == 3


def test_bodies_of_functions_are_kept_from_when_they_are_asked_for(tmp_path: Path) -> None:
    path, reads = tmp_path / "definitions.txt", Reads()
    source = b"def f(): return one()\ndef g(): return two()\ndef f(): return three()\n"
    for number, (name, index) in enumerate([("f", 1), ("g", 0), ("f", 0)]):
        cache = FactsCache(path, reads)
        facts = cache.facts(source)
        assert facts is not None
        assert reads.count == max(number, 1)
        assert facts.functions[name][index].uses == read_facts(source).functions[name][index].uses
        cache.save()
        kept = path.read_bytes()
        assert [word in kept for word in (b"three", b"two", b"one")] == [True, number >= 1, number >= 2]
    assert FactsCache(path, reads).facts(source) == read_facts(source)
    assert reads.count == 3


@pytest.mark.parametrize("damage", [b"[]", b"{}", b"null", b"nul\\l"])
def test_a_damaged_body_is_read_anew(damage: bytes, tmp_path: Path) -> None:
    path, reads = tmp_path / "definitions.txt", Reads()
    first = FactsCache(path, reads)
    whole(first.facts(SOURCE))
    first.save()
    whole_cache = path.read_bytes()
    start = whole_cache.index(b'"[\\"') + 1
    end = whole_cache.index(b']"', start) + 1
    path.write_bytes(whole_cache[:start] + damage + whole_cache[end:])
    again = FactsCache(path, reads)
    assert again.facts(SOURCE) == read_facts(SOURCE)
    again.save()
    assert path.read_bytes() == whole_cache


@pytest.mark.parametrize("damage", [b"", b"[1, 2]", b"[[], {}, [], [], [], null, [], []]", b"{", b"\xff\xfe"])
def test_a_damaged_line_is_read_anew(damage: bytes, tmp_path: Path) -> None:
    path, reads = tmp_path / "definitions.txt", Reads()
    first = FactsCache(path, reads)
    whole(first.facts(SOURCE))
    first.save()
    header, line, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([header, line[:65] + damage, b""]))
    again = FactsCache(path, reads)
    assert again.facts(SOURCE) == read_facts(SOURCE)
    again.save()
    assert path.read_bytes() == header + b"\n" + line + b"\n"


def test_another_version_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reads = tmp_path / "definitions.txt", Reads()
    cache = FactsCache(path, reads)
    cache.facts(SOURCE)
    cache.save()
    monkeypatch.setattr(stored, "_header", lambda: b"zenctl definitions of another code")
    FactsCache(path, reads).facts(SOURCE)
    assert reads.count == 2


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FactsCache(tmp_path / "file" / "definitions.txt", read_facts)
    cache.facts(SOURCE)
    cache.save()
    assert cache.facts(SOURCE) == read_facts(SOURCE)


def test_what_is_not_used_any_more_goes_when_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "definitions.txt"
    for number in range(3):
        cache = FactsCache(path, read_facts)
        cache.facts(b"x = %d" % number)
        cache.save()
    assert path.read_bytes().count(b"\n") == 4
    monkeypatch.setattr(stored, "MAX_ENTRIES", 2)
    cache = FactsCache(path, read_facts)
    cache.facts(b"x = 2")
    cache.facts(b"x = 9")
    cache.save()
    assert path.read_bytes().count(b"\n") == 3


def test_a_closure_is_the_same_with_it_and_without(tmp_path: Path) -> None:
    project = Path(__file__).parents[2] / "staleness" / "projects" / "trainer"
    plain, _ = closure(WorkingTree(project), "steps/fit.py", "fit")
    for _ in range(2):
        cache = FactsCache(tmp_path / "definitions.txt", read_facts)
        found, _ = closure(WorkingTree(project), "steps/fit.py", "fit", (), cache.facts)
        cache.save()
        assert found == plain
