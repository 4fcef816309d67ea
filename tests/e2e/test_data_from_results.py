"""A datasource whose path follows from a result: it is looked at as soon as the path is known."""

from __future__ import annotations

from tests.e2e.conftest import Project

MAIN = """
step "python" "name" { code = "steps.py:name" }
datasource "csv" "rows" { path = "${step.python.name.result.value}.csv" }
step "split" "rows" {
  inputs = { data = datasource.csv.rows }
  ratio  = { all = 1 }
}
"""
APPLY = ("apply", "-auto-approve")


def test_data_whose_place_follows_from_a_result(project: Project) -> None:
    project.write("main.zen.hcl", MAIN)
    project.write("steps.py", 'def name() -> str:\n    return "x"\n')
    project.write("x.csv", "a,b\n1,2\n3,4\n")
    assert "datasource.csv.rows: ran" in project.ok(*APPLY)
    assert "No changes." in project.ok("plan")

    # Known by now, it is compared when planning.
    project.write("x.csv", "a,b\n1,2\n3,4\n5,6\n")
    assert "data: 2 -> 3 rows" in project.ok("plan")
    project.ok(*APPLY)
    assert "No changes." in project.ok("plan")

    # Elsewhere, the same content changes nothing; and what was there before may be gone.
    (project.root / "x.csv").rename(project.root / "y.csv")
    project.edit("steps.py", '"x"', '"y"')
    planned = project.ok("plan")
    assert "datasource.csv.rows may be read" in planned
    assert "waits for step.python.name" in planned
    done = project.ok(*APPLY)
    assert "datasource.csv.rows: not run" in done
    assert "step.split.rows: not run" in done

    project.edit("steps.py", '"y"', '"z"')
    said = project.fails(*APPLY)
    assert "there is no file z.csv" in said
    assert "main.zen.hcl:3:34" in said
