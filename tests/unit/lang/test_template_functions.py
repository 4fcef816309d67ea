"""templatefile and templatestring: variables, marks and unknowns, and errors at their place in the template."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lang.file_readers import module_files
from zenctl.cli.views.diagnostics import Group, Sources, render
from zenctl.cli.views.style import Style
from zenctl.lang import EvalResult, Sensitive, Unknown, evaluate
from zenctl.lang.functions.library import standard_library
from zenctl.lang.functions.templates import MAX_TEMPLATE

TEMPLATES = {
    "hello.tftpl": "Hello ${name}!",
    "list.tftpl": "%{ for x in xs ~}\n- ${upper(x)}\n%{ endfor ~}\n",
    "json.tftpl": "${jsonencode({a = n})}",
    "number.tftpl": "${n + 1}",
    "nested.tftpl": 'x ${templatefile("hello.tftpl", {name = "x"})}',
    "core.tftpl": '${core::templatestring("x", {})}',
    "reads.tftpl": '${file("hello.tftpl")}',
    "syntax.tftpl": "line one\nline ${two\n",
    "type.tftpl": "one\n  ${xs} two\n",
    "typo.tftpl": "%{ if false }${nmae}%{ endif }ok",
    "secret.tftpl": "${tonumber(password)}",
    "maybe.tftpl": "%{ if yes }${password}%{ else }open%{ endif }",
}


def run(source: str, variables: dict[str, Any] | None = None, prefix: str = "") -> EvalResult:
    contents = {name: text.encode() for name, text in TEMPLATES.items()}
    contents |= {"latin.tftpl": b"caf\xe9", "long.tftpl": b" " * (MAX_TEMPLATE + 1)}
    return evaluate(source, variables, functions=standard_library(module_files(contents, prefix=prefix)))


RESULTS: list[tuple[str, Any]] = [
    ('templatefile("hello.tftpl", {name = "Ada"})', "Hello Ada!"),
    ('templatefile("./hello.tftpl", tomap({name = "Ada", unused = "x"}))', "Hello Ada!"),
    ('templatefile("list.tftpl", {xs = ["a", "b"]})', "- A\n- B\n"),
    ('templatefile("json.tftpl", {n = 1.50})', '{"a":1.5}'),
    ('templatefile("number.tftpl", {n = 1})', 2),
    ('templatefile("reads.tftpl", {})', "Hello ${name}!"),
    ('templatefile("hello.tftpl", {name = later})', Unknown("string")),
    ("templatefile(later, {})", Unknown("any")),
    ('templatefile("hello.tftpl", any)', Unknown("any")),
    ('templatefile("hello.tftpl", {name = password})', Sensitive("Hello s3cret!")),
    ('templatefile("maybe.tftpl", {yes = false, password = "x", other = password})', "open"),
    ('templatefile("hello.tftpl", hidden)', Sensitive("Hello s3cret!")),
    ('templatefile(sensitive("hello.tftpl"), {name = "x"})', Sensitive("Hello x!")),
    ('[for name in ["a", "b"]: templatefile("hello.tftpl", {name = name})]', ["Hello a!", "Hello b!"]),
    ('templatestring("$${x}-%%{ if x > 1 }big%%{ endif }", {x = 5})', "5-big"),
    ("templatestring(text, {name = 1})", "Hello 1!"),
    ("templatestring(password, {})", Sensitive("s3cret")),
]
VARIABLES: dict[str, Any] = {
    "later": Unknown("string"),
    "any": Unknown("any"),
    "password": Sensitive("s3cret"),
    "hidden": Sensitive({"name": "s3cret"}),
    "text": "Hello ${name}!",
}


@pytest.mark.parametrize(("source", "wanted"), RESULTS, ids=[source for source, _ in RESULTS])
def test_results(source: str, wanted: Any) -> None:
    result = run(source, VARIABLES)
    assert [str(problem) for problem in result.diagnostics] == []
    assert result.value == wanted


IN_THE_FILE = [
    ('templatefile("syntax.tftpl", {})', "syntax.tftpl:2:6", "closing brace"),
    ('templatefile("type.tftpl", {xs = [1]})', "type.tftpl:2:5", "this is a list"),
    ('templatefile("hello.tftpl", {name = null})', "hello.tftpl:1:9", "null"),
    ('templatefile("hello.tftpl", {nmae = 1})', "hello.tftpl:1:9", 'Did you mean "nmae"? It is given nmae.'),
    ('templatefile("hello.tftpl", {})', "hello.tftpl:1:9", 'No variable "name" is given to the template.'),
    ('templatefile("typo.tftpl", {name = 1})', "typo.tftpl:1:16", 'Did you mean "name"?'),
    ('templatefile("nested.tftpl", {})', "nested.tftpl:1:5", "templates do not nest"),
    ('templatefile("core.tftpl", {})', "core.tftpl:1:3", "templates do not nest"),
]


@pytest.mark.parametrize(("source", "place", "told"), IN_THE_FILE, ids=[source for source, _, _ in IN_THE_FILE])
def test_errors_point_into_the_template_s_file(source: str, place: str, told: str) -> None:
    [problem] = run(f"[{source}]").diagnostics
    assert (str(problem.range), told in problem.detail) == (place, True), problem
    assert problem.detail.endswith("templatefile is called for it at <input>:1:2.")
    [problem] = run(source, prefix="modules/eu/").diagnostics
    assert str(problem.range) == f"modules/eu/{place}"


AT_THE_CALL = [
    ('templatefile("nope.tftpl", {})', "1:14", "There is no such file"),
    ('templatefile("latin.tftpl", {})', "1:14", "not text in UTF-8: byte 0xe9 on line 1"),
    ('templatefile("long.tftpl", {})', "1:14", "characters at most"),
    ('templatefile("hello.tftpl", [])', "1:29", "as an object, not as a list"),
    ('templatefile("hello.tftpl", null)', "1:29", "must not be null"),
    ('templatefile("hello.tftpl", {"a b" = 1, name = 1})', "1:29", '"a b" is no identifier'),
    ('templatestring("a\\n  $${", {})', "1:16", "line 2, column 5 of the template"),
    ('templatestring("$${x}", {})', "1:16", 'line 1, column 3 of the template: No variable "x"'),
]


@pytest.mark.parametrize(("source", "place", "told"), AT_THE_CALL, ids=[source for source, _, _ in AT_THE_CALL])
def test_errors_of_the_call(source: str, place: str, told: str) -> None:
    [problem] = run(source).diagnostics
    assert (str(problem.range), told in problem.detail) == (f"<input>:{place}", True), problem


@pytest.mark.parametrize(
    "source",
    [
        'templatefile("secret.tftpl", {password = password})',
        'templatefile("hello.tftpl", hidden2)',
        'templatefile("hello.tftpl", hidden3)',
        'templatestring(sensitive("$${s3cret"), {})',
        'templatestring(sensitive("$${s3cret}"), {})',
        'templatefile(sensitive("s3cret/x"), {})',
    ],
)
def test_no_error_tells_a_secret(source: str) -> None:
    result = run(source, {**VARIABLES, "hidden2": Sensitive({"s3cret": 1}), "hidden3": Sensitive({"s3cret x": 1})})
    assert not result.ok
    assert all("s3cret" not in str(problem) for problem in result.diagnostics)


def test_try_sees_errors_in_templates() -> None:
    assert run('try(templatefile("hello.tftpl", {}), "none")').value == "none"
    assert run('can(templatefile("hello.tftpl", {}))').value is False


def test_the_view_shows_the_line_of_the_template() -> None:
    files = module_files({"type.tftpl": TEMPLATES["type.tftpl"].encode()}, prefix="modules/eu/")
    [problem] = evaluate('templatefile("type.tftpl", {xs = [1]})', functions=standard_library(files)).diagnostics
    shown = render(Group(problem), Sources(files.texts), Style(False), 100)
    assert "on modules/eu/type.tftpl:2:5" in shown
    assert "2 │   ${xs} two\n      │     ^^" in shown
