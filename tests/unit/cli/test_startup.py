"""Starting up stays light: help and version import no engine and nothing heavy; completion answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PENGUINS = Path(__file__).parents[3] / "examples" / "penguins"


def python(code: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **env}
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=240, env=environment, check=False
    )


ENGINE = ("ml_metadata", "tensorflow", "apache_beam", "numpy", "pyarrow", "rich", "deepdiff", "zenctl.engine.workflow")
HELP = (*ENGINE, "pydantic", "zenctl.lang")


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], HELP),
        (["plan", "-help"], HELP),
        (["state"], HELP),
        (["console", "-help"], HELP),
        (["graph", "-help"], HELP),
        (["providers", "-help"], HELP),
        (["reproduce", "-help"], HELP),
        (["import", "-help"], HELP),
        (["plan", "-nonsense"], HELP),
        (["fmt", "-help"], HELP),
        # To run a command at all, typer itself imports pydantic.
        (["version"], ENGINE),
        (["fmt", "-check", str(PENGUINS)], (*ENGINE, "zenctl.schema", "yaml", "regex", "git")),
    ],
)
def test_nothing_heavy_is_imported(words, heavy):
    code = (
        "import sys\nfrom zenctl.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        f"    print('HEAVY', [m for m in {heavy!r} if m in sys.modules])\n"
    )
    ran = python(code, *words)
    assert ran.stdout.splitlines()[-1] == "HEAVY []", ran


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("zenctl pl", {"plan"}),
        ("zenctl plan -det", {"-detailed-exitcode"}),
        ("zenctl plan --det", {"--detailed-exitcode"}),
        ("zenctl plan -ref", {"-refresh=false", "-refresh-only"}),
        (
            "zenctl state ",
            {"list", "show", "get", "schema", "diff", "pull", "export", "mv", "rm", "migrate", "verify", "gc"},
        ),
        ("zenctl workspace ", {"delete", "list", "new", "select", "show"}),
        ("zenctl providers ", {"list", "lock", "schema"}),
        ("zenctl backend ", {"list", "show"}),
        ("zenctl backend show -st", {"-startup-script"}),
        ("zenctl graph -fo", {"-format"}),
        ("zenctl -ch", {"-chdir"}),
    ],
)
def test_completion(typed, offered):
    ran = python(
        "from zenctl.cli.main import main; main()",
        _ZENCTL_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(typed.split(" ")) - 1),
    )
    assert set(ran.stdout.split()) == offered, ran


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    ran = python("from zenctl.cli.main import main; main()", _ZENCTL_COMPLETE=f"source_{shell}")
    assert ran.returncode == 0
    assert "_ZENCTL_COMPLETE=complete_" in ran.stdout


def test_a_reader_that_leaves_is_no_error_text():
    code = "from zenctl.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "plan", "-help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
