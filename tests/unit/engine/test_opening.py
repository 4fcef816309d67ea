"""Opening a configuration: all that is wrong with it is told at once, each mistake once."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.engine.opening import OpeningError, open_configuration
from zenctl.engine.requests import Inputs

WAITING = """
module "a" {
  source     = "./m"
  depends_on = [module.b]
}
module "b" {
  source     = "./m"
  depends_on = [module.a]
}
"""


def test_modules_that_wait_for_each_other_are_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "m.zen.hcl").write_text('step "python" "p" { code = "s.py:f" }\n')
    (tmp_path / "m" / "s.py").write_text("def f() -> int: return 1\n")
    (tmp_path / "main.zen.hcl").write_text(WAITING)
    with pytest.raises(OpeningError) as raised:
        open_configuration(Inputs(tmp_path))
    assert [d.summary for d in raised.value.diagnostics] == ["module.a depends on itself"]


def test_an_empty_folder_is_a_mistake_unless_it_may_be_empty(tmp_path: Path) -> None:
    with pytest.raises(OpeningError) as raised:
        open_configuration(Inputs(tmp_path))
    assert [d.code for d in raised.value.diagnostics] == ["no_configuration"]
    assert open_configuration(Inputs(tmp_path), empty=True).order == ()


def test_what_need_not_be_sound_is_opened(tmp_path: Path) -> None:
    (tmp_path / "main.zen.hcl").write_text('variable "x" {}\nlocals { a = var.y }\nstep "trian" "t" {}\n')
    opened = open_configuration(Inputs(tmp_path), sound=False)
    assert {d.code for d in opened.diagnostics} == {"missing_variable", "undeclared_variable", "unknown_step_type"}
