"""A job from its order to its result: what the code gets, what it must write, what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zenctl.jobs.artifacts import blob_path, check_tree, code_path, read_tree
from zenctl.jobs.result import JobResult, JobWarning
from zenctl.jobs.spec import Entry, JobSpec, OutputSpec, job_path, progress_path, result_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import result_to_json, spec_to_json
from zenctl.runner.main import open_store
from zenctl.runner.warned import DETAIL, MOST

from .conftest import RunnerBench, given, value


class TestFunctions:
    def test_inputs_outputs_and_params_by_name(self, bench: RunnerBench) -> None:
        source = """
from pathlib import Path
from zenctl.sdk import Artifact, Metrics, Model, Output, progress
def step(data: Artifact, old: Metrics, model: Model, folder: Path,
         made: Output[Model], scores: Output[Metrics], *, epochs: int, name="x"):
    assert type(old) is Metrics and type(model) is Model and type(data) is Artifact and isinstance(folder, Path)
    assert (data.name, model.name, made.name) == ("data", "model", "made")
    (made.path / "weights").mkdir()
    (made.path / "weights" / "w.txt").write_text((data.path / "sub" / "a.txt").read_text() * epochs)
    scores.log(old=old.values["accuracy"], name=name, digest=data.digest[:4])
    scores.log(files=len(list(folder.iterdir())), accuracy=0.5)
"""
        data = bench.artifact({"sub/a.txt": "ab", "b.txt": ""})
        metrics = bench.artifact({"metrics.json": '{"accuracy": 0.25}'})
        spec = bench.order(
            source,
            inputs={
                "data": given(data),
                "old": given(metrics, "Metrics", "Metrics"),
                "model": given(data, "Model", "Model"),
                "folder": given(data, "Path"),
            },
            outputs={"made": OutputSpec("Model"), "scores": OutputSpec("Metrics")},
            params={"epochs": 3},
        )
        result = bench.succeed(spec)
        assert bench.files(result, "made") == {"weights/w.txt": b"ababab"}
        expected = {"old": 0.25, "name": "x", "digest": data[:4], "files": 2, "accuracy": 0.5}
        assert result.outputs["scores"].properties == expected
        assert (result.outputs["made"].type, result.outputs["made"].files, result.outputs["made"].bytes) == (
            "Model",
            1,
            6,
        )
        assert result.started <= result.ended
        for output in result.outputs.values():
            check_tree(bench.storage, output.digest)

    @pytest.mark.parametrize("returned", ["3", "'text'", "[1, {'a': None}]", "{'a': True}", "0.5", "(1, 2)", "False"])
    def test_a_returned_value_is_kept(self, bench: RunnerBench, returned: str) -> None:
        result = bench.succeed(bench.order(f"def step():\n    return {returned}\n", outputs=value()))
        kept = json.loads(bench.files(result, "result")["result.json"])
        expected = json.loads(json.dumps(eval(returned)))
        assert kept == {"value": expected}
        assert result.outputs["result"].properties == {"value": expected}

    @pytest.mark.parametrize(
        ("returned", "kind", "text"),
        [
            ("object()", "user_error", "object"),
            ("float('nan')", "user_error", "finite"),
            ("{1: 2}", "user_error", "keys must be strings"),
            ("None", "output_missing", "returned nothing"),
        ],
    )
    def test_a_returned_value_that_is_not_json(self, bench: RunnerBench, returned: str, kind: str, text: str) -> None:
        error = bench.fail(bench.order(f"def step():\n    return {returned}\n", outputs=value()))
        assert error.kind == kind
        assert text in error.message
        assert error.file == "steps/fit.py"
        assert error.hint

    @pytest.mark.parametrize(
        ("type", "how"),
        [("Model", "model.save("), ("Metrics", ".log("), ("Artifact", "at least one file"), ("History", ".path")],
    )
    def test_an_output_that_was_not_written(self, bench: RunnerBench, type: str, how: str) -> None:
        source = "def step(out, other):\n    (other.path / 'x').mkdir()\n    (other.path / 'y').write_text('')\n"
        outputs = {"out": OutputSpec(type), "other": OutputSpec("Artifact")}
        error = bench.fail(bench.order(source, outputs=outputs))
        assert error.kind == "output_missing"
        assert "'out'" in error.message
        assert how in error.hint
        assert "out" in error.hint or type == "Model"

    def test_positional_only_and_extra_keywords(self, bench: RunnerBench) -> None:
        source = "def step(data, out, /, *, a, **more):\n    (out.path / 'x').write_text(str((data.name, a, more)))\n"
        digest = bench.artifact({"x": ""})
        outputs = {"out": OutputSpec("Artifact")}
        spec = bench.order(source, inputs={"data": given(digest)}, outputs=outputs, params={"a": 1, "b": 2})
        assert bench.files(bench.succeed(spec), "out") == {"x": b"('data', 1, {'b': 2})"}

    def test_arguments_that_do_not_fit(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order("\n\ndef step(*, epochs):\n    return epochs\n", outputs=value()))
        assert "epochs" in error.message
        assert (error.file, error.line) == ("steps/fit.py", 3)

    @pytest.mark.parametrize(
        ("source", "text", "hint"),
        [
            ("def stepp(): pass", "no function 'step'", 'Did you mean "stepp"?'),
            ("step = 3", "not a function", "Name a function"),
            ("async def step(): pass", "async", "asyncio.run"),
        ],
    )
    def test_what_cannot_be_called(self, bench: RunnerBench, source: str, text: str, hint: str) -> None:
        error = bench.fail(bench.order(source))
        assert text in error.message
        assert hint in error.hint

    def test_helpers_are_found_from_the_folder_and_from_the_entrys_own(self, bench: RunnerBench) -> None:
        files = {
            "steps/fit.py": "import near, far\nfrom steps import near as same\nfrom . import near as relative\n"
            "import os\ndef step():\n"
            "    return [near.N, far.N, same is relative, __name__, os.path.exists('data.txt')]\n",
            "steps/near.py": "N = 1\n",
            "far.py": "N = 2\n",
            "data.txt": "declared in `files`",
        }
        result = bench.succeed(bench.order(files, outputs=value()))
        assert result.outputs["result"].properties["value"] == [1, 2, True, "steps.fit", True]

    def test_a_folder_named_like_a_package_of_python(self, bench: RunnerBench) -> None:
        files = {"test/fit.py": "import near\ndef step():\n    return near.N\n", "test/near.py": "N = 5\n"}
        spec = bench.order(files, entry=Entry(file="test/fit.py", function="step"), outputs=value())
        assert bench.succeed(spec).outputs["result"].properties["value"] == 5

    def test_a_built_in_step_gets_a_job(self, bench: RunnerBench, tmp_path: Path) -> None:
        # A module of the interpreter stands for a built-in step; both are called with one Job.
        site = tmp_path / "site"
        site.mkdir()
        (site / "builtin_step.py").write_text(
            "from zenctl.sdk import Metrics\n"
            "def run(job):\n"
            "    assert type(job.inputs['old']) is Metrics\n"
            "    assert list(job.scratch.iterdir()) == []\n"
            "    job.progress(1, 2, 'rows')\n"
            "    facts = [dict(job.params), dict(job.locations), dict(job.expect), dict(job.processing)]\n"
            "    job.outputs['metrics'].log(facts=facts)\n"
        )
        metrics = bench.artifact({"metrics.json": "{}"})
        spec = bench.order(
            entry=Entry(module="builtin_step", function="run", arguments="job"),
            inputs={"old": given(metrics, type="Metrics")},
            outputs={"metrics": OutputSpec("Metrics")},
            params={"a": 1},
            locations={"source": "/data"},
            expect={"source": "abc"},
            processing={"runner": "DirectRunner"},
        )
        result = bench.succeed(spec, env={"PYTHONPATH": str(site)})
        facts = [{"a": 1}, {"source": "/data"}, {"source": "abc"}, {"runner": "DirectRunner"}]
        assert result.outputs["metrics"].properties == {"facts": facts}
        assert (bench.storage.root / progress_path(spec.job_id)).exists()

    def test_a_built_in_step_of_a_zenctl_that_is_not_installed(self, bench: RunnerBench) -> None:
        entry = Entry(module="zenctl.steps.of_the_future.job", function="run", arguments="job")
        error = bench.fail(bench.order(entry=entry))
        assert "zenctl.steps.of_the_future" in error.message
        assert "Install zenctl" in error.hint

    def test_it_may_leave_with_exit_0_and_threads_running(self, bench: RunnerBench) -> None:
        source = "import sys, threading, time\ndef step(out):\n    (out.path / 'x').write_text('1')\n"
        source += "    threading.Thread(target=time.sleep, args=(1000,)).start()\n    sys.exit(0)\n"
        result = bench.succeed(bench.order(source, outputs={"out": OutputSpec("Artifact")}))
        assert bench.files(result, "out") == {"x": b"1"}


class TestCommands:
    def test_a_command_learns_its_paths_and_parameters(self, bench: RunnerBench) -> None:
        script = '#!/bin/sh\ncat "$ZENCTL_INPUT_MY_DATA/a" > "$ZENCTL_OUTPUT_OUT/b"\n'
        script += 'echo "$ZENCTL_PARAM_NAME $ZENCTL_PARAM_EPOCHS $ZENCTL_PARAMS" >> "$ZENCTL_OUTPUT_OUT/b"\necho said\n'
        spec = bench.order(
            {"run.sh": script},
            entry=Entry(command=("/bin/sh", "run.sh")),
            inputs={"my-data": given(bench.artifact({"a": "content\n"}))},
            outputs={"out": OutputSpec("Artifact")},
            params={"name": "x y", "epochs": 3},
        )
        files = bench.files(bench.succeed(spec), "out")
        assert files == {"b": b'content\nx y 3 {"epochs": 3, "name": "x y"}\n'}
        assert "said" in bench.log

    @pytest.mark.parametrize(
        ("command", "text"),
        [
            (("/bin/sh", "-c", "exit 3"), "exit code 3"),
            (("/bin/sh", "-c", "kill -9 $$"), "SIGKILL"),
            (("no-such-program",), "cannot be started"),
        ],
    )
    def test_a_command_that_fails(self, bench: RunnerBench, command: tuple[str, ...], text: str) -> None:
        error = bench.fail(bench.order(entry=Entry(command=command)))
        assert (error.kind, text in error.message) == ("user_error", True)

    def test_an_output_that_a_command_did_not_write(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order(entry=Entry(command=("true",)), outputs={"my-out": OutputSpec("Artifact")}))
        assert error.kind == "output_missing"
        assert "ZENCTL_OUTPUT_MY_OUT" in error.hint

    def test_metrics_of_a_command_are_checked(self, bench: RunnerBench) -> None:
        command = ("/bin/sh", "-c", 'echo \'{"a": NaN}\' > "$ZENCTL_OUTPUT_M/metrics.json"')
        error = bench.fail(bench.order(entry=Entry(command=command), outputs={"m": OutputSpec("Metrics")}))
        assert "NaN" in error.message


class TestInputs:
    def test_a_damaged_input_is_seen(self, bench: RunnerBench) -> None:
        digest = bench.artifact({"a": "content"})
        path = bench.storage.local_path(blob_path(read_tree(bench.storage, digest).files[0].sha256))
        path.chmod(0o644)
        path.write_text("CONTENT")
        error = bench.fail(bench.order("def step(data): pass\n", inputs={"data": given(digest)}))
        assert error.kind == "input_corrupt"
        assert "damaged" in error.message

    def test_a_missing_input_is_seen(self, bench: RunnerBench) -> None:
        error = bench.fail(bench.order("def step(data): pass\n", inputs={"data": given("0" * 64)}))
        assert error.kind == "input_corrupt"
        assert "gone" in error.message

    @pytest.mark.parametrize(
        "change",
        [
            "(data.path / 'a').chmod(0o644); (data.path / 'a').write_text('CONTENT')",
            "(data.path / 'a').unlink()",
            "(data.path / 'a').unlink(); (data.path / 'a').write_text('content')",
        ],
    )
    def test_a_changed_input_fails_the_step(self, bench: RunnerBench, change: str) -> None:
        digest = bench.artifact({"a": "content", "b": "more"})
        spec = bench.order(
            f"def step(data):\n    {change}\n    return 1\n", inputs={"data": given(digest)}, outputs=value()
        )
        error = bench.fail(spec)
        assert error.kind == "user_error"
        assert "data: a" in error.message
        # Nothing in the store looks whole that is not: the artifact is as it was, or its damaged part is gone.
        blob = blob_path(read_tree(bench.storage, digest).files[0].sha256)
        if bench.storage.stat(blob) is not None:
            with bench.storage.open(blob) as stream:
                assert stream.read() == b"content"

    def test_a_file_beside_the_input_is_no_change(self, bench: RunnerBench) -> None:
        digest = bench.artifact({"a": "content"})
        source = "def step(data):\n    (data.path / 'cache').write_text('x')\n    return 1\n"
        bench.succeed(bench.order(source, inputs={"data": given(digest)}, outputs=value()))
        assert [f.path for f in read_tree(bench.storage, digest).files] == ["a"]


class TestSurroundings:
    def test_environment_and_secrets(self, bench: RunnerBench) -> None:
        (bench.root / "token").write_text("file-secret-value\n")
        source = (
            "import os\ndef step():\n    raise ValueError(os.environ['A'] + os.environ['B'] + os.environ['PLAIN'])\n"
        )
        spec = bench.order(
            source, environment={"PLAIN": "-plain"}, secrets={"A": "env:MY_TOKEN", "B": "file:token"}, outputs=value()
        )
        error = bench.fail(spec, env={"MY_TOKEN": "env-secret-value"})
        assert error.message == "ValueError: (sensitive value)(sensitive value)-plain"
        written = b"".join(p.read_bytes() for p in bench.storage.root.rglob("*") if p.is_file())
        for secret in ("env-secret-value", "file-secret-value"):
            assert secret not in bench.log
            assert secret.encode() not in written

    @pytest.mark.parametrize("reference", ["env:NOT_SET_ANYWHERE", "file:not/there", "gcp-secret:x", "plain"])
    def test_a_secret_that_cannot_be_resolved(self, bench: RunnerBench, reference: str) -> None:
        # No metadata server answers there.
        env = {"GCE_METADATA_HOST": "127.0.0.1:9"}
        error = bench.fail(bench.order("def step(): pass\n", secrets={"TOKEN": reference}), env=env)
        assert "TOKEN" in error.message
        assert error.kind == "user_error"

    def test_the_environment_is_recorded(self, bench: RunnerBench) -> None:
        imports = ("numpy", "yaml", "zenctl_of_nowhere")
        result = bench.succeed(bench.order("def step():\n    return 1\n", imports=imports, outputs=value()))
        import sys

        import numpy
        import yaml

        assert result.environment["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
        assert result.environment["distributions"] == {"numpy": numpy.__version__, "pyyaml": yaml.__version__}

    def test_the_log_is_utf8_and_whole(self, bench: RunnerBench) -> None:
        source = "import subprocess, sys\ndef step():\n    print('héllo')\n    subprocess.run(['echo', 'child'])\n"
        source += "    print('\\ud800 last', file=sys.stderr)\n    return 1\n"
        bench.succeed(bench.order(source, outputs=value()), env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
        assert bench.log.splitlines() == ["héllo", "child", "\\ud800 last"]

    def test_progress_is_thinned_and_its_last_line_kept(self, bench: RunnerBench) -> None:
        source = (
            "from zenctl.sdk import progress\ndef step():\n    for i in range(5000): progress(i + 1, 5000, 'rows')\n"
        )
        spec = bench.order(source + "    return 1\n", outputs=value())
        bench.succeed(spec)
        lines = (bench.storage.root / progress_path(spec.job_id)).read_text().splitlines()
        assert len(lines) < 50
        assert json.loads(lines[0]) == {"done": 1, "total": 5000, "unit": "rows"}
        assert json.loads(lines[-1]) == {"done": 5000, "total": 5000, "unit": "rows"}


class TestWarnings:
    SOURCE = (
        "import os\nfrom zenctl.sdk import warn\n"
        "def step():\n"
        "    warn('3 of 9 rows\\n  have no label', '  row 7: ' + os.environ['TOKEN'])\n"
        "    warn('3 of 9 rows have no label', '  row 7: ' + os.environ['TOKEN'])\n"
        "    warn('x' * 195 + os.environ['TOKEN'], 'long ' * 2000)\n"
        "    warn('\\udc80')\n"
        "    for i in range(30): warn(f'number {i}')\n"
    )

    def result(self, bench: RunnerBench, source: str) -> JobResult:
        spec = bench.order(source, outputs=value(), secrets={"TOKEN": "env:GIVEN"})
        result = bench.run(spec, env={"GIVEN": "tok-123456"})
        assert result is not None
        return result

    def test_are_kept_once_without_secrets_and_within_bounds(self, bench: RunnerBench) -> None:
        kept = self.result(bench, self.SOURCE + "    return 1\n").warnings
        assert kept[0] == JobWarning("3 of 9 rows have no label", "  row 7: (sensitive value)")
        assert kept[1].summary == "x" * 195 + "( ..."
        assert len(kept[1].detail) == DETAIL
        assert kept[2:4] == (JobWarning("\\udc80"), JobWarning("number 0"))
        assert len(kept) == MOST + 1
        assert kept[-1] == JobWarning("13 more warnings", "They stand in the log.")
        assert "tok-1" not in repr(kept)
        assert "Warning: 3 of 9 rows have no label\n  row 7: (sensitive value)\nWarning: xxx" in bench.log
        assert bench.log.count("3 of 9 rows") == 1
        assert "Warning: number 29" in bench.log

    def test_those_of_a_step_that_fails_are_kept_too(self, bench: RunnerBench) -> None:
        result = self.result(bench, "from zenctl.sdk import warn\ndef step():\n    warn('near')\n    warn(' ')\n")
        assert result.warnings == (JobWarning("near"),)
        assert result.error is not None
        assert "a warning needs a summary" in result.error.message


class TestOrders:
    def test_a_newer_order_is_refused(self, bench: RunnerBench) -> None:
        spec = JobSpec("newer", "step.python.fit", Entry(file="x.py", function="f"), format=99)
        bench.storage.put(job_path("newer"), spec_to_json(spec))
        error = bench.fail(spec)
        assert error.kind == "internal"
        assert "update zenctl" in error.message

    def test_an_order_that_is_not_there(self, bench: RunnerBench) -> None:
        spec = JobSpec("absent", "step.python.fit", Entry(file="x.py", function="f"))
        assert "job.json" in bench.fail(spec).message

    def test_a_store_that_it_cannot_reach(self, bench: RunnerBench) -> None:
        with pytest.raises(Exception, match="cannot reach ftp://"):
            open_store("ftp://host/prefix")
        spec = bench.order("def step(): pass\n")
        import subprocess
        import sys

        done = subprocess.run(
            [sys.executable, "-m", "zenctl.runner", "ftp://b", spec.job_id], capture_output=True, text=True
        )
        assert done.returncode == 3
        assert "ftp://" in done.stderr

    def test_uris_and_folders_name_the_same_store(self, bench: RunnerBench) -> None:
        by_uri, by_path = open_store(bench.storage.uri), open_store(str(bench.storage.root))
        assert isinstance(by_uri, FolderStorage)
        assert isinstance(by_path, FolderStorage)
        assert by_uri.root == by_path.root == bench.storage.root

    def test_a_job_that_has_a_result_is_not_run_again(self, bench: RunnerBench) -> None:
        spec = bench.order("raise SystemError('it ran')\n")
        bench.storage.put(result_path(spec.job_id), result_to_json(JobResult(spec.job_id)))
        bench.succeed(spec)
        assert bench.log == ""

    def test_code_that_is_gone(self, bench: RunnerBench) -> None:
        spec = bench.order("def step(): pass\n")
        bench.storage.delete(code_path(spec.code))
        assert bench.fail(spec).kind == "input_corrupt"
