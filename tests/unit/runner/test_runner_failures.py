"""Whatever ends a step is told in terms of the user's code, and leaves nothing that looks whole."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from zenctl.digests import sha256_file
from zenctl.jobs.artifacts import check_tree
from zenctl.jobs.spec import Entry, OutputSpec
from zenctl.runner import lifetime
from zenctl.runner.failures import Place, describe

from .conftest import RunnerBench, given, value

HELPER = {
    "steps/fit.py": "from steps.help import work\n\ndef step():\n    return work(0)\n",
    "steps/help.py": "import json\n\ndef work(x):\n    return 1 / x\n\ndef parse(x):\n    return json.loads('{')\n",
}


class TestExceptions:
    def test_the_traceback_has_the_users_frames_only(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order(HELPER, outputs=value()))
        assert error.kind == "user_error"
        assert error.message == "ZeroDivisionError: division by zero"
        assert (error.file, error.line) == ("steps/help.py", 4)
        lines = [line.strip() for line in error.traceback.splitlines() if "^" not in line]
        assert lines == [
            "Traceback (most recent call last):",
            'File "steps/fit.py", line 4, in step',
            "return work(0)",
            'File "steps/help.py", line 4, in work',
            "return 1 / x",
            "ZeroDivisionError: division by zero",
        ]
        assert error.traceback in bench.log

    def test_of_library_frames_only_the_last_is_kept(self, bench: RunnerBench) -> None:
        files = {**HELPER, "steps/fit.py": "from steps.help import parse\ndef step():\n    return parse(1)\n"}
        error = bench.fail(bench.order(files))
        assert error.message.startswith("JSONDecodeError")
        assert (error.file, error.line) == ("steps/help.py", 7)
        places = [line.split('"')[1] for line in error.traceback.splitlines() if line.strip().startswith("File")]
        assert places[:2] == ["steps/fit.py", "steps/help.py"]
        assert len(places) == 3
        assert places[2].endswith("decoder.py")

    def test_causes_are_told_too(self, bench: RunnerBench) -> None:
        source = "def step():\n    try:\n        {}['k']\n    except KeyError as e:\n        raise ValueError from e\n"
        error = bench.fail(bench.order(source))
        assert "KeyError: 'k'" in error.traceback
        assert "direct cause" in error.traceback
        assert "zenctl" not in error.traceback

    def test_a_syntax_error(self, bench: RunnerBench) -> None:
        files = {"steps/fit.py": "from steps import bad\n", "steps/bad.py": "x = 1\ndef f(:\n    pass\n"}
        error = bench.fail(bench.order(files))
        assert error.message == "SyntaxError: invalid syntax"
        assert (error.file, error.line) == ("steps/bad.py", 2)
        assert 'File "steps/bad.py", line 2' in error.traceback

    def test_a_package_that_is_not_installed(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order("import os\nimport google_crc33c.inner\ndef step(): pass\n"))
        assert "steps/fit.py imports google_crc33c" in error.message
        assert "not installed" in error.message
        assert error.hint.endswith("-m pip install google-crc33c")
        assert (error.file, error.line) == ("steps/fit.py", 2)

    def test_a_file_of_the_users_that_is_not_in_the_closure(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order("import steps.absent\ndef step(): pass\n"))
        assert "steps.absent" in error.message
        assert "not part of the step's code" in error.message

    @pytest.mark.parametrize(
        ("raised", "text"),
        [
            ("sys.exit(3)", "sys.exit(3)"),
            ("sys.exit('a reason')", "a reason"),
            ("raise MemoryError", "out of memory"),
            ("step()", "RecursionError"),
            ("raise BrokenPipeError(32, 'Broken pipe')", "BrokenPipeError"),
            ("raise BaseException('base')", "base"),
            ("raise Silent", "Silent: (its text cannot be made: RuntimeError)"),
        ],
    )
    def test_unusual_ends(self, bench: RunnerBench, raised: str, text: str) -> None:
        source = "import sys\nclass Silent(Exception):\n    def __str__(self): raise RuntimeError\n"
        error = bench.fail(bench.order(f"{source}def step():\n    {raised}\n"))
        assert error.kind == "user_error"
        assert text in error.message
        assert (error.file, error.line) == ("steps/fit.py", 5)

    def test_a_step_error_is_told_as_it_is(self, bench: RunnerBench) -> None:
        source = (
            "from zenctl.sdk import StepError\ndef step():\n    raise StepError('row 7 is bad', 'fix it', 'a.csv', 7)\n"
        )
        error = bench.fail(bench.order(source))
        assert (error.kind, error.message, error.hint, error.file, error.line) == (
            "bad_data", "row 7 is bad", "fix it", "a.csv", 7,
        )  # fmt: skip
        assert error.traceback == ""

    def test_a_bug_of_a_built_in_step_is_ours(self, bench: RunnerBench, tmp_path: Path) -> None:
        (tmp_path / "builtin_bug.py").write_text("def run(job):\n    raise KeyError('oops')\n")
        entry = Entry(module="builtin_bug", function="run", arguments="job")
        error = bench.fail(bench.order(entry=entry), env={"PYTHONPATH": str(tmp_path)})
        assert error.kind == "internal"
        assert "builtin_bug.py" in error.traceback

    def test_closed_standard_streams(self, bench: RunnerBench) -> None:
        close = "    sys.stdout.close()\n    sys.stderr.close()\n"
        source = f"import sys\ndef step():\n    print('before')\n{close}    return 7\n"
        result = bench.succeed(bench.order(source, outputs=value()))
        assert result.outputs["result"].properties == {"value": 7}
        assert "before" in bench.log

    def test_nobody_reads_what_it_prints(self, bench: RunnerBench) -> None:
        spec = bench.order("def step():\n    for i in range(10000): print(i)\n    return 1\n", outputs=value())
        process = subprocess.Popen(bench.command(spec), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()
        process.wait(240)
        result = bench.result(spec)
        assert result is not None
        assert result.error is not None
        assert "BrokenPipeError" in result.error.message


class TestFullDisk:
    @pytest.mark.parametrize(
        "raised",
        [
            "raise OSError(28, 'No space left on device')",
            "raise RuntimeError('x.data: No space left on device')",
            "try:\n        raise OSError(28, 'full')\n    except OSError as e:\n        raise ValueError from e",
        ],
    )
    def test_whoever_sees_it_first(self, bench: RunnerBench, raised: str) -> None:
        error = bench.fail(bench.order(f"def step():\n    {raised}\n"))
        assert error.kind == "storage"
        assert "disk" in error.hint

    def test_storing_the_outputs_on_it(self, bench: RunnerBench, tmp_path: Path) -> None:
        # A limit on file size is the nearest to a full disk that needs no privileges and no file system of its own.
        source = "import resource, signal\ndef step(out):\n    (out.path / 'x').write_bytes(b'y' * 100_000)\n"
        source += "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        source += "    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        error = bench.fail(bench.order(source, outputs={"out": OutputSpec("Artifact")}))
        assert error.kind == "storage"
        assert list(bench.storage.list("blobs/")) == []
        assert list(bench.storage.list("trees/")) == []
        assert not list(bench.storage.root.rglob(".put-*"))

    def test_no_room_even_for_the_result(self, bench: RunnerBench) -> None:
        source = "import resource, signal\ndef step():\n    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        source += "    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n    return 1\n"
        spec = bench.order(source, outputs=value())
        # Its log is a pipe, which the limit does not concern.
        assert bench.run(spec) is None
        assert bench.exit_code == 3
        assert "result cannot be written" in bench.log


class TestTime:
    def test_timeout(self, bench: RunnerBench) -> None:
        source = "import time\ndef step():\n    time.sleep(1000)\n"
        error = bench.fail(bench.order(source, timeout=0.3))
        assert error.kind == "timeout"
        assert "0.3 seconds" in error.message

    def test_timeout_of_a_command(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order(entry=Entry(command=("sleep", "1000")), timeout=0.3))
        assert error.kind == "timeout"

    def test_a_swallowed_timeout_still_counts(self, bench: RunnerBench) -> None:
        source = "import time\ndef step():\n    try:\n        time.sleep(1000)\n"
        source += "    except BaseException:\n        return 1\n"
        assert bench.fail(bench.order(source, timeout=0.3, outputs=value())).kind == "timeout"

    def test_code_that_does_not_heed_its_timeout(self, bench: RunnerBench, tmp_path: Path) -> None:
        # The grace period is shortened in the job's own process, before its code begins.
        (tmp_path / "sitecustomize.py").write_text("import zenctl.runner.lifetime as l\nl.OVERDUE = 0.2\n")
        source = (
            "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef step():\n    time.sleep(1000)\n"
        )
        spec = bench.order(source, timeout=0.2)
        assert lifetime.OVERDUE > 1
        assert bench.fail(spec, env={"PYTHONPATH": str(tmp_path)}).kind == "timeout"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_canceled(self, bench: RunnerBench, number: signal.Signals) -> None:
        source = "import time\ndef step():\n    print('begun', flush=True)\n    time.sleep(1000)\n"
        spec = bench.order(source)
        process = subprocess.Popen(bench.command(spec), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        process.communicate(timeout=240)
        result = bench.result(spec)
        assert result is not None
        assert result.error is not None
        assert result.error.kind == "canceled"


class TestKilled:
    def test_at_any_instant_nothing_looks_whole_that_is_not(self, bench: RunnerBench) -> None:
        source = (
            "def step(data, out):\n    for i in range(30):\n        (out.path / f'{i}').write_text(f'{i}' * 9000)\n"
        )
        digest = bench.artifact({"a": "content"})
        chance = random.Random(7)
        finished = 0
        for _ in range(12):
            spec = bench.order(source, inputs={"data": given(digest)}, outputs={"out": OutputSpec("Artifact")})
            process = subprocess.Popen(bench.command(spec))
            try:
                process.wait(chance.uniform(0.05, 0.25))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            result = bench.result(spec)
            if result is not None:
                assert result.ok
                check_tree(bench.storage, result.outputs["out"].digest)
                finished += 1
            for info in bench.storage.list("blobs/"):
                assert sha256_file(bench.storage.local_path(info.path)) == info.path.rpartition("/")[2]
            for info in bench.storage.list("trees/"):
                path = bench.storage.local_path(info.path)
                assert sha256_file(path) == path.stem
                json.loads(path.read_bytes())
        again = bench.order(source, inputs={"data": given(digest)}, outputs={"out": OutputSpec("Artifact")})
        bench.succeed(again)

    def test_a_job_ends_with_its_parent(self, bench: RunnerBench) -> None:
        if not os.path.isdir("/proc"):
            pytest.skip("only Linux has the means")
        source = "import os, time\ndef step():\n    print(os.getpid(), flush=True)\n    time.sleep(1000)\n"
        spec = bench.order(source)
        job = " ".join(f"'{word}'" for word in bench.command(spec))
        parent = subprocess.Popen(["/bin/sh", "-c", f"{job} --parent $$ & wait"], stdout=subprocess.PIPE)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        deadline = time.monotonic() + 240
        while os.path.isdir(f"/proc/{pid}") and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            assert time.monotonic() < deadline, "the job lives on"
            time.sleep(0.02)


def test_a_long_message_is_cut() -> None:
    error = describe(ValueError("x" * 100_000), Place("/nowhere"))
    assert len(error.message) < 5_000
    assert error.message.startswith("ValueError: xxx")
