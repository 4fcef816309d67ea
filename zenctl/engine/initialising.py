"""Prepares a folder for zenctl: a starter configuration where there is none, and `.zenctl/` kept out of git."""

from __future__ import annotations

from pathlib import Path

STARTER = {
    "pipeline.zen.hcl": """\
# A first pipeline. Try: zenctl plan, then zenctl apply.
# Then change `top`, a row of the data, or the function, and plan again.

variable "top" {
  description = "How many of the largest values are kept."
  type        = number
  default     = 3
}

datasource "csv" "heights" {
  path = "data/heights.csv"
}

step "python" "summary" {
  code   = "steps/summary.py:summary"
  inputs = { data = datasource.csv.heights }
  params = { top = var.top }
}

output "largest" {
  value = step.python.summary.result.value
}
""",
    "data/heights.csv": "name,height\nAda,170\nBlaise,181\nCarl,175\nDorothy,168\nEmmy,165\n",
    "steps/summary.py": '''\
"""The step of the starter pipeline."""

from zenctl.sdk import Dataset


def summary(data: Dataset, *, top: int) -> list:
    """The names of the tallest, tallest first."""
    rows = sorted(data, key=lambda row: row["height"], reverse=True)
    return [row["name"] for row in rows[:top]]
''',
}
"""The files of the starter, by path: a pipeline that runs as it is."""

IGNORED = ".zenctl/"
"""What must not be committed: the local store, artifacts and caches."""


def write_starter(root: Path) -> list[str]:
    """Write the starter's files where nothing stands yet; gives the paths written."""
    written = []
    for name, text in STARTER.items():
        place = root / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            written.append(name)
    return written


def ignore_data(root: Path) -> list[str]:
    """See to it that git ignores `.zenctl/`; gives the paths written."""
    place = root / ".gitignore"
    before = place.read_text(encoding="utf-8") if place.exists() else ""
    if any(line.strip().strip("/") == IGNORED.strip("/") for line in before.splitlines()):
        return []
    separator = "" if not before or before.endswith("\n") else "\n"
    place.write_text(f"{before}{separator}{IGNORED}\n", encoding="utf-8")
    return [".gitignore"]
