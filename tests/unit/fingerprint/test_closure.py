"""What a step's code reaches: tables of small projects, each with what must be found, and what must not."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.measuring import peer_seconds
from zenctl.diagnostics import Diagnostic
from zenctl.digests import sha256_bytes
from zenctl.fingerprint.code import Closure, closure, read_facts
from zenctl.fingerprint.definitions import cutting
from zenctl.fingerprint.source import WorkingTree


def lay(root: Path, files: dict[str, str]) -> WorkingTree:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text))
    return WorkingTree(root)


def find(
    root: Path, files: dict[str, str], entry: str = "steps/fit.py", patterns: tuple[str, ...] = ()
) -> tuple[Closure, list[Diagnostic]]:
    found, diagnostics = closure(lay(root, files), entry, "fit", patterns)
    assert found is not None, diagnostics
    return found, diagnostics


FIT = "def fit(): ...\n"
REACHES: dict[str, tuple[dict[str, str], set[str]]] = {
    "nothing": ({"steps/fit.py": FIT, "other.py": ""}, {"steps/fit.py"}),
    "from the root": ({"steps/fit.py": "import common", "common.py": ""}, {"steps/fit.py", "common.py"}),
    "from its own folder": (
        {"steps/fit.py": "import common", "steps/common.py": ""},
        {"steps/fit.py", "steps/common.py"},
    ),
    "the root comes first": (
        {"steps/fit.py": "import common", "common.py": "", "steps/common.py": ""},
        {"steps/fit.py", "common.py"},
    ),
    "absolute through a folder": (
        {"steps/fit.py": "from steps import common", "steps/common.py": ""},
        {"steps/fit.py", "steps/common.py"},
    ),
    "relative": ({"steps/fit.py": "from . import common", "steps/common.py": ""}, {"steps/fit.py", "steps/common.py"}),
    "relative module": (
        {"steps/fit.py": "from .lib.a import x", "steps/lib/a.py": "x = 1"},
        {"steps/fit.py", "steps/lib/a.py"},
    ),
    "relative upwards": (
        {"a/steps/fit.py": "from ..lib import x", "a/lib.py": "", "a/__init__.py": ""},
        {"a/steps/fit.py", "a/lib.py", "a/__init__.py"},
    ),
    "every parent": (
        {"steps/fit.py": "import a.b.c", "a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": "", "a/b/d.py": ""},
        {"steps/fit.py", "a/__init__.py", "a/b/__init__.py", "a/b/c.py"},
    ),
    "the entry's parents": (
        {"steps/__init__.py": "import x", "x.py": "", "steps/fit.py": FIT},
        {"steps/__init__.py", "steps/fit.py", "x.py"},
    ),
    "from package import module": (
        {"steps/fit.py": "from a import b, value", "a/__init__.py": "value = 1", "a/b.py": ""},
        {"steps/fit.py", "a/__init__.py", "a/b.py"},
    ),
    "re-export": (
        {"steps/fit.py": "from a import f", "a/__init__.py": "from .impl import f", "a/impl.py": "def f(): ..."},
        {"steps/fit.py", "a/__init__.py", "a/impl.py"},
    ),
    "in a function": (
        {"steps/fit.py": "def fit():\n    import common", "common.py": ""},
        {"steps/fit.py", "common.py"},
    ),
    "conditional": (
        {"steps/fit.py": "try:\n    import fast\nexcept ImportError:\n    import slow", "fast.py": "", "slow.py": ""},
        {"steps/fit.py", "fast.py", "slow.py"},
    ),
    "type checking": (
        {
            "steps/fit.py": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import types_only\nelse:\n    import real",
            "types_only.py": "",
            "real.py": "",
        },
        {"steps/fit.py", "real.py"},
    ),
    "helper of a helper": (
        {"steps/fit.py": "import a", "a.py": "import b", "b.py": "import c", "c.py": "import a"},
        {"steps/fit.py", "a.py", "b.py", "c.py"},
    ),
    "module named as one of the standard library": (
        {"steps/fit.py": "import queue", "queue.py": ""},
        {"steps/fit.py", "queue.py"},
    ),
    "folder named as an outside module": (
        {"steps/fit.py": "import data, json", "data/x.csv": "", "json/x.py": ""},
        {"steps/fit.py"},
    ),
    "literal import": (
        {
            "steps/fit.py": "import importlib\nm = importlib.import_module('models.big')",
            "models/big.py": "",
            "other.py": "",
        },
        {"steps/fit.py", "models/big.py"},
    ),
    "dynamic below a package": (
        {
            "steps/fit.py": "from importlib import import_module as load\nm = load(f'models.{x}')",
            "models/a.py": "",
            "models/b.py": "",
            "other.py": "",
        },
        {"steps/fit.py", "models/a.py", "models/b.py"},
    ),
    "dynamic": (
        {
            "steps/fit.py": "import importlib\nm = importlib.import_module(x)",
            "models/a.py": "",
            "other.py": "",
            "notes.txt": "",
        },
        {"steps/fit.py", "models/a.py", "other.py"},
    ),
    "__import__": ({"steps/fit.py": "m = __import__(x)", "other.py": ""}, {"steps/fit.py", "other.py"}),
    "exec": ({"steps/fit.py": "exec(x)", "other.py": ""}, {"steps/fit.py", "other.py"}),
    "a parameter named eval": (
        {"steps/fit.py": "def fit(train, eval): eval(train); model.eval()", "other.py": ""},
        {"steps/fit.py"},
    ),
    "sys.path": (
        {"steps/fit.py": "import sys\nsys.path.insert(0, 'lib')\nimport deep", "lib/deep.py": ""},
        {"steps/fit.py", "lib/deep.py"},
    ),
    "a package that is installed in place": (
        {"steps/fit.py": "from mylib.a import x", "src/mylib/__init__.py": "", "src/mylib/a.py": "x = 1"},
        {"steps/fit.py", "src/mylib/__init__.py", "src/mylib/a.py"},
    ),
    "changed package path": (
        {"steps/fit.py": "import a", "a/__init__.py": "__path__.append('lib')", "lib/b.py": ""},
        {"steps/fit.py", "a/__init__.py", "lib/b.py"},
    ),
    "star of a package": (
        {
            "steps/fit.py": "from models import *",
            "models/__init__.py": "__all__ = ['a']",
            "models/a.py": "",
            "other.py": "",
        },
        {"steps/fit.py", "models/__init__.py", "models/a.py"},
    ),
    "star of a module": (
        {"steps/fit.py": "from common import *", "common.py": "", "other.py": ""},
        {"steps/fit.py", "common.py"},
    ),
    "widening leaves environments out": (
        {
            "steps/fit.py": "exec(x)",
            "env/pyvenv.cfg": "",
            "env/lib/a.py": "",
            ".hidden/b.py": "",
            "node_modules/c.py": "",
            "d.py": "",
        },
        {"steps/fit.py", "d.py"},
    ),
    "widening to a file that does not parse": (
        {"steps/fit.py": "exec(x)", "template.py": "{{ x }} !"},
        {"steps/fit.py", "template.py"},
    ),
    "extension module": (
        {"steps/fit.py": "import fast", "fast.cpython-311-x86_64-linux-gnu.so": "x"},
        {"steps/fit.py", "fast.cpython-311-x86_64-linux-gnu.so"},
    ),
    "package before module": (
        {"steps/fit.py": "import a", "a.py": "", "a/__init__.py": ""},
        {"steps/fit.py", "a/__init__.py"},
    ),
    "regular package before a plain folder": (
        {"steps/fit.py": "import a.x", "a/y.py": "", "steps/a/__init__.py": "", "steps/a/x.py": ""},
        {"steps/fit.py", "steps/a/__init__.py", "steps/a/x.py"},
    ),
}


@pytest.mark.parametrize("name", REACHES)
def test_reaches(name: str, tmp_path: Path) -> None:
    files, expected = REACHES[name]
    entry = next(path for path in files if path.endswith("fit.py"))
    found, _ = find(tmp_path, files, entry)
    assert set(found.files) == expected
    assert set(found.sources) == expected


RUNS = [
    name
    for name in REACHES
    if not name.startswith(("extension", "relative upwards", "dynamic", "__import__", "exec", "a package that"))
]


@pytest.mark.parametrize(
    "name", [n for n in RUNS if "widening" not in n and "outside" not in n and "parameter" not in n]
)
def test_python_agrees(name: str, tmp_path: Path) -> None:
    """Run the closure alone in a folder of its own: Python finds all that it imports, and loads nothing else."""
    files, expected = REACHES[name]
    found, _ = find(tmp_path / "project", files)
    for path, data in found.sources.items():
        place = tmp_path / "run" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    program = (
        "import sys, os, importlib; root = os.getcwd(); sys.path[:0] = [root, os.path.join(root, 'steps')]\n"
        "module = importlib.import_module('steps.fit')\n"
        "getattr(module, 'fit', lambda: None)()\n"
        "print(*[os.path.relpath(m.__file__, root) for m in list(sys.modules.values())"
        " if (getattr(m, '__file__', None) or '').startswith(root)])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path / "run", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= expected


def test_third_party_modules_are_named(tmp_path: Path) -> None:
    text = """
        import os, json, tomllib, numpy as np, tensorflow.keras.layers
        from sklearn.svm import SVC
        from google.cloud import storage
        import zenctl.sdk
        from . import helper
        if True:
            import importlib.metadata
    """
    found, _ = find(tmp_path, {"steps/fit.py": text, "steps/helper.py": "import pandas"})
    assert found.third_party == {"numpy", "tensorflow", "sklearn", "google.cloud.storage", "pandas"}
    assert not found.warnings


def test_what_may_come_from_the_source_folder_or_from_a_release_counts_as_both(tmp_path: Path) -> None:
    files = {"steps/fit.py": "import mylib, other", "src/mylib.py": "import pandas", "src/unused.py": ""}
    found, _ = find(tmp_path, files)
    assert set(found.files) == {"steps/fit.py", "src/mylib.py"}
    assert found.third_party == {"mylib", "other", "pandas"}


def test_entry_names_the_function(tmp_path: Path) -> None:
    assert find(tmp_path, {"steps/fit.py": FIT}, "./steps/fit.py")[0].entry == "steps/fit.py:fit"


STALE: dict[str, tuple[dict[str, str], str, str, bool]] = {
    "comment": ({"steps/fit.py": "x = 1"}, "steps/fit.py", "x = 1  # one", False),
    "constant": ({"steps/fit.py": "x = 1"}, "steps/fit.py", "x = 2", True),
    "helper": ({"steps/fit.py": "import a", "a.py": "x = 1"}, "a.py", "x = 2", True),
    "helper's docstring": ({"steps/fit.py": "import a", "a.py": "x = 1"}, "a.py", "'doc'\nx = 1", False),
    "file not reached": ({"steps/fit.py": FIT, "a.py": "x = 1"}, "a.py", "x = 2", False),
    "an __init__ appears": ({"steps/fit.py": "import a.b", "a/b.py": ""}, "a/__init__.py", "x = 1", True),
    "an empty __init__ appears": ({"steps/fit.py": "import a.b", "a/b.py": ""}, "a/__init__.py", "", True),
    "a module comes before": ({"steps/fit.py": "import a", "steps/a.py": "x = 1"}, "a.py", "x = 1", True),
    "docstring that is read": (
        {"steps/fit.py": "print(fit.__doc__)", "a.py": ""},
        "steps/fit.py",
        "'doc'\nprint(fit.__doc__)",
        True,
    ),
    "docstring with inspect": ({"steps/fit.py": "import inspect, a", "a.py": "x = 1"}, "a.py", "'doc'\nx = 1", True),
    "comment with inspect": ({"steps/fit.py": "import inspect, a", "a.py": "x = 1"}, "a.py", "# note\nx = 1", False),
    "comment with getsource": (
        {"steps/fit.py": "from inspect import getsource\nimport a", "a.py": "x = 1"},
        "a.py",
        "# note\nx = 1",
        True,
    ),
}


@pytest.mark.parametrize("name", STALE)
def test_what_makes_it_stale(name: str, tmp_path: Path) -> None:
    files, path, text, stale = STALE[name]
    before, _ = find(tmp_path / "before", files)
    after, _ = find(tmp_path / "after", {**files, path: text})
    assert (before.digest != after.digest) is stale
    assert (before.files != after.files) is stale


def test_contents_that_swap_places_show(tmp_path: Path) -> None:
    fit = {"steps/fit.py": "import a, b"}
    one, _ = find(tmp_path / "one", {**fit, "a.py": "x = 1", "b.py": "x = 2"})
    two, _ = find(tmp_path / "two", {**fit, "a.py": "x = 2", "b.py": "x = 1"})
    assert one.digest != two.digest


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("def fit(): return 1", False),
        ("from pathlib import Path\nHERE = Path(__file__)", True),
        ("class Net: x = 1", True),
        ("import pickle", True),
        ("import fit_again", True),
    ],
)
def test_the_entry_files_own_path(text: str, counts: bool, tmp_path: Path) -> None:
    """A moved file is the same code, unless what it does or writes can depend on where it stands."""
    before, _ = find(tmp_path / "a", {"steps/fit.py": text, "fit_again.py": "import steps.fit, jobs.fit"})
    after, _ = find(tmp_path / "b", {"jobs/fit.py": text, "fit_again.py": "import steps.fit, jobs.fit"}, "jobs/fit.py")
    assert (before.digest != after.digest) is counts


def test_declared_files_count_by_their_bytes(tmp_path: Path) -> None:
    files = {
        "steps/fit.py": FIT,
        "config/a.json": "{}",
        "config/b.json": "{}",
        "config/deep/c.json": "{}",
        "d.py": "x = 1",
    }
    found, diagnostics = find(tmp_path, files, patterns=("config/*.json", "config/**/c.json", "./d.py"))
    assert set(found.files) == set(files)
    assert not diagnostics
    assert found.files["d.py"] == sha256_bytes(b"x = 1")
    (tmp_path / "config/b.json").write_text("[]")
    again, _ = closure(WorkingTree(tmp_path), "steps/fit.py", "fit", ("config/*.json",))
    assert again is not None
    assert again.files["config/b.json"] != found.files["config/b.json"]
    assert again.digest != found.digest


def test_a_folder_stands_for_all_below_it(tmp_path: Path) -> None:
    files = {"steps/fit.py": FIT, "config/a.json": "{}", "config/deep/.hidden": "", "config/deep/c d.txt": ""}
    found, _ = find(tmp_path, files, patterns=("config/",))
    assert set(found.files) == set(files)


@pytest.mark.parametrize(
    ("pattern", "code", "part"),
    [
        ("config/x.json", "code_file_missing", 'Did you mean "config/a.json"?'),
        ("*.nothing", "code_file_missing", "no such file"),
        ("../secret", "code_file_unreadable", "leads out"),
        ("/etc/passwd", "code_file_unreadable", "absolute"),
    ],
)
def test_declared_files_that_cannot_be(pattern: str, code: str, part: str, tmp_path: Path) -> None:
    tree = lay(tmp_path, {"steps/fit.py": FIT, "config/a.json": "{}"})
    found, diagnostics = closure(tree, "steps/fit.py", "fit", (pattern,))
    assert found is None
    assert [d.code for d in diagnostics] == [code]
    assert part in str(diagnostics[0])


def test_a_file_named_in_a_call_but_not_declared_is_a_warning(tmp_path: Path) -> None:
    files = {
        "steps/fit.py": 'import json\n\nX = json.load(open("config/a.json"))\nY = open("missing.json")\n',
        "config/a.json": "{}",
    }
    found, [problem] = find(tmp_path, files)
    assert problem.code == "code_file_undeclared"
    assert str(problem.range) == "steps/fit.py:3:1"
    assert 'files = ["config/a.json"]' in problem.detail
    assert found.warnings == ("steps/fit.py:3:1: config/a.json is not declared",)
    assert not find(tmp_path, files, patterns=("config/*",))[1]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("def fit(): pandas.read_csv('config/a.json')", "config/a.json"),
        ("def fit(): open(file='./config/a.json')", "config/a.json"),
        ("def fit(): open(Path('config') / 'a.json')", "config/a.json"),
        ("def fit(): open(os.path.join('config', 'a.json'))", "config/a.json"),
        ("HERE = Path(__file__).parent\ndef fit(): open(HERE / 'b.json')", "steps/b.json"),
        ("def fit(): open('steps/fit.py')", None),
        ("def fit(): print('no.such')", None),
        ("def other(): open('config/a.json')\ndef fit(): ...", None),
        ("def fit(): x = 'config/a.json'", None),
    ],
)
def test_what_names_a_file_that_is_not_declared(text: str, named: str | None, tmp_path: Path) -> None:
    files = {
        "steps/fit.py": f"import os, pandas\nfrom pathlib import Path\n{text}",
        "config/a.json": "",
        "steps/b.json": "",
    }
    _, diagnostics = find(tmp_path, files)
    assert [d.summary for d in diagnostics] == ([f"{named} is not declared"] if named else [])


def test_widening_is_told_once_with_its_place(tmp_path: Path) -> None:
    files = {
        "steps/fit.py": "import importlib\n\ndef fit(x):\n    return importlib.import_module(x)\n",
        "b.py": "exec(y)",
    }
    found, diagnostics = find(tmp_path, files)
    assert [(d.code, d.is_error, str(d.range)) for d in diagnostics] == [("code_widened", False, "steps/fit.py:4:5")]
    assert "importlib.import_module" in diagnostics[0].detail
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("from . import nothing", ".nothing"),
        ("from .nothing import x", ".nothing"),
        ("import pack.nothing", "pack.nothing"),
        ("from ..up import x", "..up"),
        ("try:\n    from . import nothing\nexcept ImportError:\n    pass", None),
        ("import nothing_at_all", None),
        ("from pack import value", None),
    ],
)
def test_imports_that_will_fail(text: str, missing: str | None, tmp_path: Path) -> None:
    _found, diagnostics = find(tmp_path, {"steps/fit.py": text, "pack/__init__.py": "value = 1"})
    assert [d.summary for d in diagnostics] == ([f"{missing} is not in the project"] if missing else [])


@pytest.mark.parametrize(
    ("entry", "code", "part"),
    [
        ("steps/fti.py", "code_file_missing", 'Did you mean "steps/fit.py"?'),
        ("fit.py", "code_file_missing", 'Did you mean "steps/fit.py"?'),
        ("steps/fit.txt", "code_not_python", "path/file.py:function"),
        ("steps", "code_not_python", "path/file.py:function"),
        ("../fit.py", "code_unreadable", "leads out"),
        ("/steps/fit.py", "code_unreadable", "absolute"),
        ("steps\\fit.py", "code_unreadable", "/"),
    ],
)
def test_entries_that_are_not_there(entry: str, code: str, part: str, tmp_path: Path) -> None:
    found, [problem] = closure(lay(tmp_path, {"steps/fit.py": FIT}), entry, "fit")
    assert found is None
    assert problem.code == code
    assert part in str(problem)


DEEP = f"def deep():\n    return {'not ' * 900}1\n\ndef fit():\n    return 1\n"


def test_a_function_that_is_nested_too_deeply_is_told_where_it_is_reached(tmp_path: Path) -> None:
    tree = lay(tmp_path, {"steps/fit.py": f"from lib import deep\n{FIT}", "lib.py": DEEP})
    found, diagnostics = closure(tree, "steps/fit.py", "fit")
    assert found is not None
    assert diagnostics == []
    tree = lay(tmp_path, {"steps/fit.py": "from lib import deep\ndef fit():\n    return deep()\n"})
    found, [problem] = closure(tree, "steps/fit.py", "fit")
    assert found is None
    assert problem.code == "code_syntax"
    assert problem.summary == "lib.py is nested too deeply to be parsed"


def test_bodies_are_read_from_more_files_than_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"m{number}" for number in range(6)]
    files = {
        f"{name}.py": f"def one(): return two()\ndef two(): return {name!r}\ndef one(): return two\n" for name in names
    }
    calls = ", ".join(f"{name}.one()" for name in names)
    files["steps/fit.py"] = f"import {', '.join(names)}\ndef fit(): return {calls}\n"
    expected, _ = find(tmp_path / "a", files)
    monkeypatch.setattr(cutting, "MAX_KEPT", 1)
    read_facts.cache_clear()
    assert find(tmp_path / "b", files)[0].digest == expected.digest
    read_facts.cache_clear()


def test_speed(tmp_path: Path) -> None:
    """A loose bound that a walk of quadratic cost would break: 200 files of 40 functions took 0.7 s when measured."""
    body = "\n".join(f"def f{i}(a, b=1):\n    return a + b * {i}" for i in range(40))
    files = {f"m{i}.py": f"import m{i + 1}\nX = {i}\n{body}" for i in range(200)} | {"m200.py": ""}
    tree = lay(tmp_path, files)
    start = time.process_time()
    found, _ = closure(tree, "m0.py", "f0")
    assert found is not None
    assert len(found.files) == 201
    assert time.process_time() - start < 20 * peer_seconds() + 5
