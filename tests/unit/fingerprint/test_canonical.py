"""The canonical text of code: what does not count leaves it equal, what counts changes it, on every Python alike."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.digests import sha256_text
from zenctl.fingerprint import canonical as canonical_module
from zenctl.fingerprint.canonical import canonical

SAMPLE = '''
"""A module."""
from __future__ import annotations
import os, typing as t
from typing import TYPE_CHECKING
LIMIT = 0x10
NAMES = {'a': 1, **{"b": 2.5}, None: -3j, 'bytes': b"\\x00'", ...: 10**40}
if TYPE_CHECKING:
    from numpy import ndarray

@t.no_type_check
class Net(dict, metaclass=type):
    """Docs."""
    size: int = 3
    "about size"
    def __init__(self, a, /, b=1, *args, c, d=None, **kw) -> None:
        """More docs."""
        self.a = [x async for x in a] if False else {y: z for y, z in b if y if z}
        super().__init__()

async def run(items, *, flag=True):
    async with items as i, items: pass
    try:
        await i
    except (ValueError, KeyError) as e:
        raise RuntimeError("x") from e
    else:
        return
    finally:
        del i

def text(x, w, y=u"u"):
    global LIMIT
    a: "int" = 5
    s = f"{x!r:>{w}.2f} {{literal}} {x=} {y}" "tail" f"" 'more'
    e = f"{x:}" f'{x["k"]}{w:%Y-%m}'
    for i, *rest in enumerate(s[1:2, ::3], start=-1):
        while (n := i) < 3 <= 4 is not None:
            break
        else:
            continue
    lam = lambda p, *q, r=2: (yield p)
    return not (a and e or lam) @ +a ** ~1 // 2
'''


def digest(text: str, *, docs: bool = False) -> str:
    found = canonical(ast.parse(textwrap.dedent(text)))
    return sha256_text(found.text + (found.docs if docs else ""))


EQUAL = {
    "comment": ("x = 1", "# hello\nx = 1  # there"),
    "blank lines": ("x = 1\ny = 2", "x = 1\n\n\ny = 2\n"),
    "quotes": ("x = 'a'", 'x = "a"'),
    "triple quotes": ("x = 'a\\nb'", 'x = """a\nb"""'),
    "line breaks": ("f(1, 2)", "f(\n    1,\n    2,\n)"),
    "parentheses": ("x = 1 + 2", "x = (1 + 2)"),
    "number spelling": ("x = 255", "x = 0xFF"),
    "u prefix": ("x = 'a'", "x = u'a'"),
    "joined strings": ("x = 'ab'", "x = 'a' 'b'"),
    "semicolon": ("x = 1; y = 2", "x = 1\ny = 2"),
    "module docstring": ("x = 1", "'''doc'''\nx = 1"),
    "function docstring": ("def f():\n    return 1", "def f():\n    'doc'\n    return 1"),
    "docstring alone": ("def f():\n    pass", "def f():\n    'doc'"),
    "class docstring": ("class A:\n    x = 1", "class A:\n    'doc'\n    x = 1"),
    "attribute docstring": ("x = 1", "x = 1\n'about x'"),
    "type comment": ("x = []", "x = []  # type: list[int]"),
    "pass": ("def f():\n    return 1", "def f():\n    pass\n    return 1"),
    "type checking": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b\n    x = 1",
    ),
    "type checking by module": (
        "import typing as t\nif t.TYPE_CHECKING: a = 1",
        "import typing as t\nif t.TYPE_CHECKING: a = 2",
    ),
    "f-string spec": ("f'{x}'", "f'{x:}'"),
    "f-string pieces": ("f'a{x}b'", "f'a' f'{x}' 'b'"),
}

DIFFERENT = {
    "constant": ("x = 1", "x = 2"),
    "int and float": ("x = 1", "x = 1.0"),
    "int and bool": ("x = 1", "x = True"),
    "bytes and text": ("x = b'a'", "x = 'a'"),
    "none and its name": ("x = None", "x = 'None'"),
    "ellipsis": ("x = ...", "x = None"),
    "signed zero": ("x = 0.0", "x = -0.0"),
    "operator": ("x = a + b", "x = a - b"),
    "chain": ("x = a < b < c", "x = (a < b) < c"),
    "name": ("x = a", "x = b"),
    "order": ("x = 1\ny = 2", "y = 2\nx = 1"),
    "default": ("def f(a=1): return a", "def f(a=2): return a"),
    "keyword only": ("def f(a, b): return a", "def f(a, *, b): return a"),
    "positional only": ("def f(a, b): return a", "def f(a, /, b): return a"),
    "missing default": ("def f(*, a, b=1): return a", "def f(*, a=1, b): return a"),
    "decorator": ("def f(): return 1", "@d\ndef f(): return 1"),
    "base class": ("class A: x = 1", "class A(B): x = 1"),
    "string with the shape of the text": ("x = 'a', 'b'", "x = \"a', 'b\""),
    "f-string conversion": ("f'{x!r}'", "f'{x!s}'"),
    "f-string spec": ("f'{x:2}'", "f'{x:3}'"),
    "f-string or text": ("x = f'{a}'", "x = '{a}'"),
    "async": ("def f(): return 1", "async def f(): return 1"),
    "import name": ("import a", "import b"),
    "import level": ("from . import a", "from .. import a"),
    "else branch": ("if a:\n    b()", "if a:\n    b()\nelse:\n    c()"),
    "type checking rebound": (
        "TYPE_CHECKING = 1\nif TYPE_CHECKING:\n    a()",
        "TYPE_CHECKING = 1\nif TYPE_CHECKING:\n    b()",
    ),
    "branch for run time": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    a = 1\nelse:\n    a = 2",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    a = 1\nelse:\n    a = 3",
    ),
    "dict unpacking": ("x = {None: a}", "x = {**a}"),
    "star": ("f(*a)", "f(a)"),
    "annotated": ("x: int = 1", "x = 1"),
}


@pytest.mark.parametrize("name", EQUAL)
def test_what_does_not_count(name: str) -> None:
    before, after = EQUAL[name]
    assert digest(before) == digest(after)


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_counts(name: str) -> None:
    before, after = DIFFERENT[name]
    assert digest(before) != digest(after)


def test_docstrings_are_kept_apart() -> None:
    before, after = "def f():\n    'one'\n    return 1", "def f():\n    'two'\n    return 1"
    assert digest(before) == digest(after)
    assert digest(before, docs=True) != digest(after, docs=True)


def test_a_docstring_that_moves_to_another_function_shows_among_the_docs() -> None:
    before = "def f():\n    'doc'\n    return 1\ndef g():\n    return 2"
    after = "def f():\n    return 1\ndef g():\n    'doc'\n    return 2"
    assert digest(before, docs=True) != digest(after, docs=True)


def test_deep_nesting_does_not_recurse() -> None:
    # The parser itself refuses this depth, a generated tree can have it.
    node: ast.expr = ast.Constant(1)
    for _ in range(20_000):
        node = ast.BinOp(node, ast.Add(), ast.Constant(1))
    found = canonical(ast.Module([ast.Expr(node)], []))
    assert found.text.count("Add") == 20_000


def test_reformatting_the_sample_leaves_it_equal() -> None:
    assert digest(SAMPLE) == digest(ast.unparse(ast.parse(SAMPLE)))


NAMES = st.sampled_from(["a", "b", "value", "ü"])
CONSTANTS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.binary(max_size=6),
    st.booleans(),
    st.none(),
)
EXPRESSIONS = st.recursive(
    st.one_of(NAMES, CONSTANTS.map(repr)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "and", "<", "**", "if x else"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.lists(inner, max_size=3).map(lambda xs: f"[{', '.join(xs)}]"),
        st.tuples(NAMES, inner).map(lambda t: f"{t[0]}(k={t[1]})"),
        st.tuples(NAMES, inner).map(lambda t: f"(lambda {t[0]}=1: {t[1]})"),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.tuples(NAMES, EXPRESSIONS).map(lambda t: [f"{t[0]} = {t[1]}"]),
    EXPRESSIONS.map(lambda e: [f"if {e}:", "    work()", "else:", "    rest()"]),
    st.tuples(NAMES, EXPRESSIONS).map(lambda t: [f"def {t[0]}(p, *, q={t[1]}):", f"    return {t[1]}"]),
    st.tuples(NAMES, EXPRESSIONS).map(lambda t: [f"class {t[0]}:", f"    field = {t[1]}"]),
)


@given(st.lists(STATEMENTS, min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_noise_changes_nothing(statements: list[list[str]], random: object) -> None:
    lines = [line for statement in statements for line in statement]
    noisy = ['"""A docstring."""', "# a comment"]
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        noisy += [f"{indent}# noise", "", f"{line}  # why"]
        if line.endswith(":") and not line.startswith(("if", "else")):
            noisy.append(f"{indent}    'a docstring'")
    plain = "\n".join(lines)
    assert digest("\n".join(noisy)) == digest(plain)
    assert digest(ast.unparse(ast.parse(plain))) == digest(plain)


@given(st.lists(STATEMENTS, min_size=1, max_size=4), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_constant_always_shows(statements: list[list[str]], data: st.DataObject) -> None:
    text = "\n".join(line for statement in statements for line in statement)
    tree = ast.parse(text)
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if not constants:
        return
    before = canonical(tree).text
    node = data.draw(st.sampled_from(constants))
    old = node.value
    node.value = data.draw(CONSTANTS.filter(lambda c: (type(c), repr(c)) != (type(old), repr(old))))
    assert canonical(tree).text != before


ROOT = Path(canonical_module.__file__).parents[2]

OTHERS = """
import importlib.util, json, sys, ast, hashlib, warnings
warnings.simplefilter("ignore")
sys.path.append(sys.argv[2])
spec = importlib.util.spec_from_file_location("canonical", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["canonical"] = module
spec.loader.exec_module(module)
found = {}
for path in json.load(sys.stdin):
    with open(path, "rb") as stream:
        written = module.canonical(ast.parse(stream.read()))
    found[path] = hashlib.sha256((written.text + written.docs).encode("utf-8", "surrogatepass")).hexdigest()
print(json.dumps(found))
"""


def other_interpreters() -> list[Path]:
    versions = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    found = [p for p in versions.glob("3.*/bin/python") if int(p.parts[-3].split(".")[1]) in range(9, 14)]
    return sorted(found)


def test_other_pythons_write_the_same(tmp_path: Path) -> None:
    others = other_interpreters()
    if not others:
        pytest.skip("no other interpreter from 3.9 to 3.13 under PYENV_ROOT")
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE)
    oldest = min(others, key=lambda p: int(p.parts[-3].split(".")[1]))
    # The oldest one's library is what all of them can parse.
    library = sorted((oldest.parent.parent / "lib").glob("python3*/[a-d]*.py"))
    assert library
    paths = [str(sample), *map(str, library)]
    found = {}
    for python in [*others, Path(sys.executable)]:
        command = [str(python), "-I", "-c", OTHERS, str(canonical_module.__file__), str(ROOT)]
        done = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{python}: {done.stderr}"
        found[str(python)] = json.loads(done.stdout)
    assert all(result == found[sys.executable] for result in found.values()), found
