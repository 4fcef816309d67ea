"""Jobs as processes of this machine: the contract of backends, and what only this one promises."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from zenctl.jobs.spec import Entry
from zenctl.provider import ErrorKind, JobState, ProviderError
from zenctl.provider.testing.compute import ComputeBench, ComputeConformance
from zenctl_local.forkserver import kill_group, started
from zenctl_local.launcher import ForkServer, Limits

from .conftest import Project, eventually, start_elsewhere, wait

WHO = "import os, sys\ndef step():\n    return [os.getpid(), os.getppid(), sys.executable, sys.version_info[1]]\n"


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE and psutil.Process(pid).ppid() != os.getpid()
    except psutil.NoSuchProcess:
        return True


def module(project: Project, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> None:
    """Install a third-party module for the fork server and its jobs."""
    site = project.root.parent / "site"
    site.mkdir(exist_ok=True)
    (site / f"{name}.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(site))


class TestLocalConformance(ComputeConformance):
    @pytest.fixture
    def bench(self, project: Project) -> ComputeBench:
        return ComputeBench(lambda: project.compute(Limits(grace=0.5)), project.storage, project.runner)


class TestProcesses:
    def test_jobs_are_forked_from_one_server(self, project: Project) -> None:
        compute = project.compute()
        seen = []
        for _ in range(2):
            request = project.request(WHO)
            seen.append(project.value(compute, compute.submit(request), request))
        (first, first_parent, *_), (second, second_parent, *_) = seen
        assert first != second
        assert first_parent == second_parent != os.getpid()

    def test_modules_are_loaded_before_the_fork(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        module(project, monkeypatch, "heavy", "import os\nLOADED_BY = os.getpid()\n")
        source = "import heavy, os\ndef step():\n    return [heavy.LOADED_BY, os.getppid(), os.getpid()]\n"
        compute = project.compute()
        request = project.request(source, imports=("heavy",))
        loaded_by, server, job = project.value(compute, compute.submit(request), request)
        assert loaded_by == server != job

    def test_a_module_that_cannot_be_loaded_is_the_jobs_affair(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module(project, monkeypatch, "broken", "raise RuntimeError('no licence')\n")
        compute = project.compute()
        fine = project.request(WHO, imports=("broken", "not_there_at_all"))
        assert project.value(compute, compute.submit(fine), fine)
        request = project.request("import broken\ndef step():\n    return 1\n", imports=("broken",))
        wait(compute, compute.submit(request))
        result = project.result(request)
        assert result is not None
        assert result.error is not None
        assert "no licence" in result.error.message

    def test_a_module_that_ends_the_server_costs_warmth_only(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module(project, monkeypatch, "deadly", "import os, sys\nif 'fit' not in sys.modules: os._exit(9)\n")
        compute = project.compute()
        for _ in range(2):
            request = project.request("import deadly\n" + WHO, imports=("deadly",))
            assert project.value(compute, compute.submit(request), request)

    def test_light_jobs_do_not_wait_for_heavy_imports(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        # The import lasts until the light job has run: were that job to wait for it, both would wait for ever.
        mark = tmp_path / "light job has run"
        module(
            project,
            monkeypatch,
            "heavy",
            f"import os, time\nwhile not os.path.exists({str(mark)!r}):\n    time.sleep(.01)\n",
        )
        compute = project.compute()
        heavy = project.request(WHO, imports=("heavy",))
        handle = compute.submit(heavy)
        launcher = compute._launcher  # type: ignore[attr-defined]

        def busy() -> bool:
            compute.status(handle)
            return any(server.importing for server in launcher._warm.values())

        eventually(busy, "the import does not begin")
        light = project.request(f"def step():\n    open({str(mark)!r}, 'w').close()\n    return 1\n")
        assert project.value(compute, compute.submit(light), light) == 1
        assert project.value(compute, handle, heavy)

    def test_a_job_passes_a_server_that_never_ends_loading(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module(
            project, monkeypatch, "endless", "import sys, time\nwhile 'fit' not in sys.modules:\n    time.sleep(.01)\n"
        )
        compute = project.compute(Limits(load=0.3))
        request = project.request("import endless\n" + WHO, imports=("endless",))
        assert project.value(compute, compute.submit(request), request)

    def test_a_child_that_hangs_at_its_start_is_replaced(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hang = "import os, time\nLOADED_BY = os.getpid()\n"
        hang += "os.register_at_fork(after_in_child=lambda: time.sleep(1000))\n"
        module(project, monkeypatch, "hanging", hang)
        source = "import hanging, os\ndef step():\n    return [hanging.LOADED_BY, os.getpid()]\n"
        compute = project.compute(Limits(start=0.5))
        request = project.request(source, imports=("hanging",))
        loaded_by, job = project.value(compute, compute.submit(request), request)
        assert loaded_by == job

    def test_random_numbers_differ_between_jobs(self, project: Project) -> None:
        source = "import numpy, random\ndef step():\n    return [float(numpy.random.rand()), random.random()]\n"
        compute = project.compute()
        drawn = []
        for _ in range(2):
            request = project.request(source, imports=("numpy",))
            drawn.append(project.value(compute, compute.submit(request), request))
        assert drawn[0][0] != drawn[1][0]
        assert drawn[0][1] != drawn[1][1]

    def test_slots_are_kept(self, project: Project) -> None:
        compute = project.compute(slots=1)
        first = project.request("", entry=Entry(command=("/bin/sh", "-c", "while :; do sleep .05; done")), outputs={})
        second = project.request(WHO)
        running, waiting = compute.submit(first), compute.submit(second)
        wait(compute, running, JobState.RUNNING)
        assert compute.status(waiting).state is JobState.PENDING
        compute.cancel(running)
        assert project.value(compute, waiting, second)

    def test_what_a_job_leaves_running_ends_with_it(self, project: Project) -> None:
        source = (
            "import subprocess\ndef step():\n    left = subprocess.Popen(['sleep', '1000'])\n"
            "    assert left.poll() is None\n    return left.pid\n"
        )
        compute = project.compute()
        request = project.request(source)
        pid = project.value(compute, compute.submit(request), request)
        eventually(lambda: gone(pid), "the job's own child lives on")

    def test_standard_input_is_empty(self, project: Project) -> None:
        compute = project.compute()
        request = project.request("import sys\ndef step():\n    return sys.stdin.read()\n")
        assert project.value(compute, compute.submit(request), request) == ""

    def test_work_folders_lie_in_the_data_folder_and_are_removed(self, project: Project) -> None:
        compute = project.compute()
        source = (
            "import os\ndef step():\n    os.makedirs('sealed/x'); os.chmod('sealed', 0o500)\n    return os.getcwd()\n"
        )
        request = project.request(source)
        handle = compute.submit(request)
        work = project.root / ".zenctl" / "work" / request.spec.job_id
        assert project.value(compute, handle, request) == str(work / "code")
        compute.release(handle)
        assert not work.exists()

    def test_a_last_word_into_the_folder_while_it_is_removed(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compute = project.compute()
        handle = compute.submit(project.request("hello"))
        wait(compute, handle)
        work, real, words = project.root / ".zenctl" / "work" / handle["job_id"], os.rmdir, ["exit.json"]

        def rmdir(path: Any, **more: Any) -> None:
            if Path(path).name == work.name and words:
                (work / words.pop()).write_text("{}")
            real(path, **more)

        monkeypatch.setattr(os, "rmdir", rmdir)
        compute.release(handle)
        assert words == []
        assert not work.exists()


class TestInterpreters:
    def test_another_interpreter_runs_the_job(self, project: Project) -> None:
        other = next((p for p in sorted(Path.home().glob(".pyenv/versions/3.9*/bin/python"))), None)
        if other is None:
            pytest.skip("there is no ~/.pyenv/versions/3.9*/bin/python")
        compute = project.compute(python=str(other))
        request = project.request(WHO)
        _, _, executable, minor = project.value(compute, compute.submit(request), request)
        assert minor == 9
        assert executable != sys.executable

    def test_no_such_interpreter(self, project: Project) -> None:
        for python in ("python-of-nowhere", "./no/python", str(project.root)):
            with pytest.raises(ProviderError) as caught:
                project.compute(python=python).submit(project.request(WHO))
            assert caught.value.kind is ErrorKind.INVALID
            assert python in caught.value.message

    def test_what_is_no_interpreter_ends_the_job_with_a_reason(self, project: Project) -> None:
        fake = project.root / "python"
        fake.write_text("#!/bin/sh\necho 'this is no snake' >&2\nexit 4\n")
        fake.chmod(0o755)
        compute = project.compute(python="./python")
        status = wait(compute, compute.submit(project.request(WHO)))
        assert "this is no snake" in status.reason

    def test_a_server_that_ends_before_it_is_asked_is_noticed(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def send(server: ForkServer, message: Mapping[str, Any]) -> None:
            server._process.wait()
            ask(server, message)

        ask = ForkServer.send
        monkeypatch.setattr(ForkServer, "send", send)
        (project.root / "python").write_text("#!/bin/sh\necho 'this is no snake' >&2\nexit 4\n")
        (project.root / "python").chmod(0o755)
        compute = project.compute(python="./python")
        status = wait(compute, compute.submit(project.request(WHO)))
        assert "this is no snake" in status.reason


class TestEnds:
    def test_killed_by_the_system(self, project: Project) -> None:
        compute = project.compute()
        request = project.request("import os, signal\ndef step():\n    os.kill(os.getpid(), signal.SIGKILL)\n")
        status = wait(compute, compute.submit(request))
        assert status.exit_code is None
        assert status.reason.startswith("killed by signal 9 (SIGKILL)")
        assert "memory" in status.reason
        assert project.result(request) is None

    def test_a_folder_that_cannot_be_made_ends_its_job_alone(self, project: Project) -> None:
        compute = project.compute()
        other = project.request("import time\ndef step():\n    print('begun', flush=True)\n    time.sleep(1000)\n")
        going = compute.submit(other)
        eventually(lambda: "begun" in compute.logs(going, 0).text, "it does not begin")
        request = project.request(WHO)
        (project.root / ".zenctl" / "work" / request.spec.job_id).write_text("in its way")
        status = wait(compute, compute.submit(request))
        assert status.reason.startswith("it cannot be started: ")
        assert f"work/{request.spec.job_id}" in status.reason
        assert compute.status(going).state is JobState.RUNNING

    def test_a_crash_in_c(self, project: Project) -> None:
        compute = project.compute()
        request = project.request("import ctypes\ndef step():\n    ctypes.string_at(0)\n")
        handle = compute.submit(request)
        assert "SIGSEGV" in wait(compute, handle).reason
        assert "fit.py" in compute.logs(handle, 0).text

    def test_canceled_jobs_say_so(self, project: Project) -> None:
        compute = project.compute()
        request = project.request("import time\ndef step():\n    print('begun')\n    time.sleep(1000)\n")
        handle = compute.submit(request)
        eventually(lambda: "begun" in compute.logs(handle, 0).text, "it does not begin")
        compute.cancel(handle)
        wait(compute, handle)
        result = project.result(request)
        assert result is not None
        assert result.error is not None
        assert result.error.kind == "canceled"

    def test_half_a_character_is_held_back(self, project: Project) -> None:
        compute = project.compute()
        source = (
            "import os\ndef step():\n    os.write(1, 'ab\\u00e9'.encode()[:3])\n    open(os.environ['GO']).read()\n"
        )
        source += "    os.write(1, 'ab\\u00e9'.encode()[3:] + b'\\xc3')\n    return 1\n"
        go = project.root / "go"
        os.mkfifo(go)
        request = project.request(source, environment={"GO": str(go)})
        handle = compute.submit(request)
        eventually(lambda: compute.logs(handle, 0).text, "nothing is printed")
        assert compute.logs(handle, 0).text == "ab"
        assert compute.logs(handle, 0).next_offset == 2
        go.write_text("")
        wait(compute, handle)
        assert compute.logs(handle, 2).text == "é"
        assert compute.logs(handle, 4).text == "\ufffd"

    def test_close_ends_the_server_and_its_jobs(self, project: Project) -> None:
        provider = project.provider()
        compute = provider.compute("local", {})
        request = project.request(
            "import os, time\ndef step():\n    print(os.getpid(), os.getppid())\n    time.sleep(1000)\n"
        )
        handle = compute.submit(request)
        eventually(lambda: compute.logs(handle, 0).text.endswith("\n"), "it does not begin")
        pids = [int(text) for text in compute.logs(handle, 0).text.split()]
        before = threading.active_count()
        provider.close()
        provider.close()
        assert threading.active_count() <= before
        assert wait(compute, handle).state is JobState.ENDED
        for pid in pids:
            eventually(lambda pid=pid: gone(pid), f"{pid} lives on")  # type: ignore[misc]
        # Other tests of this process may have left children of their own.
        assert not [c for c in psutil.Process().children() if c.pid in pids]

    def test_no_zombies_and_no_open_files_are_left(self, project: Project) -> None:
        me = psutil.Process()
        before = me.num_fds()
        provider = project.provider()
        compute = provider.compute("local", {})
        for _ in range(3):
            request = project.request(WHO)
            handle = compute.submit(request)
            _, server, *_ = project.value(compute, handle, request)
            assert not [c for c in psutil.Process(server).children() if c.status() == psutil.STATUS_ZOMBIE]
            compute.release(handle)
        provider.close()
        assert me.num_fds() == before


class TestCrashes:
    def test_kill_9_of_zenctl_leaves_no_process(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        # One job has children of its own, the other lets the server load a module for ever: neither may stay.
        module(project, monkeypatch, "endless", "import time\nwhile True:\n    time.sleep(.05)\n")
        source = "import os, subprocess, time\ndef step():\n    child = subprocess.Popen(['sleep', '1000']).pid\n"
        source += "    print(os.getpid(), os.getppid(), child, flush=True)\n    time.sleep(1000)\n"
        busy, stuck = project.request(source), project.request(WHO, imports=("endless",))
        cli, handles = start_elsewhere(project, busy.spec.job_id, stuck.spec.job_id)
        compute = project.compute()
        try:
            eventually(lambda: compute.logs(handles[0], 0).text.endswith("\n"), "it does not begin")
            pids = [int(text) for text in compute.logs(handles[0], 0).text.split()]
            assert compute.status(handles[0]).state is JobState.RUNNING
        finally:
            cli.kill()
            cli.communicate()
        for pid in pids:
            eventually(lambda pid=pid: gone(pid), f"{pid} lives on")  # type: ignore[misc]
        for handle in handles:
            eventually(lambda h=handle: compute.status(h).state is JobState.LOST, "not lost")  # type: ignore[misc]
            compute.release(handle)
        assert project.result(busy) is None

    def test_a_job_of_a_dead_process_is_not_started_again(self, project: Project) -> None:
        request = project.request("import time\ndef step():\n    print('begun', flush=True)\n    time.sleep(1000)\n")
        cli, (handle,) = start_elsewhere(project, request.spec.job_id)
        compute = project.compute()
        try:
            eventually(lambda: "begun" in compute.logs(handle, 0).text, "it does not begin")
            assert compute.submit(request) == handle
            assert compute.status(handle).state is JobState.RUNNING
        finally:
            cli.kill()
            cli.communicate()
        eventually(lambda: compute.status(handle).state is JobState.LOST, "not lost")
        assert compute.submit(request) == handle
        assert compute.status(handle).state is JobState.LOST
        assert compute.logs(handle, 0).text.count("begun") == 1

    def test_a_job_of_another_live_process_is_canceled(self, project: Project) -> None:
        source = "import signal, time\ndef step():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        source += "    print('begun', flush=True)\n    time.sleep(1000)\n"
        request = project.request(source)
        cli, (handle,) = start_elsewhere(project, request.spec.job_id)
        compute = project.compute(Limits(grace=0.2))
        try:
            eventually(lambda: "begun" in compute.logs(handle, 0).text, "it does not begin")
            compute.cancel(handle)
            status = wait(compute, handle)
            assert status.state in (JobState.ENDED, JobState.LOST)
        finally:
            cli.kill()
            cli.communicate()

    def test_a_pid_that_belongs_to_another_now_is_not_the_job(self, project: Project) -> None:
        compute = project.compute()
        request = project.request(WHO)
        handle = compute.submit(request)
        wait(compute, handle)
        compute.release(handle)
        work = project.context.data_dir / handle["work"]
        work.mkdir(parents=True)
        (work / "process.json").write_text(json.dumps({"pid": os.getpid(), "started": "1"}))
        assert compute.status(handle).state is JobState.LOST
        compute.cancel(handle)
        compute.release(handle)

    def test_signals_to_what_is_gone_are_success(self) -> None:
        process = subprocess.Popen(["true"])
        process.wait()
        assert started(process.pid) == ""
        kill_group(process.pid, signal.SIGKILL)


class TestTensorFlow:
    TRAIN = """
import numpy, tensorflow as tf
def step():
    tf.keras.utils.set_random_seed(7)
    model = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(4), tf.keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = numpy.arange(64, dtype="float32").reshape(32, 2) / 64
    history = model.fit(x, x.sum(axis=1), epochs=2, verbose=0)
    return [float(v) for v in history.history["loss"]]
"""

    def test_two_children_of_a_warm_server_train(self, project: Project) -> None:
        pytest.importorskip("tensorflow")
        compute = project.compute()
        requests = [project.request(self.TRAIN, imports=("numpy", "tensorflow"), preload=("tensorflow",)) for _ in "ab"]
        handles = [compute.submit(request) for request in requests]
        losses = [project.value(compute, h, request) for h, request in zip(handles, requests, strict=True)]
        assert losses[0] == losses[1]
        assert losses[0][1] < losses[0][0]
