"""What the parser accepts, what it refuses and how it tells, and that every node knows its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from zenctl.diagnostics import SourceRange
from zenctl.lang.parser import parse_config, parse_expression, parse_template
from zenctl.lang.syntax import (
    Binary,
    Body,
    Call,
    Conditional,
    For,
    GetAttr,
    Index,
    Literal,
    Node,
    ObjectExpr,
    Parentheses,
    Splat,
    SplatItem,
    Template,
    TemplateFor,
    TemplateIf,
    TemplateWrap,
    TupleExpr,
    Unary,
    Variable,
)


def shape(node: Any) -> Any:
    """A tree without places, short enough to be written in a test."""
    match node:
        case Literal(value=value):
            return value if isinstance(value, (str, bool, type(None))) else int(value)
        case Variable(name=name):
            return f"<{name}>"
        case GetAttr(source=source, name=name):
            return ("get", shape(source), name)
        case Index(source=source, key=key):
            return ("index", shape(source), shape(key))
        case SplatItem():
            return "*"
        case Splat(source=source, each=each):
            return ("splat", shape(source), shape(each))
        case Call(name=name, arguments=arguments, expand=expand):
            return ("call", name, [shape(a) for a in arguments], *(["..."] if expand else []))
        case Conditional(condition=a, then=b, otherwise=c):
            return ("if", shape(a), shape(b), shape(c))
        case Binary(operator=operator, left=left, right=right):
            return (operator, shape(left), shape(right))
        case Unary(operator=operator, operand=operand):
            return (operator, shape(operand))
        case Parentheses(expression=inner):
            return ("()", shape(inner))
        case TupleExpr(items=items):
            return [shape(item) for item in items]
        case ObjectExpr(items=items):
            return {str(shape(item.key)): shape(item.value) for item in items}
        case TemplateWrap(expression=inner):
            return ("wrap", shape(inner))
        case Template(parts=parts):
            return ("template", *(shape(part) for part in parts))
        case TemplateIf(condition=a, then=b, otherwise=c):
            return ("%if", shape(a), shape(b), *([shape(c)] if c else []))
        case TemplateFor(key=key, value=value, collection=collection, body=body):
            return ("%for", key, value, shape(collection), shape(body))
        case For():
            parts = [node.key, node.value, shape(node.collection), shape(node.value_result)]
            parts += [shape(node.key_result)] if node.key_result else []
            parts += ["..."] if node.group else []
            return ("for", *parts, *([("only", shape(node.condition))] if node.condition else []))
    raise AssertionError(node)


EXPRESSIONS = [
    ("1 + 2 * 3", ("+", 1, ("*", 2, 3))),
    ("1 - 2 - 3", ("-", ("-", 1, 2), 3)),
    (
        "a || b && c == d < e + f * g",
        ("||", "<a>", ("&&", "<b>", ("==", "<c>", ("<", "<d>", ("+", "<e>", ("*", "<f>", "<g>")))))),
    ),
    (
        "a * b + c < d == e && f || g",
        ("||", ("&&", ("==", ("<", ("+", ("*", "<a>", "<b>"), "<c>"), "<d>"), "<e>"), "<f>"), "<g>"),
    ),
    ("1.e3", 1000),
    ("10-12", ("-", 10, 12)),
    ("x -1", ("-", "<x>", 1)),
    ("!!x", ("!", ("!", "<x>"))),
    ("-!x", ("-", ("!", "<x>"))),
    ("-x.a + 1", ("+", ("-", ("get", "<x>", "a")), 1)),
    ("a ? b : c ? d : e", ("if", "<a>", "<b>", ("if", "<c>", "<d>", "<e>"))),
    ("a ? b ? c : d : e", ("if", "<a>", ("if", "<b>", "<c>", "<d>"), "<e>")),
    ("(a)", ("()", "<a>")),
    ("true", True),
    ("null", None),
    ("nullish", "<nullish>"),
    ("a.b[0].c", ("get", ("index", ("get", "<a>", "b"), 0), "c")),
    ("a.0.b", ("get", ("index", "<a>", 0), "b")),
    ('a["k"][b.c]', ("index", ("index", "<a>", "k"), ("get", "<b>", "c"))),
    ("a.*.b.0[1]", ("index", ("splat", "<a>", ("index", ("get", "*", "b"), 0)), 1)),
    ("a[*].b[0].c", ("splat", "<a>", ("get", ("index", ("get", "*", "b"), 0), "c"))),
    ("a[*].b[*].c", ("splat", "<a>", ("splat", ("get", "*", "b"), ("get", "*", "c")))),
    ("f()", ("call", "f", [])),
    ("f(a, b,)", ("call", "f", ["<a>", "<b>"])),
    ("f(a...)", ("call", "f", ["<a>"], "...")),
    ("ns::sub::f(1)", ("call", "ns::sub::f", [1])),
    ("f(\n a,\n b\n)", ("call", "f", ["<a>", "<b>"])),
    ("[]", []),
    ("[1, 2,]", [1, 2]),
    ("[\n1,\n# two\n2\n]", [1, 2]),
    ("{}", {}),
    ("{a = 1, b : 2\n c = 3\n}", {"a": 1, "b": 2, "c": 3}),
    ("{null = 1, true = 2}", {"null": 1, "true": 2}),
    ('{"a b" = 1, (x) = 2}', {"a b": 1, "('()', '<x>')": 2}),
    ("[for x in xs : x]", ("for", "", "x", "<xs>", "<x>")),
    ("[for i, x in xs : x if i > 0]", ("for", "i", "x", "<xs>", "<x>", ("only", (">", "<i>", 0)))),
    ("{for k, v in m : k => v...}", ("for", "k", "v", "<m>", "<v>", "<k>", "...")),
    ("{\nfor k, v in m :\nk => v\n}", ("for", "k", "v", "<m>", "<v>", "<k>")),
    ("a /* c */ + /* d */ b # e", ("+", "<a>", "<b>")),
    ("ünï_x-y", "<ünï_x-y>"),
    ('"plain"', "plain"),
    ('""', ""),
    (r'"a\n\t\"\\é\U0001F600"', 'a\n\t"\\é😀'),
    ('"${x}"', ("wrap", "<x>")),
    ('"a${x}b"', ("template", "a", "<x>", "b")),
    ('"$${x} %%{if} $ % $$ $$$ {"', "${x} %{if} $ % $$ $$$ {"),
    ('"$$${x}"', "$${x}"),
    ('"a $${ b ${c} }"', ("template", "a ${ b ", "<c>", " }")),
    ('"${"${"deep"}"}"', ("wrap", ("wrap", "deep"))),
    ('"a ${~ x ~} b"', ("template", "a", "<x>", "b")),
    ('"%{ if x }a%{ else }b%{ endif }"', ("template", ("%if", "<x>", ("template", "a"), ("template", "b")))),
    ('"%{ if x ~} a %{~ endif }"', ("template", ("%if", "<x>", ("template", "a")))),
    ('"%{ for k, v in m }${k}%{ endfor }"', ("template", ("%for", "k", "v", "<m>", ("template", "<k>")))),
    ('"${ # comment\n x }"', ("wrap", "<x>")),
    ("<<EOT\na\n  b\nEOT\n", "a\n  b\n"),
    ("<<-EOT\n    a\n      b\n\n    c\n  EOT\n", "a\n  b\n\nc\n"),
    ("<<EOT\nEOT\n", ""),
    ("<<EOT\n  EOT x\nEOT  \n", "  EOT x\n"),
    ('<<EOT\n${x}\n\\n"\nEOT\n', ("template", "<x>", '\n\\n"\n')),
    ("<<-EOT\n  ${x}\n    b\n  EOT\n", ("template", "<x>", "\n  b\n")),
    (
        "<<E\n%{ for x in xs ~}\n  ${x}\n%{ endfor ~}\nE\n",
        ("template", ("%for", "", "x", "<xs>", ("template", "", "  ", "<x>", "\n")), ""),
    ),
]


def merged(tree: Any) -> Any:
    """Neighbouring texts joined, so that a test need not know how they were cut."""
    if not isinstance(tree, tuple):
        return tree
    if not tree or tree[0] != "template":
        return tuple(merged(part) for part in tree)
    parts: list[Any] = []
    for part in tree[1:]:
        text = isinstance(part, str) and not part.startswith("<")
        if text and parts and isinstance(parts[-1], str) and not parts[-1].startswith("<"):
            parts[-1] += part
        elif part != "":
            parts.append(merged(part))
    return ("template", *parts)


@pytest.mark.parametrize(("text", "wanted"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_expression_trees(text: str, wanted: Any) -> None:
    tree, problems = parse_expression(text, "e")
    assert problems == []
    assert merged(shape(tree)) == merged(wanted)


REFUSED = [
    ("1 +", "missing_expression", "1:4"),
    ("", "missing_expression", "1:1"),
    ("1 2", "extra_characters", "1:3"),
    ("(1", "missing_parenthesis", "1:3"),
    ("f(1", "missing_parenthesis", "1:2"),
    ("f(1 2)", "missing_comma", "1:5"),
    ("f(xs..., 1)", "missing_parenthesis", "1:8"),
    ("ns::f", "missing_parenthesis", "1:6"),
    ("[1 2]", "missing_comma", "1:4"),
    ("[1", "missing_bracket", "1:1"),
    ("{a}", "missing_value", "1:3"),
    ("{a b = 1}", "missing_equals", "1:4"),
    ("{a = 1 b = 2}", "missing_comma", "1:8"),
    ("{a = 1", "missing_bracket", "1:1"),
    ("{for = 1}", "invalid_for", "1:6"),
    ("[for x xs : x]", "invalid_for", "1:8"),
    ("[for x in xs x]", "invalid_for", "1:14"),
    ("[for x in xs : x => x]", "invalid_for", "1:18"),
    ("{for x in xs : x}", "invalid_for", "1:17"),
    ("a ? b", "missing_false_expression", "1:6"),
    ("a.", "missing_attribute_name", "1:3"),
    ("a.0.1", "invalid_index", "1:3"),
    ("a.*.*", "missing_attribute_name", "1:5"),
    ("a[0", "missing_bracket", "1:4"),
    ("1.5.2", "invalid_number", "1:1"),
    ("1e999999999", "invalid_number", "1:1"),
    ("'x'", "invalid_character", "1:1"),
    ("a & b", "invalid_character", "1:3"),
    ("“x”", "invalid_character", "1:1"),
    ("a\u00a0+ b", "invalid_character", "1:2"),
    ("/* a", "unclosed_comment", "1:1"),
    ('"abc', "unclosed_string", "1:5"),
    ('"abc\n"', "unclosed_string", "1:5"),
    (r'"\q"', "invalid_escape", "1:2"),
    (r'"\${x}"', "invalid_escape", "1:2"),
    (r'"a\u00e"', "invalid_escape", "1:3"),
    (r'"\U00300000"', "invalid_escape", "1:2"),
    (r'"x\ud83d"', "invalid_escape", "1:3"),
    (r'"\U0000DFFF"', "invalid_escape", "1:2"),
    ('"${x"', "unclosed_interpolation", "1:2"),
    ('"${x y}"', "extra_characters", "1:6"),
    ('"${}"', "missing_expression", "1:2"),
    ('"%{ esle }"', "invalid_directive", "1:5"),
    ('"%{ if x }a"', "unclosed_directive", "1:2"),
    ('"a%{ endif }"', "unexpected_directive", "1:3"),
    ('"%{ if x }%{ endfor }"', "unexpected_directive", "1:11"),
    ('"%{ if x }%{ else }%{ else }%{ endif }"', "unexpected_directive", "1:20"),
    ("<<EOT\nx", "unclosed_heredoc", "1:1"),
    ("<<EOT\nx\nEOT", "unclosed_heredoc", "1:1"),
    ("x" + ".a" * 300, "expression_too_long", "1:1"),
    ("[" * 101 + "]" * 101, "nested_too_deeply", "1:101"),
]


@pytest.mark.parametrize(("text", "code", "place"), REFUSED, ids=[text[:30] for text, _, _ in REFUSED])
def test_expressions_refused(text: str, code: str, place: str) -> None:
    tree, problems = parse_expression(text, "e")
    assert tree is None
    assert [(p.code, str(p.range)) for p in problems] == [(code, f"e:{place}")]
    assert problems[0].detail


def test_messages_say_what_to_do() -> None:
    def told(text: str) -> str:
        return parse_expression(text, "e")[1][0].detail

    assert 'Did you mean "else"?' in told('"%{ esle }"')
    assert "double quotes" in told("'x'")
    assert "&&" in told("a & b")
    assert "[0][1]" in told("a.0.1")
    assert "$${" in told(r'"\${x}"')
    assert "in quotes" in told("{a b = 1}")
    assert "no-break space" in told("a\u00a0+ b")


FILES_REFUSED = [
    ("a = 1 b = 2\n", ["1:7"]),
    ("a = 1,\n", ["1:6"]),
    ("a = 1\na = 2\n", ["2:1"]),
    ("b {} c = 1\n", ["1:6"]),
    ("b { x = 1\n}\n", ["1:10"]),
    ("b { c {} }\n", ["1:5"]),
    ("b { x = 1, y = 2 }\n", ["1:10"]),
    ("b\n{\n}\n", ["1:1"]),
    ('b "x" = 1\n', ["1:7"]),
    ('b "${x}" {\n}\n', ["1:4"]),
    ('"a" = 1\n', ["1:1"]),
    ("a = 1\n + 2\n", ["2:2"]),
    ("a: 1\n", ["1:1"]),
    ("}\na = 1\n", ["1:1"]),
    ("b {\n  c {\n", ["2:3"]),
    ("a = 'x'\nb = 2\nc = ]\n", ["1:5", "3:5"]),
]


@pytest.mark.parametrize(("text", "places"), FILES_REFUSED, ids=[text for text, _ in FILES_REFUSED])
def test_files_refused(text: str, places: list[str]) -> None:
    _, problems = parse_config(text, "f")
    assert [str(p.range) for p in problems] == [f"f:{place}" for place in places]


def test_a_file() -> None:
    text = '\ufeff# head\nstep "python" fit {\n  code = "x" // c\n  nested { a = 1 }\n  empty {}\n}\n\nlast = [1,\n2]'
    body, problems = parse_config(text, "f")
    assert problems == []
    assert list(body.attributes) == ["last"]
    (block,) = body.blocks
    assert (block.type, block.labels) == ("step", ("python", "fit"))
    assert list(block.body.attributes) == ["code"]
    assert [inner.type for inner in block.body.blocks] == ["nested", "empty"]
    assert str(block.range) == "f:2:1"
    assert block.range.end.line == 6
    assert block.range.start.byte == len("\ufeff# head\n".encode())
    assert str(block.header_range.end.column) == "18"


def test_all_errors_of_a_file_are_told_and_the_rest_is_kept() -> None:
    text = """
good = 1
bad = 1 +
step "a" "b" {
  fine = 2
  wrong = [1, 2
  also = "x${"
  kept = 3
}
other "x" {
  text = "never closed
  next = 4
}
end = 5
"""
    body, problems = parse_config(text, "f")
    assert [p.range.start.line for p in problems if p.range] == [3, 6, 7, 11]
    assert list(body.attributes) == ["good", "end"]
    assert [list(block.body.attributes) for block in body.blocks] == [["fine", "kept"], ["next"]]


def test_an_unclosed_block_is_told_once() -> None:
    _, problems = parse_config("a {\n b {\n  c {\n", "f")
    assert [(p.code, str(p.range)) for p in problems] == [("unclosed_block", "f:3:3")]


@pytest.mark.parametrize("item", ["a = ]\n", "a = 1\n", 'a = "\\q"\n', "}\n", "b {} ", "a = <<E\n${}\nE\n"])
def test_problems_are_limited(item: str) -> None:
    assert len(parse_config(item * 5000, "f")[1]) == 200
    assert len(parse_config('a = "' + "\\q" * 5000 + '"', "f")[1]) == 200


def nodes(node: Any) -> Iterator[Node]:
    if isinstance(node, Node):
        yield node
        for field in dataclasses.fields(node):
            yield from nodes(getattr(node, field.name))
    elif isinstance(node, (tuple, list)):
        for item in node:
            yield from nodes(item)
    elif isinstance(node, dict):
        yield from nodes(list(node.values()))


PLACES = """é = "ü ${a.b["ключ"]} ö" # ç
step "x" {
  doc = <<-EOT
    𝒜 ${ f(1, [for v in xs : v + 1]) }
    %{ if ok ~} yes %{ else } no %{ endif }
  EOT
  y = x[*].a.0 == -1 ? { k = (1) } : null
}
"""


def test_every_node_knows_its_place() -> None:
    body, problems = parse_config(PLACES, "f")
    assert problems == []
    lines = PLACES.split("\n")
    encoded = PLACES.encode()

    def text(range: SourceRange) -> str:
        for position in (range.start, range.end):
            before = "\n".join([*lines[: position.line - 1], lines[position.line - 1][: position.column - 1]])
            assert position.byte == len(before.encode())
        return encoded[range.start.byte : range.end.byte].decode()

    checked = 0
    for node in nodes(body):
        source = text(node.range)
        checked += 1
        if isinstance(node, Variable):
            assert source == node.name
        elif isinstance(node, GetAttr):
            assert source.endswith(node.name)
        elif isinstance(node, (Index, TupleExpr)):
            assert source.endswith(("]", "0"))
        elif isinstance(node, Call):
            assert source.startswith(node.name)
            assert source.endswith(")")
            assert text(node.name_range) == node.name
        elif isinstance(node, (TemplateIf, TemplateFor)):
            assert source.startswith("%{")
            assert source.endswith("}")
        elif isinstance(node, For):
            assert source == "[for v in xs : v + 1]"
        elif isinstance(node, Conditional):
            assert source == "x[*].a.0 == -1 ? { k = (1) } : null"
        elif isinstance(node, Body):
            assert source == PLACES or (source.startswith("{") and source.endswith("}"))
    assert checked > 30


def test_templates_on_their_own() -> None:
    tree, problems = parse_template('a "b" \\n ${x}', "t")
    assert problems == []
    assert shape(tree) == ("template", 'a "b" \\n ', "<x>")
    assert shape(parse_template("", "t")[0]) == ""
    assert shape(parse_template("${x}", "t")[0]) == ("wrap", "<x>")
    assert shape(parse_template("a $", "t")[0]) == "a $"


def test_an_expression_can_start_in_the_middle_of_a_file() -> None:
    from zenctl.diagnostics import Position

    tree, _ = parse_expression("a +\n b", "f", Position(7, 5, 100))
    assert isinstance(tree, Binary)
    assert tree.left.range.start == Position(7, 5, 100)
    assert tree.right.range.start == Position(8, 2, 105)


def test_what_no_file_can_hold() -> None:
    body, problems = parse_config('a = "x\ud800y"\n', "f")
    assert [p.code for p in problems] == ["invalid_character"]
    assert str(problems[0].range) == "f:1:7"
    assert list(body.attributes) == ["a"]
