"""The code of steps is read once, in the form that its record has, and what files say is kept for the next command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.worlds import World
from zenctl.addrs import StepAddr
from zenctl.digests import sha256_text
from zenctl.engine import sources
from zenctl.engine.components import step_components
from zenctl.engine.desired import CodeRef
from zenctl.engine.sources import CodeSources
from zenctl.fingerprint.canonical import canonical
from zenctl.fingerprint.parsing import Source, parse
from zenctl.metadata.state import Recorded
from zenctl.metadata.store import ExecutionState

REF = CodeRef("fit.py", "fit")
TEXT = "def fit():\n    return 1\n\n\ndef other():\n    return 1\n"


def recorded(code: dict[str, Any]) -> Recorded:
    components = {"code": code, "environment": {"distributions": {}}}
    return Recorded(StepAddr("python", "fit"), 1, "j", ExecutionState.COMPLETE, 3, "Process", components=components)


def by_file(text: str) -> dict[str, Any]:
    """What was recorded when every file counted as a whole."""
    module, _ = parse(Source("fit.py", text))
    assert module is not None
    return {"entry": "fit.py:fit", "digest": "a" * 64, "files": {"fit.py": sha256_text(canonical(module).text)}}


def test_code_has_the_form_of_its_record_while_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text(TEXT)
    code = CodeSources(tmp_path)
    today, _ = code.closure(REF, ())
    assert today is not None
    assert code.closure(REF, (), recorded(by_file(TEXT)))[0] == replace(
        today, digest="a" * 64, files=by_file(TEXT)["files"], definitions={}
    )
    assert code.closure(REF, (), recorded(by_file(TEXT.replace("1", "2"))))[0] == today
    assert code.closure(REF, ())[0] == today


def test_definitions_are_recorded(tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text(TEXT)
    closure, _ = CodeSources(tmp_path).closure(REF, ())
    assert closure is not None
    text = 'step "python" "fit" { code = "fit.py:make" }'
    desired = World(text, tmp_path).step("python", "fit")
    code = step_components(desired, closure, {}).code
    assert code["definitions"] == {"fit.py": {"fit": closure.definitions["fit.py"]["fit"]}}
    assert "definitions" not in step_components(desired, replace(closure, definitions={}), {}).code


def test_what_files_say_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fit.py").write_text(TEXT)
    first = CodeSources(tmp_path, cache_dir=tmp_path / "cache")
    before, _ = first.closure(REF, ())
    first.save()
    monkeypatch.setattr(sources, "read_facts", lambda data: pytest.fail("it is read again"))
    again, _ = CodeSources(tmp_path, cache_dir=tmp_path / "cache").closure(REF, ())
    assert again == before


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("import common", "common is not in the module's folder"),
        ("def fit():\n    from lib.deep import g\n    return g()", "lib.deep is not in the module's folder"),
        ("from ...common import f", "...common is not in the module's folder"),
        ("import own", None),
        ("import nowhere_at_all", None),
        ("import hypothesis", None),
        ("try:\n    import common\nexcept ImportError:\n    common = None", None),
        ("def other():\n    import common\n    from ...common import f", None),
    ],
)
def test_a_module_cannot_import_what_lies_outside_of_it(text: str, summary: str | None, tmp_path: Path) -> None:
    for name, content in {
        "modules/m/steps/fit.py": f"{text}\n" if "def fit" in text else f"{text}\ndef fit():\n    return 1\n",
        "modules/m/own.py": "",
        "common.py": "def f(): ...\n",
        "lib/deep.py": "def g(): ...\n",
        "own.py": "",
        # What is installed is found there, whatever lies in the project.
        "hypothesis.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    ref = CodeRef("steps/fit.py", "fit", folder="modules/m")
    _, diagnostics = CodeSources(tmp_path).closure(ref, ())
    assert [d.summary for d in diagnostics] == ([summary] if summary else [])
    for problem in diagnostics:
        assert problem.is_error
        assert problem.code == "code_outside_module"
        assert str(problem.range).startswith("modules/m/steps/fit.py:")
