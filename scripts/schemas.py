"""Writes every JSON Schema anew from the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"

for module in ("zenctl.cli.schemas", "zenctl.config.jsonschema"):
    subprocess.run([sys.executable, "-m", module, str(SCHEMAS)], check=True)
