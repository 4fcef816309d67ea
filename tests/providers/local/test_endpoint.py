"""Endpoints on this machine: the contract of endpoints, and what only a process of this machine promises."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psutil
import pytest

from tests.measuring import PATIENCE
from zenctl.provider import EndpointAction, EndpointRequest, EndpointState, ErrorKind, ProviderContext, ProviderError
from zenctl.provider.testing.endpoint import EndpointBench, EndpointConformance
from zenctl_local.endpoint import LocalEndpoints, Patience
from zenctl_local.forkserver import kill_group
from zenctl_local.provider import LocalProvider
from zenctl_local.server_state import ServerState, read_state, write_state
from zenctl_local.serving import is_known

MAKE_MODELS = """
import json, os, sys
import tensorflow as tf

def make(folder, factor):
    module = tf.Module()
    module.factor = tf.Variable(factor)
    takes = {"x": tf.TensorSpec([None], tf.float32, "x"), "s": tf.TensorSpec([None], tf.string, "s")}
    module.call = tf.function(
        lambda row: {"y": row["x"] * module.factor, "loud": tf.strings.upper(row["s"])}, input_signature=[takes]
    )
    tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
    features = [{"name": "x", "type": "float32", "example": 1.5}, {"name": "s", "type": "string", "example": "a"}]
    with open(os.path.join(folder, "model.json"), "w") as stream:
        json.dump({"format": 1, "features": features}, stream)

os.chdir(sys.argv[1])
make("two", 2.0)
make("three", 3.0)
keras = tf.keras
takes = keras.Input((3,), name="flower")
gives = keras.layers.Dense(1, kernel_initializer="ones", name="sum")(takes)
os.mkdir("keras")
keras.Model(takes, gives).save("keras/net.keras")
"""


@dataclass(frozen=True)
class Models:
    """Folders of models: two that multiply `x`, one `.keras` file that sums three numbers, one that is garbage."""

    two: Path
    three: Path
    keras: Path
    garbage: Path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    root = tmp_path_factory.mktemp("models")
    subprocess.run(
        [sys.executable, "-c", MAKE_MODELS, str(root)], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    (root / "garbage").mkdir()
    (root / "garbage" / "saved_model.pb").write_text("garbage")
    return Models(root / "two", root / "three", root / "keras", root / "garbage")


def endpoints_of(folder: Path) -> LocalEndpoints:
    return LocalEndpoints(ProviderContext("p", "default", folder / ".zenctl", folder), Patience(look=5, grace=5))


def wanted(model: Path, name: str = "penguins", port: int = 0) -> EndpointRequest:
    return EndpointRequest(name, {"host": "127.0.0.1", "port": port}, (model.name * 64)[:64].encode().hex()[:64], model)


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class TestLocalEndpointConformance(EndpointConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path, models: Models) -> Iterator[EndpointBench]:
        def vanish(name: str) -> None:
            state = endpoints_of(tmp_path).read(name)
            assert state is not None
            os.kill(state.attributes["pid"], signal.SIGKILL)
            until(lambda: ended(state.attributes["pid"]), "it lives on")

        config = {"host": "127.0.0.1", "port": 0}
        bench = EndpointBench(
            lambda: endpoints_of(tmp_path), (models.two, models.three), models.garbage, vanish, config
        )
        yield bench
        bench.close()
        assert list((tmp_path / ".zenctl" / "endpoints").iterdir()) == []


@dataclass
class Live:
    """One endpoint that serves the model `two`, and where it lives."""

    folder: Path
    endpoints: LocalEndpoints
    state: EndpointState

    def version(self) -> int:
        return int(httpx.get(self.state.url, timeout=PATIENCE).json()["model_version_status"][0]["version"])

    def ask(self, x: float) -> float:
        answer = httpx.post(f"{self.state.url}:predict", json={"instances": [{"x": x, "s": "a"}]}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return float(answer.json()["predictions"][0]["y"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Iterator[Live]:
    """One server for every test that leaves it running."""
    root = tmp_path_factory.mktemp("a project")
    endpoints = endpoints_of(root)
    made = endpoints.create(wanted(models.two))
    yield Live(root / ".zenctl" / "endpoints" / "penguins", endpoints, made)
    endpoints.delete("penguins")
    assert ended(made.attributes["pid"])


@pytest.fixture
def live(server: Live, models: Models) -> Live:
    """That server, which serves `two` whatever the test before did."""
    server.endpoints.update(server.state, wanted(models.two))
    return server


class TestLive:
    def test_it_predicts_with_tensorflow(self, live: Live) -> None:
        rows = {"instances": [{"x": 1.5, "s": "ü"}, {"x": None}]}
        answer = httpx.post(f"{live.state.url}:predict", json=rows, timeout=PATIENCE).json()
        assert answer == {"predictions": [{"y": 3.0, "loud": "ü"}, {"y": None, "loud": ""}]}
        versioned = f"{live.state.url}/versions/{live.version()}:predict"
        columns = httpx.post(versioned, json={"inputs": {"x": [1], "s": ["a"]}}, timeout=PATIENCE).json()
        assert columns == {"outputs": {"y": [2.0], "loud": ["A"]}}

    def test_bad_requests(self, live: Live) -> None:
        for body, said in ((b"{", "not JSON"), (b'{"instances": [{"x": [1, 2]}]}', "wrong shape")):
            answer = httpx.post(f"{live.state.url}:predict", content=body, timeout=PATIENCE)
            assert answer.status_code == 400
            assert said in answer.json()["error"]

    def test_the_token_is_the_owners(self, live: Live) -> None:
        state = read_state(live.folder)
        assert state is not None
        assert stat.S_IMODE((live.folder / "server.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(live.folder.stat().st_mode) == 0o700
        assert state.token not in repr(state) + repr(live.state)
        assert state.token not in (live.folder / "server.log").read_text()
        assert state.token not in " ".join(psutil.Process(state.pid).cmdline())

    def test_the_process_holds_nothing_of_its_maker(self, live: Live) -> None:
        process = psutil.Process(live.state.attributes["pid"])
        assert os.getsid(process.pid) == process.pid
        assert os.readlink(f"/proc/{process.pid}/fd/0") == os.devnull
        assert os.readlink(f"/proc/{process.pid}/fd/1") == str(live.folder / "server.log")

    def test_the_log_says_once_what_is_served(self, live: Live) -> None:
        live.ask(1)
        text = (live.folder / "server.log").read_text()
        assert text.splitlines()[0] == f"zenctl: serving penguins on {live.state.url}"
        assert text.count(live.state.url) == 1
        assert ":predict" not in text

    def test_models_are_hard_links(self, live: Live, models: Models) -> None:
        (place,) = (live.folder / "models").iterdir()
        assert (place / "saved_model.pb").stat().st_ino == (models.two / "saved_model.pb").stat().st_ino

    def test_an_update_does_not_interrupt(self, live: Live, models: Models) -> None:
        before = live.version()
        answers: list[float] = []
        problems: list[Exception] = []
        stop = threading.Event()

        def ask() -> None:
            try:
                while not stop.is_set():
                    answers.append(live.ask(1.0))
            except (AssertionError, httpx.HTTPError) as problem:
                problems.append(problem)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            until(lambda: len(answers) > 5 or problems, "no answers")
            after = live.endpoints.update(live.state, wanted(models.three))
            seen = len(answers)
            # The one that is under way when the update returns may still be the former model's.
            until(lambda: len(answers) > seen + 5 or problems, "no answers after the update")
        finally:
            stop.set()
            asking.join(PATIENCE)
        assert problems == []
        assert after.attributes["pid"] == live.state.attributes["pid"]
        assert set(answers[:3]) == {2.0}
        assert set(answers[seen + 1 :]) == {3.0}
        assert [place.name for place in (live.folder / "models").iterdir()] == [after.model_digest]
        assert live.version() == before + 1

    def test_a_keras_file(self, live: Live, models: Models) -> None:
        live.endpoints.update(live.state, wanted(models.keras))
        answer = httpx.post(
            f"{live.state.url}:predict", json={"instances": [[1, 2, 3], {"flower": [0, 0, 1]}]}, timeout=PATIENCE
        )
        assert answer.json() == {"predictions": [[6.0], [1.0]]}

    def test_an_update_that_fails_says_why(self, live: Live, models: Models) -> None:
        before = live.endpoints.read("penguins")
        with pytest.raises(ProviderError, match=r"cannot be served: .*pars") as failure:
            live.endpoints.update(live.state, wanted(models.garbage))
        assert failure.value.kind is ErrorKind.INVALID
        assert live.endpoints.read("penguins") == before
        assert len(list((live.folder / "models").iterdir())) == 1

    def test_another_port_or_host_is_another_server(self, live: Live, models: Models) -> None:
        now = live.endpoints.read("penguins")
        assert now is not None
        same = replace(wanted(models.two), model_digest=now.model_digest)
        port = now.attributes["port"]
        plan = live.endpoints.plan
        assert plan(now, replace(same, config={"host": "127.0.0.1", "port": port})).action is EndpointAction.NO_OP
        moved = plan(now, replace(same, config={"host": "127.0.0.1", "port": port + 1}))
        assert moved.action is EndpointAction.REPLACE
        assert moved.reasons == (f"port: {port} -> {port + 1}",)
        assert plan(now, replace(same, config={"host": "::1", "port": 0})).action is EndpointAction.REPLACE

    def test_a_taken_port(self, live: Live, models: Models) -> None:
        port = live.state.attributes["port"]
        with pytest.raises(ProviderError, match=f"port {port} on 127.0.0.1 is taken") as failure:
            live.endpoints.create(wanted(models.two, "other", port))
        assert failure.value.kind is ErrorKind.INVALID
        assert failure.value.hint
        assert not (live.folder.parent / "other").exists()

    def test_a_server_that_hangs_is_not_ready(self, live: Live, tmp_path: Path) -> None:
        endpoints = LocalEndpoints(
            ProviderContext("p", "default", live.folder.parents[1], live.folder), Patience(look=0.2)
        )
        os.kill(live.state.attributes["pid"], signal.SIGSTOP)
        try:
            seen = endpoints.read("penguins")
        finally:
            os.kill(live.state.attributes["pid"], signal.SIGCONT)
        assert seen is not None
        assert (seen.ready, seen.model_digest) == (False, None)
        assert "does not answer: no answer within 0.2 seconds" in seen.problem
        plan = endpoints.plan(seen, EndpointRequest("penguins", {}, "d"))
        assert (plan.action, plan.reasons) == (EndpointAction.CREATE, (seen.problem,))

    def test_another_server_at_the_port_is_noticed(self, live: Live, tmp_path: Path) -> None:
        state = read_state(live.folder)
        assert state is not None
        folder = tmp_path / ".zenctl" / "endpoints" / "impostor"
        folder.mkdir(parents=True)
        write_state(folder, replace(state, name="impostor"))
        seen = endpoints_of(tmp_path).read("impostor")
        assert seen is not None
        assert not seen.ready
        assert "another server answers" in seen.problem

    def test_a_later_process_of_the_same_number_is_left_alone(self, live: Live, tmp_path: Path) -> None:
        state = read_state(live.folder)
        assert state is not None
        folder = tmp_path / ".zenctl" / "endpoints" / "old"
        folder.mkdir(parents=True)
        ticks, boot = state.started.split("@")
        assert boot
        # The same number at the same time after a boot, but after another one.
        write_state(folder, replace(state, name="old", started=f"{ticks}@another-boot"))
        endpoints = endpoints_of(tmp_path)
        assert endpoints.read("old") is None
        endpoints.delete("old")
        assert not folder.exists()
        assert live.endpoints.read("penguins") is not None


class TestOwnServer:
    def test_killed_and_made_again_on_the_same_port(self, tmp_path: Path, models: Models) -> None:
        endpoints = endpoints_of(tmp_path)
        first = endpoints.create(wanted(models.two))
        try:
            os.killpg(first.attributes["pid"], signal.SIGKILL)
            until(lambda: ended(first.attributes["pid"]), "it lives on")
            assert endpoints.read("penguins") is None
            plan = endpoints.plan(None, wanted(models.two))
            assert (plan.action, plan.reasons) == (EndpointAction.CREATE, ("no server runs",))
            second = endpoints.create(wanted(models.two))
            assert second.url == first.url
            assert second.attributes["pid"] != first.attributes["pid"]
            # What stands in the way of a graceful end is killed.
            os.kill(second.attributes["pid"], signal.SIGSTOP)
            LocalEndpoints(ProviderContext("p", "w", tmp_path / ".zenctl", tmp_path), Patience(grace=0.3)).delete(
                "penguins"
            )
        finally:
            endpoints.delete("penguins")
        assert ended(second.attributes["pid"])
        assert not (tmp_path / ".zenctl" / "endpoints" / "penguins").exists()
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", second.attributes["port"]))
            free.listen()

    def test_it_outlives_the_process_that_made_it(self, tmp_path: Path, models: Models) -> None:
        order = wanted(models.two)
        program = (
            "import sys; from pathlib import Path; from zenctl.provider import *\n"
            "from zenctl_local.provider import LocalProvider\n"
            "p = LocalProvider(); root = Path(sys.argv[1])\n"
            "p.configure({}, ProviderContext('p', 'default', root / '.zenctl', root))\n"
            "p.endpoint('local').create(EndpointRequest('penguins', {}, sys.argv[3], Path(sys.argv[2])))\n"
            "p.close(); assert 'tensorflow' not in sys.modules and 'starlette' not in sys.modules\n"
        )
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            program,
            str(tmp_path),
            str(models.two),
            order.model_digest or "",
        ]
        subprocess.run(command, check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        provider = LocalProvider()
        provider.configure({}, ProviderContext("p", "default", tmp_path / ".zenctl", tmp_path))
        endpoints = provider.endpoint("local")
        seen = endpoints.read("penguins")
        try:
            assert seen is not None
            assert endpoints.plan(seen, order).action is EndpointAction.NO_OP
        finally:
            endpoints.delete("penguins")
        assert ended(seen.attributes["pid"])

    def test_a_server_that_nobody_recorded_does_not_live(self, tmp_path: Path, models: Models) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        command = [sys.executable, "-m", "zenctl_local.serving", "--model", str(models.two), "--name", "m"]
        with listening:
            ran = subprocess.run(
                [*command, "--fd", str(listening.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                timeout=PATIENCE,
                check=False,
            )
        assert ran.returncode == 1

    def test_the_server_by_hand(self, models: Models, live: Live) -> None:
        def command(port: int) -> list[str]:
            program = [sys.executable, "-m", "zenctl_local.serving", "--name", "m"]
            return [*program, "--model", str(models.three), "--port", str(port)]

        taken = subprocess.run(
            command(live.state.attributes["port"]), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert taken.returncode == 1
        assert taken.stderr.splitlines()[-1].startswith("zenctl: cannot listen on 127.0.0.1, port")
        with subprocess.Popen(command(0), stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            line = next(line for line in server.stderr if line.startswith("zenctl: "))
            url = line.split()[-1]
            try:
                assert (
                    httpx.post(f"{url}:predict", json={"instances": [{"x": 1}]}, timeout=PATIENCE).json()[
                        "predictions"
                    ][0]["y"]
                    == 3.0
                )
                assert httpx.post(url.replace("v1/models/m", "-/model"), json={}, timeout=PATIENCE).status_code == 403
            finally:
                server.terminate()
            assert server.wait(PATIENCE) in (0, -signal.SIGTERM)

    @pytest.mark.parametrize("left", ["nothing", "garbage", '{"format": 1}', "[]", '{"format": 99, "pid": 1}'])
    def test_what_a_crash_left_is_nothing_and_is_removed(self, tmp_path: Path, left: str) -> None:
        folder = tmp_path / ".zenctl" / "endpoints" / "penguins"
        (folder / "models" / "abc").mkdir(parents=True)
        (folder / "models" / "abc").chmod(0o500)
        if left != "nothing":
            (folder / "server.json").write_text(left)
        assert endpoints_of(tmp_path).read("penguins") is None
        endpoints_of(tmp_path).delete("penguins")
        assert not folder.exists()

    def test_one_that_nobody_can_find_any_more_ends_itself(self, tmp_path: Path, models: Models) -> None:
        endpoints = endpoints_of(tmp_path)
        made = endpoints.create(wanted(models.two))
        try:
            assert not ended(made.attributes["pid"])
            shutil.rmtree(tmp_path / ".zenctl")
            until(lambda: ended(made.attributes["pid"]), "it lives on")
        finally:
            kill_group(made.attributes["pid"], signal.SIGKILL)

    def test_one_whose_project_was_moved_is_still_known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before, after = tmp_path / "before", tmp_path / "after"
        before.mkdir()
        monkeypatch.chdir(before)
        write_state(before, ServerState("m", 1, "1", "127.0.0.1", 80, "t"))
        before.rename(after)
        assert is_known()
        (after / "server.json").unlink()
        assert not is_known()

    def test_a_corrupt_model_is_the_reason(self, tmp_path: Path, models: Models) -> None:
        with pytest.raises(ProviderError) as failure:
            endpoints_of(tmp_path).create(wanted(models.garbage))
        lines = failure.value.message.splitlines()
        assert lines[0] == "the server of penguins ended before it was ready:"
        assert lines[1].startswith("  cannot load the model: ")
        assert len(lines) == 2
        assert not (tmp_path / ".zenctl" / "endpoints" / "penguins").exists()

    def test_a_server_that_is_not_ready_in_time(self, tmp_path: Path, models: Models) -> None:
        impatient = LocalEndpoints(ProviderContext("p", "w", tmp_path / ".zenctl", tmp_path), Patience(load=0, grace=5))
        with pytest.raises(ProviderError, match="was not ready after 0 seconds") as failure:
            impatient.create(wanted(models.two))
        assert failure.value.kind is ErrorKind.TRANSIENT
        assert not (tmp_path / ".zenctl" / "endpoints" / "penguins").exists()

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
    def test_names(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ProviderError, match="cannot name"):
            endpoints_of(tmp_path).read(name)

    def test_a_host_that_is_not_of_this_machine(self, tmp_path: Path, models: Models) -> None:
        request = replace(wanted(models.two), config={"host": "192.0.2.1", "port": 0})
        with pytest.raises(ProviderError, match=r"cannot listen on 192\.0\.2\.1"):
            endpoints_of(tmp_path).create(request)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/v1/models/m"),
        ("0.0.0.0", "http://127.0.0.1:80/v1/models/m"),
        ("::", "http://[::1]:80/v1/models/m"),
        ("example.org", "http://example.org:80/v1/models/m"),
    ],
)
def test_the_url_can_be_reached_from_here(host: str, url: str) -> None:
    state = ServerState("m", 1, "1", host, 80, "t")
    assert state.url == url
