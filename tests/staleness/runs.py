"""Talks to the program that runs projects for real."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Runs:
    """One process of `tracing.py`; calling it runs a function of a project."""

    def __enter__(self) -> Runs:
        command = [sys.executable, "-I", str(HERE / "tracing.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def __call__(self, folder: Path, file: str, function: str) -> dict[str, Any]:
        """{"result": repr, "printed": text, "executed": [[file, name, first line], ...]}"""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "file": file, "function": function}) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found
