"""Which providers a configuration uses, for what, and which versions its modules require."""

from __future__ import annotations

from pathlib import Path

from tests.unit.engine.worlds import BASE, World
from zenctl.engine.requirements import UsedProvider, used_providers

CHILD = """
zenctl {
  required_providers { local = "< 9" }
}
variable "rows" {}
step "train" "net" {
  inputs = { train = var.rows }
  label  = "y"
}
"""


def local(root: Path, text: str) -> UsedProvider:
    world = World(text, root, {"child/main.zen.hcl": CHILD})
    assert world.loaded == []
    [found] = used_providers(world.configuration, world.evaluator.registry)
    return found


def test_uses_and_requirements(tmp_path: Path) -> None:
    text = f"""
zenctl {{
  required_providers {{
    local = ">= 1"
  }}
}}
{BASE}
module "child" {{
  source = "./child"
  rows   = step.split.parts.train
}}
"""
    found = local(tmp_path, text)
    assert (found.name, found.version) == ("local", "1")
    assert [(r.constraint, r.module, str(r.range)) for r in found.requirements] == [
        (">= 1", (), "main.zen.hcl:4:5"),
        ("< 9", ("child",), "child/main.zen.hcl:3:24"),
    ]
    uses = {use.what: use.range for use in found.uses}
    assert list(uses) == ['artifacts "local"', "backend.local.here", "endpoint.local.net", "steps that name no backend"]
    assert uses['artifacts "local"'] is None
    assert uses["backend.local.here"] is not None


def test_with_a_default_backend_nothing_is_used_by_default_but_the_store(tmp_path: Path) -> None:
    text = f"zenctl {{\n  defaults {{ orchestrator = backend.local.here }}\n}}\n{BASE}"
    assert [use.what for use in local(tmp_path, text).uses if use.range is None] == ['artifacts "local"']
