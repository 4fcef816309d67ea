"""Commands from the typed line to the exit code, with an engine that answers what the test says."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace

import pytest

from tests.measuring import PATIENCE
from zenctl.config.given import VariableFile, VariableText
from zenctl.diagnostics import DiagnosticError, error, warning
from zenctl.engine.requests import ApplyOutcome, PlanOutcome
from zenctl.plans import planfile

BAD = error("bad", "Bad thing", "Mend it.")


def no_changes(plan):
    return replace(plan, changes=tuple(c for c in plan.changes if c.is_noop), outputs=plan.outputs[3:])


@pytest.fixture
def planned(engine, penguins):
    engine.answers["make_plan"] = PlanOutcome(penguins, ())
    engine.answers["apply_plan"] = ApplyOutcome(serial=5, ran=("step.python.fit",))
    return engine


@pytest.mark.parametrize("words", [[], ["-help"], ["--help"], ["-h"]])
def test_help_of_the_program(zenctl, words):
    ran = zenctl(*words)
    assert ran.code == 0
    main, _, others = ran.out.partition("All other commands:")
    places = [main.index(f"\n  {name} ") for name in ("init", "validate", "plan", "apply", "destroy")]
    assert places == sorted(places)
    assert "\n  state" in others


COMMANDS = [
    "init",
    "validate",
    "plan",
    "apply",
    "destroy",
    "fmt",
    "show",
    "output",
    "state list",
    "state show",
    "state get",
    "state diff",
    "state export",
    "state pull",
    "state schema",
    "state rm",
    "state mv",
    "state migrate",
    "state verify",
    "state gc",
    "logs",
    "compare",
    "reproduce",
    "import",
    "console",
    "graph",
    "providers",
    "providers schema",
    "version",
    "config list",
    "config metadata list",
    "config artifacts list",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-help", "--help", "-h"])
def test_help_of_each_command_teaches(zenctl, command, flag):
    ran = zenctl(*command.split(), flag)
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: zenctl {command} ")
    assert "Examples:" in ran.out
    assert f"zenctl {command}" in ran.out.partition("Examples:")[2]
    assert "Exit codes:" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pln"], 'Did you mean "plan"?'),
        (["state", "lst"], 'Did you mean "list"?'),
        (["plan", "-detaild-exitcode"], 'Did you mean "-detailed-exitcode"?'),
        (["plan", "folder"], "-chdir=DIR"),
        (["-wat", "plan"], "Unknown global flag -wat"),
        (["-chdir=nowhere", "plan"], "no folder"),
        (["state", "-json"], "needs a command"),
        (["plan", "-var", "a = 1"], 'Did you mean -var="a=1"?'),
        (["plan", "-var", "a"], "NAME=VALUE"),
        (["plan", "-target=nonsense"], "names no address"),
        (["plan", "-target=step.a.b", "-exclude=step.a.b"], "-target and -exclude together"),
        (["plan", "-lock-timeout=soon"], "not a duration"),
        (["plan", "-parallelism=many"], "out of range"),
        (["apply", "-auto-approve", "-lock=false"], "-lock=false is not possible"),
        (["apply", "p.plan", "-target=step.a.b"], "-target with a plan file"),
        (["output", "-raw"], "name is missing"),
        (["output", "-raw", "-json", "x"], "together"),
        (["state", "show"], "or URL is missing"),
        (["state", "show", "step.a.b[x]"], "single quotes"),
        (["state", "show", "step.a@3"], "names no address"),
        (["state", "show", "-format=svg", "step.a.b"], "There are dot, mermaid"),
        (["state", "show", "-format=dot", "-json", "step.a.b"], "-json and -format together"),
        (["state", "diff"], "What to compare is missing"),
        (["state", "export", "-format=marquez"], "There are openlineage"),
        (["state", "export", "-since=now"], "is no number"),
        (["state", "rm"], "address is missing"),
        (["state", "rm", "step.a"], "names no address"),
        (["state", "mv", "step.a.b"], "new address is missing"),
        (["state", "verify", "-all", "-all-workspaces"], "-all and -all-workspaces together"),
        (["state", "gc", "-json"], "-json needs -dry-run or -auto-approve"),
        (["state", "migrate"], "type of the store is missing"),
        (["state", "migrate", "mysql", "-port=many"], "-port"),
        (["state", "gc", "-keep=few"], "is no number"),
        (["state", "gc", "-older-than=old"], "is not a duration"),
        (["logs"], "address is missing"),
        (["logs", "step.a.b[x]"], "single quotes"),
        (["show", "none.plan"], "none.plan"),
        (["graph", "-format=sgv"], 'Did you mean "svg"?'),
        (["graph", "-type=plan", "-plan=x"], "-type and -plan together"),
        (["providers", "shema"], 'Did you mean "schema"?'),
        (["providers", "schema"], "-json is missing"),
        (["console", "-var", "a"], "NAME=VALUE"),
        (["fmt", "-", "x.zen.hcl"], "- and other paths together"),
        (["fmt", "-", "-json"], "- and -json together"),
        (["fmt", "-json", "-diff"], "-json and -diff together"),
        (["-show-completion=bash"], "takes no value"),
    ],
)
def test_what_was_typed_wrong_is_said_and_the_engine_not_asked(zenctl, engine, words, said):
    ran = zenctl(*words)
    assert ran.code == 1
    assert said in " ".join(ran.err.split())
    assert not ran.out
    assert not engine.calls


def test_plan(zenctl, planned):
    ran = zenctl("plan", "-var=epochs=10", "-var-file", "x.zenvars", "-target=step.python.fit", "-refresh=false")
    assert ran.code == 0
    assert "# step.python.fit will be run again" in ran.out
    assert "-out=FILE was not given" in ran.out
    [((inputs, options, _), _)] = planned.called("make_plan")
    assert inputs.variables == (VariableText("epochs", "10"), VariableFile("x.zenvars"))
    assert inputs.workspace == "default"
    assert "10" not in inputs.command
    assert inputs.command.split()[:2] in (["zenctl", "plan"], ["zenctl", "apply"])
    assert options.targets == ("step.python.fit",)
    assert not options.refresh


def test_detailed_exit_codes(zenctl, planned, penguins):
    assert zenctl("plan", "-detailed-exitcode").code == 2
    assert zenctl("plan", "-detailed-exitcode", "-json").code == 2
    assert zenctl("plan", "-detailed-exitcode", "-out=x.plan").code == 2
    planned.answers["make_plan"] = PlanOutcome(no_changes(penguins), ())
    assert zenctl("plan", "-detailed-exitcode").code == 0
    planned.answers["make_plan"] = PlanOutcome(None, (BAD,))
    ran = zenctl("plan", "-detailed-exitcode")
    assert ran.code == 1
    assert "Error: Bad thing" in ran.err


def test_a_saved_plan_can_be_shown_and_applied(zenctl, planned, penguins):
    ran = zenctl("plan", "-out=the.plan")
    assert "zenctl apply the.plan" in ran.out
    shown = zenctl("show", "the.plan")
    assert shown.code == 0
    assert "# step.python.fit will be run again" in shown.out
    document = json.loads(zenctl("show", "-json", "the.plan").out)
    assert document["zenctl_summary"]["run"] == 3
    applied = zenctl("apply", "the.plan")
    assert applied.code == 0
    assert "Enter a value" not in applied.out
    [((_, plan), kwargs)] = planned.called("apply_plan")
    assert plan == penguins
    assert kwargs["parallelism"] == 4


def test_no_footer_in_automation(zenctl, planned):
    assert "-out" not in zenctl("plan", env={"ZENCTL_IN_AUTOMATION": "1"}).out


def test_chdir_is_where_everything_is(zenctl, planned, tmp_path):
    (tmp_path / "there").mkdir()
    assert zenctl("-chdir=there", "plan", "-out=x.plan").code == 0
    assert (tmp_path / "there" / "x.plan").is_file()
    [((inputs, _, _), _)] = planned.called("make_plan")
    assert inputs.root.resolve() == tmp_path / "there"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_plan_that_cannot_be_saved(zenctl, planned, tmp_path):
    tmp_path.chmod(0o500)
    ran = zenctl("plan", "-out=x.plan")
    assert ran.code == 1
    assert "cannot be saved" in ran.err


def test_a_plan_in_a_folder_that_is_not_there(zenctl, planned):
    ran = zenctl("plan", "-out=none/x.plan")
    assert ran.code == 1
    assert "The plan cannot be saved in none/x.plan" in ran.err
    assert "zenctl apply none" not in ran.out


@pytest.mark.parametrize("command", ["apply", "destroy"])
@pytest.mark.parametrize(
    ("flags", "answers", "why"),
    [([], None, "not a terminal"), (["-input=false"], "yes\n", "-input=false"), (["-json"], "yes\n", "-json")],
)
def test_approval_that_nobody_can_give_is_refused_before_planning(zenctl, planned, command, flags, answers, why):
    ran = zenctl(command, *flags, answers=answers)
    assert ran.code == 1
    assert why in ran.err
    assert "-auto-approve" in ran.err
    assert not planned.calls


@pytest.mark.parametrize("answer", ["no\n", "y\n", "Yes\n", "YES\n", "\n", ""])
def test_only_yes_approves(zenctl, planned, answer):
    ran = zenctl("apply", answers=answer)
    assert ran.code == 1
    assert "Enter a value:" in ran.out
    assert "nothing was done" in ran.err
    assert not planned.called("apply_plan")


def test_yes_approves(zenctl, planned):
    ran = zenctl("apply", answers="yes\n")
    assert ran.code == 0
    assert "Apply complete: 1 run." in ran.out


def test_nothing_to_do_asks_nothing(zenctl, planned, penguins):
    planned.answers["make_plan"] = PlanOutcome(no_changes(penguins), ())
    ran = zenctl("apply", answers="")
    assert ran.code == 0
    assert "No changes." in ran.out
    assert "Enter a value" not in ran.out
    assert not planned.called("apply_plan")


def test_destroy_says_that_it_cannot_be_undone(zenctl, planned, penguins):
    planned.answers["make_plan"] = PlanOutcome(replace(penguins, destroy=True, workspace="pr-1"), ())
    ran = zenctl("destroy", answers="yes\n", env={"ZENCTL_WORKSPACE": "pr-1"})
    assert ran.code == 0
    assert "cannot be undone" in ran.out
    assert 'in workspace "pr-1"' in ran.out
    [((inputs, options, _), _)] = planned.called("make_plan")
    assert options.destroy
    assert inputs.workspace == "pr-1"


@pytest.mark.parametrize(("code", "wanted"), [("lock_held", 4), ("plan_stale", 5), ("anything", 1)])
def test_exit_codes_of_apply(zenctl, planned, code, wanted):
    planned.answers["apply_plan"] = ApplyOutcome(diagnostics=(error(code, "X"),))
    ran = zenctl("apply", "-auto-approve")
    assert ran.code == wanted
    assert "Error: X" in ran.err
    assert "Apply" not in ran.out, "what never began is not summed up"


def test_a_failed_step(zenctl, planned):
    planned.answers["apply_plan"] = ApplyOutcome(
        serial=5, failed=("step.python.fit",), skipped=("step.split.x",), diagnostics=(BAD,)
    )
    ran = zenctl("apply", "-auto-approve")
    assert ran.code == 1
    assert "Apply ended with errors: 1 failed, 1 skipped." in ran.out
    assert "zenctl logs step.python.fit" in ran.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupts(zenctl, planned, number, code):
    def interrupted(inputs, plan, *, listener, stop, **others):
        os.kill(os.getpid(), number)
        assert stop.drain.wait(5)
        assert not stop.cancel.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.cancel.wait(5)
        return ApplyOutcome(serial=5, interrupted=True, skipped=("step.python.fit",))

    planned.answers["apply_plan"] = interrupted
    before = signal.getsignal(signal.SIGINT)
    ran = zenctl("apply", "-auto-approve")
    assert ran.code == code
    assert "Interrupted: nothing new is started" in ran.out
    assert "Interrupted again" in ran.out
    assert "Apply was interrupted" in ran.out
    assert signal.getsignal(signal.SIGINT) is before


def test_a_grace_period_ends_what_an_interrupt_leaves_running(zenctl, planned):
    def interrupted(inputs, plan, *, listener, stop, **others):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.drain.wait(5)
        assert stop.cancel.wait(60)
        return ApplyOutcome(serial=5, interrupted=True, canceled=("step.python.fit",))

    planned.answers["apply_plan"] = interrupted
    ran = zenctl("apply", "-auto-approve", env={"ZENCTL_CLI_ARGS_apply": "-grace-period=0.2s"})
    assert ran.code == 143
    assert "what is running has 0.2s to end" in ran.out
    assert "The grace period of 0.2s is over: canceling what is running." in ran.out
    assert zenctl("apply", "-auto-approve", "-grace-period=soon").code == 1


def test_an_interrupt_that_came_too_late_changes_nothing(zenctl, planned):
    def late(inputs, plan, *, stop, **others):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.drain.wait(5)
        return ApplyOutcome(serial=5, ran=("step.python.fit",))

    planned.answers["apply_plan"] = late
    assert zenctl("apply", "-auto-approve").code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupts_while_planning(zenctl, planned, number, code):
    def interrupted(*_):
        # To this thread, which goes on for a moment all the same: it may not end before it hears of it.
        signal.pthread_kill(threading.get_ident(), number)
        threading.Event().wait(PATIENCE)

    planned.answers["make_plan"] = interrupted
    assert zenctl("plan").code == code


def test_apply_as_a_stream(zenctl, planned):
    ran = zenctl("apply", "-auto-approve", "-json")
    assert ran.code == 0
    types = [json.loads(line)["type"] for line in ran.out.splitlines()]
    assert types[0] == "version"
    assert types.count("change_summary") == 2
    assert not ran.err


def test_a_stream_of_errors(zenctl, planned):
    planned.answers["make_plan"] = PlanOutcome(None, (BAD, warning("w", "Odd")))
    ran = zenctl("plan", "-json")
    assert ran.code == 1
    assert [json.loads(line)["type"] for line in ran.out.splitlines()] == ["version", "diagnostic", "diagnostic"]


def test_flags_from_the_environment_are_weaker_than_typed_ones(zenctl, planned):
    env = {"ZENCTL_CLI_ARGS": "-json", "ZENCTL_CLI_ARGS_plan": "-detailed-exitcode -out='a b.plan'"}
    ran = zenctl("plan", "-json=false", "-out=c.plan", env=env)
    assert ran.code == 2
    assert "zenctl apply c.plan" in ran.out
    wrong = zenctl("plan", env={"ZENCTL_CLI_ARGS": "'open"})
    assert wrong.code == 1
    assert "ZENCTL_CLI_ARGS" in wrong.err
    assert zenctl("state", "list", env={"ZENCTL_CLI_ARGS_state_list": "-nonsense"}).code == 1


@pytest.mark.parametrize("name", ["a b", "../x", "-x", "x" * 100])
def test_a_workspace_that_is_no_name(zenctl, planned, name):
    ran = zenctl("plan", env={"ZENCTL_WORKSPACE": name})
    assert ran.code == 1
    assert "ZENCTL_WORKSPACE" in ran.err


def test_no_color_takes_the_colour_away(zenctl, planned):
    assert "\x1b" in zenctl("plan", colour=True).out
    assert "\x1b" not in zenctl("plan", "-no-color", colour=True).out
    assert "\x1b" not in zenctl("plan", "-no-color", "-nonsense", colour=True).err


def test_a_diagnostic_raised_is_shown(zenctl, planned):
    def fail(*_):
        raise DiagnosticError(BAD)

    planned.answers["make_plan"] = fail
    ran = zenctl("plan")
    assert ran.code == 1
    assert "Error: Bad thing" in ran.err


def test_a_bug_is_written_down_without_secrets(zenctl, planned, tmp_path):
    def fail(*_):
        raise RuntimeError("boom hunter2 and swordfish and correcthorse")

    planned.answers["make_plan"] = fail
    (tmp_path / "main.zen.hcl").write_text("")
    env = {"MY_API_TOKEN": "swordfish", "ZENCTL_VAR_pass": "correcthorse"}
    ran = zenctl("plan", "-var=key=hunter2", env=env)
    assert ran.code == 1
    assert "Traceback" not in ran.err
    [log] = (tmp_path / ".zenctl").glob("crash-*.log")
    assert str(log.name) in ran.err
    text = log.read_text()
    assert "Traceback" in text
    assert "boom *** and *** and ***" in text
    assert log.stat().st_mode & 0o077 == 0
    assert "Traceback" in zenctl("plan", env={"ZENCTL_DEBUG": "1"}).err


def test_planfile_of_another_kind(zenctl, engine, tmp_path):
    (tmp_path / "x.plan").write_text("no plan")
    ran = zenctl("apply", "x.plan")
    assert ran.code == 1
    assert "x.plan" in ran.err


def test_an_empty_plan_file_is_applied_without_the_engine(zenctl, planned, penguins, tmp_path):
    planfile.write(tmp_path / "x.plan", no_changes(penguins))
    ran = zenctl("apply", "x.plan")
    assert ran.code == 0
    assert "No changes." in ran.out
    assert not planned.calls


def test_the_whole_command_line_is_recorded(zenctl, planned):
    zenctl("plan", "-refresh=false")
    [((inputs, _, _), _)] = planned.called("make_plan")
    assert inputs.command == "zenctl plan -refresh=false"
