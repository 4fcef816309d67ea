"""Whatever is typed, the program answers: no unhandled exception, no bug report, a known exit code."""

from __future__ import annotations

import io

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from zenctl.cli import main as entry
from zenctl.cli.terminal import Terminal
from zenctl.diagnostics import error
from zenctl.engine.reproducing import ReproduceOutcome
from zenctl.engine.requests import ImportOutcome, InitOutcome, LineageOutcome, LogsOutcome, PlanOutcome, StateOutcome

BAD = (error("bad", "Bad"),)
COMMANDS = ["init", "validate", "plan", "apply", "destroy", "fmt", "show", "output", "state", "list", "logs", "version"]
COMMANDS += ["convert", "config", "metadata", "artifacts", "get", "set", "sqlite"]
COMMANDS += ["console", "graph", "providers", "schema", "lock", "reproduce", "import"]
FLAGS = [
    "-json",
    "-out",
    "-out=x",
    "-var",
    "-var=a=1",
    "-chdir",
    "-chdir=.",
    "-help",
    "-refresh=false",
    "-raw",
    "-write",
    "-to=yaml",
    "-path=\x00",
    "-format=html",
    "-type=plan",
    "-plan=x",
    "--",
    "-",
]
WORDS = st.one_of(st.sampled_from(COMMANDS), st.sampled_from(FLAGS), st.text(max_size=12))


@given(words=st.lists(WORDS, max_size=6), arguments=st.text(max_size=20))
@example(words=["state", "show", "step.a.b[\ud800"], arguments="")
@example(words=["-chdir", "\x00", "plan"], arguments="")
@example(words=["show", "\x00"], arguments="")
@example(words=["plan"], arguments="-out 'x")
@example(words=["config", "artifacts", "set", "\ud800"], arguments="")
@example(words=["config", "metadata", "set", "sqlite", "-path=\ud800"], arguments="")
@example(words=["convert", "\x00.zen.hcl", "-write"], arguments="")
@example(words=["convert", "\ud800.zen.hcl"], arguments="")
@example(words=["graph", "-plan=\x00"], arguments="")
@example(words=["import", "step.python.x", "\x00", "-json"], arguments="")
@example(words=["reproduce", "step.python.x@3", "-json"], arguments="")
@example(words=["show", "\x00"], arguments="")
@example(words=["show", "-markdown"], arguments="")
@example(words=["providers", "schema", "-json"], arguments="")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words(engine, tmp_path, monkeypatch, words, arguments):
    monkeypatch.chdir(tmp_path)
    engine.answers |= {
        "validate": PlanOutcome(None, BAD),
        "make_plan": PlanOutcome(None, BAD),
        "read_state": StateOutcome(None, BAD),
        "state_lineage": LineageOutcome(None, BAD),
        "logs": LogsOutcome(None, BAD),
        "initialise": InitOutcome((), False, {}, BAD),
        "reproduce_result": ReproduceOutcome(None, BAD),
        "import_result": ImportOutcome(None, BAD),
    }
    out, err = io.StringIO(), io.StringIO()
    environment = {"ZENCTL_CLI_ARGS": arguments}
    code = entry.run(words, Terminal(out, err, io.StringIO(), environment=environment))
    assert code in (0, 1)
    assert "bug of its own" not in err.getvalue(), words
    assert code == 0 or err.getvalue() or '"error"' in out.getvalue(), words
