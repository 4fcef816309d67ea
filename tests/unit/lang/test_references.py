"""What expressions refer to, and where."""

from __future__ import annotations

import pytest

from zenctl.lang import references

CASES: list[tuple[str, list[tuple[str | int, ...]]]] = [
    ("1", []),
    ("a", [("a",)]),
    ("a.b.c", [("a", "b", "c")]),
    ('step.split["p"].train', [("step", "split", "p", "train")]),
    ("xs[0].a", [("xs", 0, "a")]),
    ("xs.0.a", [("xs", 0, "a")]),
    ("a[b.c].d", [("a",), ("b", "c")]),
    ("a.b[*].c", [("a", "b")]),
    ("a.*.c[b]", [("a",), ("b",)]),
    ("f(a, b...)", [("a",), ("b",)]),
    ("f(a).b", [("a",)]),
    ("(a.b).c", [("a", "b")]),
    ("a ? b : c", [("a",), ("b",), ("c",)]),
    ("-a + !b * c", [("a",), ("b",), ("c",)]),
    ("[a, [b]]", [("a",), ("b",)]),
    ("{a = b, (c) = d, e : f}", [("b",), ("c",), ("d",), ("f",)]),
    ("{a.b = 1}", [("a", "b")]),
    ('"${a} %{ if b }${c}%{ else }${d}%{ endif }"', [("a",), ("b",), ("c",), ("d",)]),
    ('"%{ for k, v in a }${k}${v.x}${w}%{ endfor }"', [("a",), ("w",)]),
    ("[for k, v in a : k + v.x + b if c]", [("a",), ("b",), ("c",)]),
    ("{for v in v : v => v...}", [("v",)]),
    ("[for x in a : [for y in x : x + y + z]]", [("a",), ("z",)]),
    ("[for x in x : x]", [("x",)]),
    ("a.b + a.b", [("a", "b"), ("a", "b")]),
    ("broken +", []),
]


@pytest.mark.parametrize(("source", "wanted"), CASES, ids=[source for source, _ in CASES])
def test_references(source: str, wanted: list[tuple[str | int, ...]]) -> None:
    assert [reference.path for reference in references(source)] == wanted


def test_ranges_and_kinds() -> None:
    found = references("f(var.x[n].y)")
    assert [(str(r), r.range.start.column, r.range.end.column, r.dynamic) for r in found] == [
        ("var.x", 3, 8, True),
        ("n", 9, 10, False),
    ]
    assert [r.range.end.column for r in references('step.t["n"].out')] == [16]


def test_whole_files() -> None:
    found = references('a = x.y\nb "l" {\n  c = z\n  d { e = "${w}" }\n}\n', mode="config")
    assert [str(r) for r in found] == ["x.y", "z", "w"]
    assert [str(r) for r in references("${a.b} c", mode="template")] == ["a.b"]
