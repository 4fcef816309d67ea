"""Whatever the text, the language answers with diagnostics, and what it reads it reads whole."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from zenctl.lang import evaluate, parse, references
from zenctl.lang.quoting import quote
from zenctl.lang.scanner import Mode, scan

PIECES = [
    *'"{}[]()~=,?:.*+-/%!<>&|$#\\ \n',
    "${", "%{", "$${", "%%{", "~}", "=>", "...", "==", "&&", "[*]", ".*", "::",
    "//", "/*", "*/", "<<EOT\n", "<<-E\n", "\nEOT\n", "\n  E\n",
    "a", "b.c", "x", "é", "𝒜", "0", "1.5", "1e3", "true", "null", "for ", " in ", "if ", "else", "endif", "endfor",
    'a = 1\n', 'b "l" {\n', "\n}\n", '"s"', '"${x}"', "[for x in y : x]", "f(x)", "c ? d : e", "\t",
]  # fmt: skip
EXAMPLES = settings.default.max_examples if settings.default else 100
soup = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
anything = st.text(max_size=60) | soup


@given(anything)
@settings(max_examples=4 * EXAMPLES)
@example("\ud800")
@example('a = "\\ud800"')
@example("<<A\n${<<A\nA\n}\nA\n")
@example('"${"\n"}"')
def test_hcl_never_raises(text: str) -> None:
    for mode in ("config", "expression", "template"):
        result = parse(text, mode=mode)
        for problem in result.diagnostics:
            assert problem.range is not None
            assert problem.range.start <= problem.range.end
        assert (result.expression is not None) == (mode != "config" and result.ok)
    for mode in ("expression", "template"):
        evaluate(text, {"a": 1, "x": [1, "b"], "y": {"k": None}, "b": {"c": "d"}}, mode=mode)
    references(text, mode="config")


@given(anything)
@settings(max_examples=3 * EXAMPLES)
def test_yaml_never_raises(text: str) -> None:
    parse(text, syntax="yaml")
    evaluate(text, {"a": 1}, syntax="yaml")
    evaluate(f"k: |\n  {text}", {"a": 1}, syntax="yaml")


@given(anything)
@settings(max_examples=3 * EXAMPLES)
def test_tokens_cover_the_text_in_order(text: str) -> None:
    for mode in Mode:
        tokens = scan(text, mode, comments=True)
        end = 0
        for kind, start, stop in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
            assert end <= start <= stop <= len(text)
            assert mode is Mode.TEMPLATE or set(text[end:start]) <= set(" \t\r"), (kind, text[end:start])
            end = stop
        assert end == len(text)
        assert tokens.kinds[-1] == "eof"
        assert "eof" not in tokens.kinds[:-1]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50) | soup)
def test_quoted_texts_come_back(text: str) -> None:
    import unicodedata

    result = evaluate(quote(text))
    assert [str(p) for p in result.diagnostics] == []
    assert result.value == unicodedata.normalize("NFC", text)


@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20))
def test_arithmetic_is_exact(a: int, b: int) -> None:
    variables = {"a": a, "b": b}
    assert evaluate("a + b", variables).value == a + b
    assert evaluate("a - b", variables).value == a - b
    assert evaluate("a * b", variables).value == a * b
    assert evaluate("a < b", variables).value == (a < b)
    assert evaluate("[a == b, a != b]", variables).value == [a == b, a != b]
    if b:
        assert evaluate("a % b", variables).value == (abs(a) % abs(b)) * (1 if a >= 0 else -1)
        assert evaluate("(a * b) / b", variables).value == a
