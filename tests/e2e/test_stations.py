"""The stations example: bad readings set aside, windows, a split by time, predictions, as its README says."""

from __future__ import annotations

import json
import shutil

from tests.e2e.conftest import ROOT, Project


def test_the_readme_holds(project: Project) -> None:
    shutil.copytree(ROOT / "examples" / "stations", project.root, dirs_exist_ok=True)
    project.ok("fmt", "-check")
    shutil.move(project.root / "schemas", project.root / "kept")
    said = project.fails("plan")
    assert "There is no such file" in said
    project.ok("apply", "-auto-approve", "-target=datasource.csv.readings")
    project.write("schemas/readings.json", project.ok("state", "schema", "datasource.csv.readings"))
    kept = (project.root / "kept/readings.json").read_text()
    assert json.loads((project.root / "schemas/readings.json").read_text()) == json.loads(kept)

    printed = project.ok("apply", "-auto-approve")
    assert "[973 rows, quarantine 6 rows] (1 warning)" in printed
    summary = "3 anomalies in 979 rows, 6 of them set aside"
    assert f"Warning: step.validate.readings: {summary}\n\n  on stations.zen.hcl" in printed
    assert '  - column "temperature" is below -40 or above 50 in 3 of 979 rows (0.3 %)' in printed
    [warned] = project.json("state", "show", "-json", "step.validate.readings")["values"]["warnings"]
    assert warned["summary"] == summary
    assert "\n    3 anomalies in 979 rows" in project.ok("state", "show", "step.validate.readings")
    found = project.json("output", "-json")
    assert found["set_aside"]["value"] == 6
    assert found["error_in_degrees"]["value"] < 1.5
    assert found["predicted"]["value"] == 213
    assert 'temperature" is below -40 or above 50 in 3 of 979' in project.ok("logs", "step.validate.readings")
    assert "No changes." in project.ok("plan")

    # What the schema says is part of the step: the plan tells what changed in it.
    project.edit("schemas/readings.json", '"valley"', '"hill"')
    planned = project.ok("plan")
    assert "schema.features.station.domain" in planned
    assert project.stale()["step.validate.readings"] == "RUN"
    project.edit("stations.zen.hcl", '"quarantine"\n', '"fail"\n')
    said = project.fails("apply", "-auto-approve", "-target=step.validate.readings")
    assert "3 anomalies" in said or "4 anomalies" in said
    assert "'valley' (" in said
    assert "zenctl state schema" in said


def test_a_schema_of_what_has_none(project: Project) -> None:
    shutil.copytree(ROOT / "examples" / "stations", project.root, dirs_exist_ok=True)
    assert "Nothing is recorded" in project.fails("state", "schema", "datasource.csv.readings")
    assert "address is missing" in project.fails("state", "schema")
