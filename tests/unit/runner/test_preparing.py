"""Virtual environments of steps: what is in them, when they are made anew, and what is said if they cannot be made."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import index as fake_index
from tests.fakes.index import FakeIndex
from tests.wheels import STRANGE, offline, uv_wheel, wheel
from zenctl.jobs.environments import (
    COMPLETE,
    KEPT,
    UNUSED_SECONDS,
    environment_place,
    environment_python,
    is_whole,
    prune,
    use,
)
from zenctl.jobs.spec import VirtualEnvironment
from zenctl.runner import interpreters, preparing
from zenctl.runner.environment_errors import EnvironmentProblem, explain
from zenctl.runner.fetching_uv import VERSION
from zenctl.runner.preparing import prepare


class Bench:
    """A folder of wheels, and a cache to make environments in."""

    def __init__(self, root: Path) -> None:
        self.folder, self.cache = root / "a project", root / "cache"
        self.wheels = self.folder / "wheels"
        self.greet = wheel(self.wheels, "greet", "1.0", needs=["deep"])
        wheel(self.wheels, "deep", "2.0")
        wheel(self.wheels, "deep", "1.0")
        wheel(self.wheels, "foreign", "1.0", tag=STRANGE)
        self.said: list[str] = []

    def place(self, *lines: str, python: str = "", constraints: Sequence[str] = ()) -> tuple[VirtualEnvironment, Path]:
        wanted = VirtualEnvironment(python, lines, tuple(constraints))
        return wanted, environment_place(self.cache, wanted, sys.executable, str(self.folder))

    def make(self, *lines: str, seconds: float = 600, python: str = "", constraints: Sequence[str] = ()) -> Path:
        """Have an environment; gives its folder."""
        wanted, place = self.place(*lines, python=python, constraints=constraints)
        held = prepare(wanted, place, sys.executable, str(self.folder), self.said.append, seconds=seconds)
        os.close(held)
        return place

    def fails(self, *lines: str, seconds: float = 600, python: str = "") -> EnvironmentProblem:
        """What is said of one that cannot be made; nothing that looks whole is left."""
        with pytest.raises(EnvironmentProblem) as caught:
            self.make(*lines, seconds=seconds, python=python)
        assert not is_whole(self.place(*lines, python=python)[1])
        return caught.value


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    for name, value in offline(made.wheels).items():
        monkeypatch.setenv(name, value)
    return made


def packages(place: Path) -> dict[str, str]:
    code = "import json; from importlib.metadata import distributions as found\n"
    code += "print(json.dumps({package.name: package.version for package in found()}))"
    done = subprocess.run([environment_python(place), "-I", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


class TestMaking:
    def test_it_holds_what_is_asked_for_and_what_that_needs(self, bench: Bench) -> None:
        place = bench.make("greet==1.0")
        assert packages(place) == {"greet": "1.0", "deep": "2.0"}
        assert any("greet==1.0" in line for line in bench.said)

    def test_constraints_constrain(self, bench: Bench) -> None:
        assert packages(bench.make("greet==1.0", constraints=["deep<2"])) == {"greet": "1.0", "deep": "1.0"}

    def test_equal_requirements_are_made_once(self, bench: Bench) -> None:
        place = bench.make("deep==2.0")
        made = (place / "pyvenv.cfg").stat().st_ino
        bench.said.clear()
        assert bench.make("deep==2.0") == place
        assert (place / "pyvenv.cfg").stat().st_ino == made
        assert bench.said == []
        assert bench.make("deep==1.0") != place

    def test_without_requirements_there_is_nothing_in_it(self, bench: Bench) -> None:
        assert packages(bench.make(python=f"3.{sys.version_info[1]}")) == {}

    def test_with_hashes_the_file_is_the_whole_set(self, bench: Bench) -> None:
        place = bench.make(f"greet==1.0 --hash=sha256:{bench.greet}")
        assert packages(place) == {"greet": "1.0"}

    def test_local_archives_are_found_from_the_files_folder(self, bench: Bench) -> None:
        place = bench.make("./wheels/greet-1.0-py3-none-any.whl", "--find-links wheels")
        assert packages(place)["greet"] == "1.0"

    def test_without_uv_pip_makes_it(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(preparing, "find_uv", lambda: "")
        place = bench.make("greet==1.0", constraints=["deep<2"])
        found = packages(place)
        assert (found["greet"], found["deep"]) == ("1.0", "1.0")

    def test_what_a_killed_build_has_left_is_made_anew(self, bench: Bench) -> None:
        _, place = bench.place("deep==2.0")
        (place / "lib").mkdir(parents=True)
        (place / "rest").write_text("half")
        assert not is_whole(place)
        assert use(place) is None
        bench.make("deep==2.0")
        assert packages(place) == {"deep": "2.0"}
        assert not (place / "rest").exists()

    def test_one_whose_interpreter_is_gone_is_not_whole(self, bench: Bench) -> None:
        place = bench.make("deep==2.0")
        Path(environment_python(place)).unlink()
        assert not is_whole(place)
        bench.make("deep==2.0")
        assert is_whole(place)

    def test_two_at_once_make_it_once(self, bench: Bench) -> None:
        wanted, place = bench.place("greet==1.0")
        held: list[int] = []

        def make() -> None:
            held.append(prepare(wanted, place, sys.executable, str(bench.folder), bench.said.append))

        threads = [threading.Thread(target=make) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=240)
        assert len(held) == 3
        assert sum("preparing an environment" in line for line in bench.said) == 1
        for lock in held:
            os.close(lock)

    def test_what_is_left_to_do_is_done_before_it_counts_as_whole(self, bench: Bench) -> None:
        wanted, place = bench.place("deep==2.0")

        def finish(folder: Path) -> None:
            assert not is_whole(folder)
            raise EnvironmentProblem("no luck")

        with pytest.raises(EnvironmentProblem):
            prepare(wanted, place, sys.executable, str(bench.folder), bench.said.append, finish=finish)
        assert not is_whole(place)


class TestFailures:
    def test_a_package_that_is_not_there(self, bench: Bench) -> None:
        problem = bench.fails("greet==9")
        assert "no set of packages fits the requirements" in problem.message
        assert "greet==9" in problem.message
        assert "uv pip compile" in problem.hint

    def test_a_package_without_a_wheel_for_this_python(self, bench: Bench) -> None:
        problem = bench.fails("foreign==1.0")
        assert "no wheel for this Python and machine" in problem.message
        assert "python = " in problem.hint

    def test_hashes_that_do_not_fit(self, bench: Bench) -> None:
        problem = bench.fails(f"greet==1.0 --hash=sha256:{'0' * 64}")
        assert "not what the hashes of the requirements file say" in problem.message
        assert "look twice" in problem.hint

    def test_an_index_that_cannot_be_reached_and_no_password_in_what_is_said(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("UV_NO_INDEX", "UV_OFFLINE"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("TOKEN", "geheim")
        problem = bench.fails("--index-url http://me:${TOKEN}@127.0.0.1:9/simple", "absent==1")
        assert "the package index cannot be reached" in problem.message
        assert "UV_FIND_LINKS" in problem.hint
        assert "geheim" not in "".join([problem.message, problem.hint, *bench.said])

    def test_a_python_that_is_not_here(self, bench: Bench) -> None:
        problem = bench.fails("deep==2.0", python="3.99")
        here = f"3.{sys.version_info[1]}."
        assert problem.message.startswith("there is no Python 3.99 here; found: ")
        assert here in problem.message
        assert "UV_PYTHON_DOWNLOADS=automatic" in problem.hint

    def test_a_path_that_is_no_python(self, bench: Bench) -> None:
        assert "no Python interpreter ./none that works" in bench.fails("deep==2.0", python="./none").message

    def test_a_python_that_is_too_old(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        old = bench.folder / "python3"
        old.write_text("#!/bin/sh\necho 3.8.18\n")
        old.chmod(0o755)
        problem = bench.fails("deep==2.0", python="./python3")
        assert "is Python 3.8.18; steps need 3.9 or newer" in problem.message

    def test_one_that_takes_too_long(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        slow = bench.folder / "uv"
        # What it starts keeps its output open, as a build of a package does.
        slow.write_text("#!/bin/sh\necho begun\nsleep 1000 &\necho $! > sleeping\nwait\n")
        slow.chmod(0o755)
        monkeypatch.setattr(preparing, "find_uv", lambda: str(slow))
        monkeypatch.setattr(interpreters, "_by_uv", lambda *_: "")
        problem = bench.fails("deep==2.0", seconds=0.5)
        os.kill(int((bench.folder / "sleeping").read_text()), 9)
        assert "took longer than 0.5 seconds" in problem.message
        assert "begun" in bench.said

    @pytest.mark.parametrize(
        ("output", "says", "full"),
        [
            ("error: failed to copy\n  cause: No space left on device (os error 28)", "the disk is full", True),
            ("error: HTTP status client error (401 Unauthorized) for url", "refuses access", False),
            ("  × Failed to build `old==1`\n  ├─▶ The build backend returned an error", "built from source", False),
            ("ERROR: Could not build wheels\nerror: metadata-generation-failed", "built from source", False),
            (
                "ERROR: Could not find a version\nERROR: No matching distribution found for a==9",
                "no set of packages",
                False,
            ),
            ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "what the hashes", False),
            ("gone wrong\nin a new way", "uv failed: in a new way", False),
        ],
    )
    def test_what_programs_say_is_told_apart(self, output: str, says: str, full: bool) -> None:
        problem = explain("uv", output, 2)
        assert says in problem.message
        assert problem.hint
        assert problem.full is full

    def test_a_python_without_venv_and_no_uv(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        bare = bench.folder / "python3"
        bare.write_text('#!/bin/sh\n[ "$1" = -I ] && echo 3.11.0 && exit\necho "ensurepip is not available"\nexit 1\n')
        bare.chmod(0o755)
        monkeypatch.setattr(preparing, "find_uv", lambda: "")
        problem = bench.fails("deep==2.0", python="./python3")
        assert "no uv here" in problem.message
        assert "pip install uv" in problem.hint

    def test_on_a_machine_the_hints_are_about_the_backend(self) -> None:
        output = "error: Request failed after 3 retries\n  Caused by: dns error"
        at_home = explain("uv", output, 2, VirtualEnvironment())
        away = explain("uv", output, 2, VirtualEnvironment(fetches=True))
        assert at_home.message == away.message
        assert "UV_INDEX_URL" in at_home.hint
        assert "`index_url`" in away.hint

    def test_a_set_that_the_step_has_not_asked_for_is_no_requirements_file(self) -> None:
        problem = explain(
            "uv", "  × No solution found when resolving dependencies:", 1, VirtualEnvironment(is_own=False)
        )
        assert problem.message.startswith("no set of packages fits what the step needs")
        assert "environment { requirements = ... }" in problem.hint


class TestWithoutTools:
    """Where there is no uv, it is fetched if that is allowed."""

    @pytest.fixture
    def index(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIndex]:
        monkeypatch.setattr(preparing, "find_uv", lambda: "")
        for name in offline(bench.wheels):
            monkeypatch.delenv(name)
        with fake_index.serving(bench.wheels) as fake:
            yield fake

    def wanted(self, index: FakeIndex, **more: object) -> VirtualEnvironment:
        settings = {"UV_DEFAULT_INDEX": index.url, "PIP_INDEX_URL": index.url}
        return replace(VirtualEnvironment("", ("greet==1.0",), settings=settings, fetches=True), **more)  # type: ignore[arg-type]

    def make(self, bench: Bench, wanted: VirtualEnvironment) -> Path:
        place = environment_place(bench.cache, wanted, sys.executable, str(bench.folder))
        os.close(prepare(wanted, place, sys.executable, str(bench.folder), bench.said.append))
        return place

    def test_uv_is_fetched_once_and_knows_the_index(self, bench: Bench, index: FakeIndex) -> None:
        uv_wheel(bench.wheels, VERSION, Path(sys.executable).parent / "uv")
        place = self.make(bench, self.wanted(index))
        assert packages(place) == {"greet": "1.0", "deep": "2.0"}
        assert any("preparing an environment with uv" in line for line in bench.said)
        self.make(bench, self.wanted(index, constraints=("deep==1.0",)))
        assert sum(name.startswith("uv-") for name in index.fetched) == 1

    @pytest.mark.benchmark
    def test_pip_does_where_the_index_has_no_uv(self, bench: Bench, index: FakeIndex) -> None:
        place = self.make(bench, self.wanted(index))
        assert packages(place)["greet"] == "1.0"
        assert any("preparing an environment with pip" in line for line in bench.said)

    def test_where_there_is_neither_both_reasons_are_told(self, bench: Bench, index: FakeIndex) -> None:
        bare = bench.folder / "python3"
        bare.write_text('#!/bin/sh\n[ "$1" = -I ] && echo 3.11.0 && exit\necho "ensurepip is not available"\nexit 1\n')
        bare.chmod(0o755)
        with pytest.raises(EnvironmentProblem) as caught:
            self.make(bench, self.wanted(index, python="./python3"))
        assert "no uv here" in caught.value.message
        assert f"uv cannot be fetched from {index.url}" in caught.value.message
        assert "Debian's python3-venv" in caught.value.hint


class TestKeeping:
    def made(self, cache: Path, count: int) -> list[Path]:
        """Folders that look like environments, the first used last."""
        places = [cache / f"{number:032x}" for number in range(count)]
        for number, place in enumerate(places):
            place.mkdir(parents=True)
            (place / COMPLETE).write_text("")
            os.utime(place / COMPLETE, (1e9 - number, 1e9 - number))
        return places

    def test_the_last_used_stay(self, tmp_path: Path) -> None:
        places = self.made(tmp_path, KEPT + 3)
        assert prune(tmp_path, places[-1], 1e9) == [places[-3], places[-2]]
        assert places[-1].exists()
        assert [place.exists() for place in places] == [True] * KEPT + [False, False, True]

    def test_what_is_not_used_for_long_goes_unless_a_job_runs_in_it(self, tmp_path: Path) -> None:
        used, idle = self.made(tmp_path, 2)
        (used / "bin").mkdir()
        Path(environment_python(used)).symlink_to(sys.executable)
        held = use(used)
        assert held is not None
        os.utime(used / COMPLETE, (0, 0))
        assert prune(tmp_path, tmp_path / "other", 1e9 + UNUSED_SECONDS) == [idle]
        assert used.exists()
        os.close(held)
        assert prune(tmp_path, tmp_path / "other", 1e9 + UNUSED_SECONDS) == [used]

    def test_one_that_is_being_made_is_neither_used_nor_removed(self, tmp_path: Path) -> None:
        [place] = self.made(tmp_path, 1)
        (place / "bin").mkdir()
        Path(environment_python(place)).symlink_to(sys.executable)
        lock = os.open(f"{place}.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert use(place) is None
        assert prune(tmp_path, tmp_path / "other", 1e12) == []
        os.close(lock)

    def test_a_relative_line_means_another_thing_in_another_folder(self, tmp_path: Path) -> None:
        wanted = VirtualEnvironment("", ("./greet.whl",), (), {"./greet.whl": "aa"})
        pinned = VirtualEnvironment("", ("greet==1.0",))
        places = [environment_place(tmp_path, wanted, sys.executable, folder) for folder in ("/a", "/b")]
        assert places[0] != places[1]
        places = [environment_place(tmp_path, pinned, sys.executable, folder) for folder in ("/a", "/b")]
        assert places[0] == places[1]
