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


def test_what_only_a_path_in_a_bucket_a_default_or_an_alias_uses(project: Project) -> None:
    project.write(
        "main.zen.hcl",
        """
zenctl {
  project = "buckets"
  defaults { processing = backend.direct.beam }
}
variable "day" { default = "1" }
provider "gcp" { alias = "eu" }
backend "direct" "beam" {}
backend "gce" "vm" {
  provider = provider.gcp.eu
  zone     = "europe-west1-b"
  project  = "p"
}
datasource "csv" "whole" { path = "gs://bucket/a.csv" }
datasource "csv" "parts" { path = "s3://bucket/${var.day}.csv" }
datasource "csv" "here" { path = "a.csv" }
""",
    )
    found = {p["name"]: p for p in project.json("providers", "-json")["providers"]}
    used = {name: [(u["what"], u["declared"]) for u in provider["used_by"]] for name, provider in found.items()}
    assert used["aws"] == [("datasource.csv.parts (in a bucket)", "main.zen.hcl:15")]
    assert used["gcp"] == [
        ('provider "gcp"', "main.zen.hcl:7"),
        ("backend.gce.vm", "main.zen.hcl:9"),
        ("datasource.csv.whole (in a bucket)", "main.zen.hcl:14"),
    ]
    assert used["beam"] == [("backend.direct.beam", "main.zen.hcl:8"), ("default processing", "main.zen.hcl:4")]
    assert sorted(found) == ["aws", "beam", "gcp", "local"]
    assert all(provider["version"] for provider in found.values())
    pinned = [p["name"] for p in project.json("providers", "lock", "-json")["providers"]]
    assert pinned == ["aws", "beam", "gcp", "local"]
