"""Formatting, case by case: what is written before, and what `zenctl fmt` makes of it."""

from __future__ import annotations

import pytest

import zenctl.lang
from zenctl.lang import format, parse
from zenctl.lang.format import format_config
from zenctl.lang.spacing import stand_apart
from zenctl.lang.syntax import same_meaning

LIKE_TERRAFORM = {
    # Spaces within a line.
    "equals sign": ("a=1\n", "a = 1\n"),
    "many spaces": ("a   =     1   \n", "a = 1\n"),
    "tabs": ("\ta\t=\t1\t\n", "a = 1\n"),
    "arithmetic": ("a=1+2*3/4%5-6\n", "a = 1 + 2 * 3 / 4 % 5 - 6\n"),
    "comparison": ("a=b==c||d!=e&&f<g||h>=i\n", "a = b == c || d != e && f < g || h >= i\n"),
    "negation": ("a = - 1\nb=-c\n", "a = -1\nb = -c\n"),
    "subtraction": ("a=b -c\n", "a = b - c\n"),
    "minus a negative": ("a=b  -  - c\n", "a = b - -c\n"),
    "not": ("a = ! b\n", "a = !b\n"),
    "not not": ("a=! ! b\n", "a = !!b\n"),
    "conditional": ("a=b?c:d\n", "a = b ? c : d\n"),
    "conditional with negatives": ("a=b?-1:-2\n", "a = b ? -1 : -2\n"),
    "parentheses": ("a=( b+c )*d\n", "a = (b + c) * d\n"),
    "dots": ("a=b . c . d\n", "a = b.c.d\n"),
    "index": ("a=b [ 0 ] [ c ]\n", "a = b[0][c]\n"),
    "index of a call": ("a=f( ) [0]\n", "a = f()[0]\n"),
    "index of a list": ("a=[1,2] [0]\n", "a = [1, 2][0]\n"),
    "splats": ("a=b[ * ].c\nd=b.*.c\n", "a = b[*].c\nd = b.*.c\n"),
    "list": ("a=[ 1,2 ,3 ]\n", "a = [1, 2, 3]\n"),
    "trailing comma": ("a=[1,2,]\n", "a = [1, 2, ]\n"),
    "empty brackets": ("a=[ ]\nb={ }\nc=f( )\n", "a = []\nb = {}\nc = f()\n"),
    "object": ("a={b=1,c=2}\n", "a = { b = 1, c = 2 }\n"),
    "object with colons": ('a={"b":1,c:2}\n', 'a = { "b" : 1, c : 2 }\n'),
    "object in a list": ("a=[ { b=1 },{ b=2 } ]\n", "a = [{ b = 1 }, { b = 2 }]\n"),
    "list in an object": ("a={ b=[ 1 ] }\n", "a = { b = [1] }\n"),
    "object in an object": ("a={b={c=1}}\n", "a = { b = { c = 1 } }\n"),
    "object in a call": ("a=f( {b=1} )\n", "a = f({ b = 1 })\n"),
    "call": ("a=f (1 ,b,  c)\n", "a = f(1, b, c)\n"),
    "expanded argument": ("a=f(b ... )\n", "a = f(b...)\n"),
    "namespaced call": ("a=ns :: f(1)\n", "a = ns::f(1)\n"),
    "negative arguments": ("a=f(- 1,- b)\n", "a = f(-1, -b)\n"),
    "for a list": ("a=[for x in xs:x+1 if x>2]\n", "a = [for x in xs : x + 1 if x > 2]\n"),
    "for over a list": ("a=[for x in[1,2]:x]\n", "a = [for x in [1, 2] : x]\n"),
    "for an object": ("a={for k,v in m:k=>v...if v}\n", "a = { for k, v in m : k => v... if v }\n"),
    "labels": ('step   "python"    "fit"{\n}\n', 'step "python" "fit" {\n}\n'),
    "labels without quotes": ("step python  fit{\n}\n", 'step "python" "fit" {\n}\n'),
    "block on one line": ("a{b=1}\n", "a { b = 1 }\n"),
    "empty block": ("a   { }\n", "a {}\n"),
    "comment in a line": ("a=/* b */1\n", "a = /* b */ 1\n"),
    "comment in brackets": ("a=[/* b */1/* c */]\n", "a = [/* b */ 1 /* c */]\n"),
    # Templates.
    "interpolation": ('a="b ${ c } d"\n', 'a = "b ${c} d"\n'),
    "operators in a template": ('a="${b+1}-${ f( c ) }"\n', 'a = "${b + 1}-${f(c)}"\n'),
    "trim markers": ('a="${~ b ~} c"\n', 'a = "${~b~} c"\n'),
    "directives": ('a="%{ if b }x%{ else }y%{ endif }"\n', 'a = "%{if b}x%{else}y%{endif}"\n'),
    "loop in a template": ('a="%{ for x in xs ~} ${ x } %{ endfor }"\n', 'a = "%{for x in xs~} ${x} %{endfor}"\n'),
    "object in a template": ('a="x${{b=1}}"\n', 'a = "x${ { b = 1 } }"\n'),
    "text that looks like code": ('a="b=1,c  +d  {  "\n', 'a = "b=1,c  +d  {  "\n'),
    "escapes": ('a="\\"  $${ b  }  %%{ c }\\n"\n', 'a = "\\"  $${ b  }  %%{ c }\\n"\n'),
    "template over lines": ('a="x${\nb\n}  y"\n', 'a = "x${\n  b\n}  y"\n'),
    "heredoc": ("a{\nb=<<EOT\n  x = 1 \n\n\ty\nEOT\n}\n", "a {\n  b = <<EOT\n  x = 1 \n\n\ty\nEOT\n}\n"),
    "indented heredoc": ("a{\nb=<<-EOT\n x\n  EOT\n}\n", "a {\n  b = <<-EOT\n x\n  EOT\n}\n"),
    "template in a heredoc": ("a=<<EOT\nx  ${ b+1 }  y\nEOT\n", "a = <<EOT\nx  ${b + 1}  y\nEOT\n"),
    "heredoc in a call": ("a=f(<<EOT\nx\nEOT\n,1)\n", "a = f(<<EOT\nx\nEOT\n, 1)\n"),
    # Indentation.
    "block": ("a {\nb=1\n    c=2\n}\n", "a {\n  b = 1\n  c = 2\n}\n"),
    "blocks in blocks": ("a {\nb {\nc {\n}\n}\n}\n", "a {\n  b {\n    c {\n    }\n  }\n}\n"),
    "list over lines": ("a=[\n1,\n    2,\n]\n", "a = [\n  1,\n  2,\n]\n"),
    "call over lines": ("a=f(\nb,\nc\n)\n", "a = f(\n  b,\n  c\n)\n"),
    "parentheses over lines": ("a=(\nb+\nc\n)\n", "a = (\n  b +\n  c\n)\n"),
    "two brackets on a line": ("a=[{\nb=1\n}]\n", "a = [{\n  b = 1\n}]\n"),
    "brackets closed one by one": ("a=[{\nb=1\n}\n]\n", "a = [{\n  b = 1\n  }\n]\n"),
    "closed and opened": ("a=[{\nb=1\n},{\nb=2\n}]\n", "a = [{\n  b = 1\n  }, {\n  b = 2\n}]\n"),
    "blank lines": ("\na = 1\n\n\n  \nb = 2\n", "\na = 1\n\n\n\nb = 2\n"),
    "comment lines": ("# a\nb {\n// c\n/* d */\n}\n", "# a\nb {\n  // c\n  /* d */\n}\n"),
    "comment over lines": ("a {\n/* b\n     c */\n}\n", "a {\n  /* b\n     c */\n}\n"),
    "nothing": ("", ""),
    "byte order mark": ("\ufeffa=1\n", "a = 1\n"),
    "names that are keywords": ("a=b . if [0]+ for (c)\n", "a = b.if[0] + for(c)\n"),
    "keys that are keywords": ("a={\nb=1\nif=2\nin (c)=3\n}\n", "a = {\n  b     = 1\n  if    = 2\n  in(c) = 3\n}\n"),
    # Columns.
    "aligned": ("a=1\nbcd=2\n", "a   = 1\nbcd = 2\n"),
    "a blank line ends a run": ("a=1\n\nbcd=2\n", "a = 1\n\nbcd = 2\n"),
    "a comment line ends a run": ("a=1\n# x\nbcd=2\n", "a = 1\n# x\nbcd = 2\n"),
    "a block ends a run": ("a=1\nbcd {}\nef=2\n", "a = 1\nbcd {}\nef = 2\n"),
    "a value over lines ends a run": ("a=1\nbcd=[\n1\n]\nef=2\n", "a = 1\nbcd = [\n  1\n]\nef = 2\n"),
    "a value in brackets does not": ("a=1\nbcd=[1]\n", "a   = 1\nbcd = [1]\n"),
    "a heredoc does not": ("a=<<E\nx\nE\nbcd=1\n", "a   = <<E\nx\nE\nbcd = 1\n"),
    "aligned in an object": ("a={\nb=1\ncde=2,\n}\n", "a = {\n  b   = 1\n  cde = 2,\n}\n"),
    "quoted keys": ('a={\n"b"=1\n(c)=2\ndefg=3\n}\n', 'a = {\n  "b"  = 1\n  (c)  = 2\n  defg = 3\n}\n'),
    "colons are not aligned": ("a={\nb:1\ncde:2\n}\n", "a = {\n  b : 1\n  cde : 2\n}\n"),
    "characters, not bytes": ("é=1\nabc=2\n", "é   = 1\nabc = 2\n"),
    "characters of several code points": ('a="🇫🇷"#x\nb="abc"#y\n', 'a = "🇫🇷"   #x\nb = "abc" #y\n'),
    "as wide as a column may be": (f"a=1\n{'b' * 399}=1\n", f"a{' ' * 398} = 1\n{'b' * 399} = 1\n"),
    "trailing comments": ("a=1#x\nbcd=23//y\n", "a   = 1  #x\nbcd = 23 //y\n"),
    "a line without one ends a run": ("a=1#x\nb=2\ncde=345#y\n", "a   = 1 #x\nb   = 2\ncde = 345 #y\n"),
    "comments behind brackets": ("a=[# x\n1,# y\n]# z\n", "a = [ # x\n  1,  # y\n]     # z\n"),
    "comments behind blocks": ("a {# x\n}# y\nb=1# z\n", "a {   # x\n}     # y\nb = 1 # z\n"),
}  # fmt: skip

UNLIKE_TERRAFORM = {
    # Terraform takes a minus at the start of a line, and one after a word, for what it is not.
    "minus on its own line": ("a=(\nb\n-c\n)\n", "a = (\n  b\n  - c\n)\n"),
    "negative after a keyword": ("a=[for x in -y:x if -x]\n", "a = [for x in -y : x if -x]\n"),
    "negative value of a key": ("a={for k,v in m:k=>-v}\n", "a = { for k, v in m : k => -v }\n"),
    # It takes `in` and `if` for functions and lists.
    "keyword before a bracket": ("a=[for x in(y):x if(x)||[z]]\n", "a = [for x in (y) : x if (x) || [z]]\n"),
    "keyword before a list": ('a="%{ if[b]==c }x%{ endif }"\n', 'a = "%{if [b] == c}x%{endif}"\n'),
    # It puts a space before an index of a text.
    "index of a text": ('a="b" [0]\n', 'a = "b"[0]\n'),
    "index of a splat": ("a=b.* [0]\n", "a = b.*[0]\n"),
    # It drops the comments in a block's header.
    "comment between labels": ("a /* b */c{\n}\n", 'a /* b */ "c" {\n}\n'),
    # It unwraps a lone interpolation, which gives another tree.
    "lone interpolation": ('a="${ b }"\n', 'a = "${b}"\n'),
    # It keeps line ends and what blank lines there are at the end.
    "carriage returns": ("a=1\r\nbc=2 # x\r\n\r\n/* d\r\n*/\r\n", "a  = 1\nbc = 2 # x\n\n/* d\n*/\n"),
    "carriage returns in a heredoc": ("a=<<E\r\nx\r\n  E\r\nb=1\r\n", "a = <<E\nx\r\n  E\nb = 1\n"),
    "blank lines at the end": ("a=1\n\n\n", "a = 1\n"),
    "no newline at the end": ("a=1", "a = 1\n"),
    "nothing but spaces": ("  \n\t\n", ""),
    # Its brackets go astray over the lines of a template in a heredoc; such a template is left as it is.
    "template over lines in a heredoc": ("a=<<E\n${ f(\nb )\n}  ${ c }\nE\n", "a = <<E\n${ f(\nb )\n}  ${c}\nE\n"),
    "spaces behind a marker": ("a=<<E\nx\n E  \nb=1\n", "a = <<E\nx\n E\nb = 1\n"),
    # It moves everything to the column of the widest line, however wide.
    "too wide for a column": (
        f"a=1#x\n{'b' * 400}=1#x\nc=1#x\ndef=1#x\n",
        f"a = 1 #x\n{'b' * 400} = 1 #x\nc   = 1 #x\ndef = 1 #x\n",
    ),
    # Without the space, two indexes would be one number.
    "indexes that would be a number": ("a=b.0 .1 .e5\n", "a = b.0 .1 .e5\n"),
}  # fmt: skip

CASES = {**LIKE_TERRAFORM, **UNLIKE_TERRAFORM}


@pytest.mark.parametrize("name", CASES)
def test_formatted(name: str) -> None:
    before, after = CASES[name]
    assert format(before) == after
    assert format(after) == after
    result = format_config(before, "a.zen.hcl")
    assert (result.text, result.diagnostics) == (after, ())


@pytest.mark.parametrize("name", CASES)
def test_the_tree_stays_the_same(name: str) -> None:
    before, after = (parse(text).body for text in CASES[name])
    assert same_meaning(before, after)


def test_there_are_enough_cases() -> None:
    assert len(CASES) > 90


EXPRESSIONS = {
    "( a+2 )": "(a + 2)",
    "a?b:- 1": "a ? b : -1",
    '"x ${ a }"': '"x ${a}"',
    "\n[\n[\na\n]\n]\n": "\n[\n  [\n    a\n  ]\n]\n",
    "a\n- b": "a\n- b",
    "-a": "-a",
}


@pytest.mark.parametrize("before", EXPRESSIONS)
def test_a_lone_expression(before: str) -> None:
    after = format(before)
    assert after == EXPRESSIONS[before]
    assert format(after) == after


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a  =  1\nb  =\n", "missing_expression", 2),
        ("a  =  1\nb {\n", "unclosed_block", 2),
        ('a  =  "x\n', "unclosed_string", 1),
        ("a  =  1\na  =  2\n", "duplicate_attribute", 2),
        ("a  =  1\n\ud800", "invalid_character", 2),
        ("a  =  b.0.1\n", "invalid_index", 1),
    ],
)
def test_a_text_with_errors_is_left_as_it_is(text: str, code: str, line: int) -> None:
    assert format(text) == text
    result = format_config(text, "a.zen.hcl")
    assert result.text == text
    assert code in [problem.code for problem in result.diagnostics]
    assert result.diagnostics[0].range is not None
    assert result.diagnostics[0].filename == "a.zen.hcl"
    assert result.diagnostics[-1].line == line


def test_the_layout_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    broken = sys.modules["zenctl.lang.format"]
    for wrong in ("b = 1\n", "a = 2\n", "a = 1\nb = 1\n", "a =\n", ""):
        monkeypatch.setattr(broken, "laid_out", lambda _, wrong=wrong: wrong)
        result = format_config("a=1\n", "a.zen.hcl")
        assert result.text == "a=1\n"
        assert [problem.code for problem in result.diagnostics] == ["not_formatted"]
        assert format("a=1\n") == "a=1\n"


def test_the_name_is_the_function() -> None:
    assert zenctl.lang.format is format
    assert "format" in zenctl.lang.__all__


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 1\n", "a = 2\n"),
        ("a = 1\n", 'a = "1"\n'),
        ("a = 1\n", "a = true\n"),
        ("a = 1\n", "b = 1\n"),
        ("a = 1\nb = 2\n", "b = 2\na = 1\n"),
        ("a = [1]\n", "a = [1, 2]\n"),
        ("a = b.c\n", 'a = b["c"]\n'),
        ("a = b + c\n", "a = b - c\n"),
        ('a "x" {\n}\n', 'a "y" {\n}\n'),
        ("a = <<E\n x\nE\n", "a = <<E\nx\nE\n"),
        ('a = "${b}"\n', "a = b\n"),
    ],
)
def test_what_means_something_else(one: str, other: str) -> None:
    first, second = parse(one).body, parse(other).body
    assert first is not None
    assert second is not None
    assert same_meaning(first, parse(f"\n{one}\n").body)
    assert not same_meaning(first, second)


def test_what_must_not_touch_stands_apart() -> None:
    operators = ["+", "-", "*", "/", "%", "<", ">", "<=", ">=", "==", "!=", "&&", "||", "=", "=>", "?", ":"]
    for left in operators:
        for right in ["ident", "number", "negation", "!", "(", "[", "{", "oquote", "heredoc", "comment"]:
            assert stand_apart(left, right), (left, right)
    for left in ["ident", "number", ")", "]", "}", "cquote", "keyword", "comment"]:
        for right in operators:
            assert stand_apart(left, right), (left, right)
