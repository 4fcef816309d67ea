"""What verifying, freeing, forgetting and moving say, to people and to programs."""

from __future__ import annotations

import io
from dataclasses import replace

from zenctl.cli.terminal import Terminal
from zenctl.cli.views import editing, garbage, verification
from zenctl.cli.views.diagnostics import Sources
from zenctl.cli.views.reading import Reading
from zenctl.cli.views.state import artifact_text
from zenctl.cli.views.style import PLAIN
from zenctl.diagnostics import error
from zenctl.engine.collecting import Collected
from zenctl.engine.editing import Left, MoveOutcome, RemoveOutcome
from zenctl.engine.garbage import Garbage, Group
from zenctl.engine.integrity import Fault, Named, Progress, Verified
from zenctl.engine.verifying import VerifyOutcome
from zenctl.jobs.storage import ObjectInfo
from zenctl.metadata.state import RecordedArtifact

MODEL = Named("a" * 64, "Model", ("step.train.fit.model", "pr-1: step.train.fit.model", "x.y", "z"))
CORRUPT = Fault("corrupt", MODEL, "fit.keras", "blobs/aa/aa", 2_000_000, 1_999_999, "1" * 64, "2" * 64)
FOUND = Verified(3, 9, 2_000_000, 0.5, (CORRUPT, replace(CORRUPT, kind="missing", found_size=None, found_digest=None)))
SOURCES = Sources({}, None)  # type: ignore[arg-type]


def test_a_fault_says_what_was_expected_and_found() -> None:
    said = "\n".join(verification.verified_lines(FOUND, PLAIN))
    assert "corrupt  step.train.fit.model, pr-1: step.train.fit.model, x.y and 1 more: fit.keras" in said
    assert "expected   sha256 111111111111, 2,000,000 bytes" in said
    assert "found      sha256 222222222222, 1,999,999 bytes" in said
    assert said.count("found  ") == 1
    assert "1 missing and 1 corrupt. Read 3 artifacts, 9 files, 2.0 MB in 0.5s, 4.0 MB/s." in said
    assert "-remove-corrupt` deletes what is corrupt" in said
    removed = "\n".join(verification.verified_lines(replace(FOUND, removed=("blobs/aa/aa",)), PLAIN))
    assert "1 corrupt file deleted. `zenctl plan` shows" in removed
    unreadable = replace(CORRUPT, found_size=None, found_digest=None)
    lines = verification.verified_lines(replace(FOUND, faults=(unreadable,)), PLAIN)
    assert "  found      it cannot be read" in lines


def test_verified_for_programs() -> None:
    document = verification.verified_document(VerifyOutcome(FOUND), SOURCES)
    assert (document["clean"], document["bytes"], len(document["faults"])) == (False, 2_000_000, 2)
    assert document["faults"][0]["expected"] == {"bytes": 2_000_000, "sha256": "1" * 64}
    assert document["faults"][1]["found"] is None
    failed = verification.verified_document(VerifyOutcome(None, (error("x", "No store", "Make one."),)), SOURCES)
    assert (failed["clean"], failed["faults"], failed["diagnostics"][0]["summary"]) == (None, [], "No store")


def test_a_pipe_hears_every_ten_seconds_and_a_terminal_sees_a_bar() -> None:
    out, now = io.StringIO(), [0.0]
    terminal = Terminal(out, io.StringIO(), io.StringIO())
    with Reading(terminal, "Verifying", lambda: now[0]) as reading:
        for seconds, done in ((5.0, 1), (10.0, 50_000_000), (12.0, 60_000_000), (20.0, 90_000_000)):
            now[0] = seconds
            reading(Progress(done, 100_000_000))
    assert out.getvalue().splitlines() == [
        "Verifying: 50.0 MB of 100.0 MB, 5.0 MB/s",
        "Verifying: 90.0 MB of 100.0 MB, 4.5 MB/s",
    ]
    drawn = Screen()
    with Reading(replace(terminal, out=drawn, live=True, width=100), "Verifying") as reading:
        reading(Progress(100_000_000, 100_000_000))
    assert "100.0/100.0 MB" in drawn.getvalue()


class Screen(io.StringIO):
    """A terminal's output."""

    def isatty(self) -> bool:
        return True


FILES = (ObjectInfo("blobs/a", 1000, 0.0), ObjectInfo("trees/a", 24, 0.0))
FREED = Garbage(
    objects=FILES,
    staging=(ObjectInfo("blobs/.put-x", 2000, 0.0),),
    held=(ObjectInfo("blobs/b", 5000, 0.0),),
    groups=(Group("step.train.fit", ("default", "pr-1"), 2, 2, 1024),),
)


def test_garbage_is_a_table_with_a_sum() -> None:
    assert garbage.garbage_lines(FREED, PLAIN) == [
        "ADDRESS               VERSIONS  FILES    SIZE",
        "step.train.fit               2      2  1.0 kB",
        "what no record names                1  2.0 kB",
        "",
        "2 versions of 1 address and 1 abandoned file, 3.0 kB in all.",
        "5.0 kB stay that an interrupted apply may have left; the next apply settles that.",
    ]
    assert garbage.garbage_lines(Garbage(), PLAIN) == ["There is nothing to free."]
    assert garbage.collected_line(Collected(FREED, 3, 3024, True), PLAIN).startswith("Freed 3 files, 3.0 kB. What was")
    assert garbage.collected_line(Collected(FREED, 1, 1000), PLAIN) == "Freed 1 file, 1.0 kB."
    document = garbage.garbage_document(FREED, Collected(FREED, 3, 3024, True), (), SOURCES)
    assert document["garbage"]["addresses"][0]["workspaces"] == ["default", "pr-1"]
    assert (document["garbage"]["files"], document["garbage"]["bytes"]) == (3, 3024)
    assert document["freed"] == {"files": 3, "bytes": 3024, "finished": True}


def test_what_runs_on_is_said_with_what_to_do() -> None:
    left = Left('endpoint.local.a["eu"]', "a-eu", "http://127.0.0.1:8501")
    outcome = RemoveOutcome((left.address, "step.python.fit"), (left,), 7)
    said = "\n".join(editing.removed_lines(outcome, PLAIN, dry_run=False))
    assert "runs on at http://127.0.0.1:8501" in said
    assert "zenctl import 'endpoint.local.a[\"eu\"]' a-eu" in said
    assert "2 addresses forgotten. It is recorded as apply 7." in said
    assert "Nothing was changed" in "\n".join(editing.removed_lines(outcome, PLAIN, dry_run=True))
    assert editing.removed_document(outcome, SOURCES)["left_running"][0]["url"] == "http://127.0.0.1:8501"
    moved = MoveOutcome({"step.python.a": "step.python.b"}, 8)
    assert "1 address moved. It is recorded as apply 8." in editing.moved_lines(moved, PLAIN, dry_run=False)[-1]
    assert editing.moved_document(moved, SOURCES)["moved"] == [{"from": "step.python.a", "to": "step.python.b"}]


def test_a_freed_artifact_is_shown_as_such() -> None:
    freed = RecordedArtifact(1, "Model", "trees/a", "a" * 64, 1500, deleted=True)
    assert artifact_text(freed) == "Model aaaaaaaaaaaa (freed by state gc, 1.5 kB)"
