"""What changed in the source of steps, as a user reads it: in a plan, in a saved plan, without a store."""

from __future__ import annotations

import shutil

from tests.e2e.conftest import Project

CHANGE = """
      --- old/steps/order.py
      +++ new/steps/order.py
      @@ -2,4 +2,4 @@


       def by_height(rows):
      -    return sorted(rows, key=lambda row: row["height"], reverse=True)
      +    return sorted(rows, key=lambda row: row["height"])
"""


def test_the_difference_is_shown_with_the_plan_and_from_its_file(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", '"count" {\n  code', '"again" {\n  code   = "steps/rank.py:tallest"\n  inputs = { data = '
              'datasource.csv.heights }\n  params = { top = 1 }\n}\n\nstep "python" "count" {\n  code')  # fmt: skip
    tiny.ok("apply", "-auto-approve")
    tiny.edit("steps/order.py", ", reverse=True", "")
    # A comment in another file counts for nothing, and is not shown.
    tiny.edit("steps/rank.py", "import json\n", "import json  # for names\n")
    assert CHANGE not in tiny.ok("plan")
    printed = tiny.ok("plan", "-diff-code", "-refresh=false", "-out=p.plan")
    assert printed.count(CHANGE) == 1
    assert "(steps/order.py: the same change as in step.python." in printed
    assert "for names" not in printed
    shutil.rmtree(tiny.root / ".zenctl")
    (tiny.root / "main.zen.hcl").unlink()
    assert CHANGE in tiny.ok("show", "-diff-code", "p.plan")
    assert CHANGE not in tiny.ok("show", "p.plan")
    found = {c["address"]: c.get("code_diff") for c in tiny.json("show", "-json", "p.plan")["resource_changes"]}
    assert list(found["step.python.tallest"]["files"]) == ["steps/order.py"]
    assert found["step.python.count"] is None


def test_a_result_that_is_there_already_has_a_difference_too(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    before = (tiny.root / "steps/order.py").read_text()
    tiny.edit("steps/order.py", ", reverse=True", "")
    tiny.ok("apply", "-auto-approve")
    tiny.write("steps/order.py", before)
    printed = tiny.ok("plan", "-diff-code")
    assert "step.python.tallest will reuse a recorded result" in printed
    assert '+    return sorted(rows, key=lambda row: row["height"], reverse=True)' in printed
    tiny.ok("apply", "-auto-approve")
    # What is reused is recorded with its source as well.
    tiny.edit("steps/order.py", ", reverse=True", "")
    assert CHANGE in tiny.ok("plan", "-diff-code")
    shutil.rmtree(tiny.root / ".zenctl/artifacts/code")
    assert "(no differences of code: the source of apply 3 is not in the artifact store any more)" in tiny.ok(
        "plan", "-diff-code", "-refresh=false"
    )


def test_it_is_of_plan_files_only(tiny: Project) -> None:
    assert "-diff-code without a plan file" in tiny.fails("show", "-diff-code")
