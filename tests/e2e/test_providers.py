"""`zenctl providers` and `providers schema` from the installed command."""

from __future__ import annotations

import json

import jsonschema

from tests.e2e.conftest import ROOT, Project


def test_which_providers_are_used_and_where(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  required_providers { local = ">= 0.1" }')
    tiny.write("more.zen.hcl", 'backend "direct" "here" {}\n')
    text = tiny.ok("providers")
    assert 'requires ">= 0.1"' in text
    assert "main.zen.hcl:3" in text
    assert "backend.direct.here" in text
    document = tiny.json("providers", "-json")
    assert [p["name"] for p in document["providers"]] == ["beam", "local"]
    assert document["providers"][0]["used_by"] == [{"what": "backend.direct.here", "declared": "more.zen.hcl:1"}]
    assert document["providers"][1]["required"] == [
        {"constraint": ">= 0.1", "module": "", "declared": "main.zen.hcl:3"}
    ]
    assert sorted(document["unused"]) == ["aws", "gcp"]
    assert not (tiny.root / ".zenctl").exists()


def test_a_configuration_with_a_mistake(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  required_providers { local = "> 99" }')
    assert "the configuration needs" in tiny.fails("providers")


def test_the_schemas_of_what_is_installed_need_no_configuration(project: Project) -> None:
    document = project.json("providers", "schema", "-json")
    published = json.loads((ROOT / "schemas" / "provider-schemas.v1.schema.json").read_text())
    jsonschema.validate(document, published)
    assert document["step_schemas"]["split"]["block"]["attributes"]["seed"]["type"] == "number"
    assert "-json is missing" in project.fails("providers", "schema")
