"""The islands example: a module for each island, planned and applied as its README says."""

from __future__ import annotations

import shutil

from tests.e2e.conftest import ROOT, Project

ISLANDS = """
islands = {
  Biscoe    = { label = "Biscoe" }
  Torgersen = { label = "Torgersen Island", least = LEAST }
}
"""


def test_the_readme_holds(project: Project) -> None:
    shutil.copytree(ROOT / "examples" / "islands", project.root, dirs_exist_ok=True)
    project.ok("fmt", "-check", "-recursive")
    project.ok("apply", "-auto-approve")
    slopes = project.json("output", "-json", "grams_a_millimetre")
    assert list(slopes) == ["Biscoe Island", "Dream Island", "Torgersen Island"]
    assert 45 < slopes["Biscoe Island"] < 55
    assert project.json("output", "-json", "penguins") == 342
    assert "No changes." in project.ok("plan")

    one = project.ok("plan", '-target=module.island["Dream"]', '-replace=module.island["Dream"].step.python.line')
    assert "Plan: 1 to run, 4 up to date." in one

    project.write("less.zenvars", ISLANDS.replace("LEAST", "60"))
    said = project.fails("plan", "-var-file=less.zenvars")
    assert "Torgersen has 51 penguins; a line needs 60." in said
    assert "on island/island.zen.hcl:28:23" in said
    assert "var.least is 60" in said

    project.write("less.zenvars", ISLANDS.replace("LEAST", "20"))
    planned = project.ok("plan", "-var-file=less.zenvars")
    assert "Plan: 2 to forget, 5 up to date." in planned
    assert 'module.island["Dream"].step.python.line will be forgotten' in planned
    project.ok("apply", "-auto-approve", "-var-file=less.zenvars")
    assert list(project.json("output", "-json", "grams_a_millimetre")) == ["Biscoe", "Torgersen Island"]
    assert "Dream" not in project.ok("state", "list")
