"""A provider's mistakes become its errors, which say whose they are; what keeps the contract passes as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from zenctl.addrs import BackendAddr
from zenctl.config.loader import load_files
from zenctl.engine.guarding import guarded
from zenctl.engine.providers import Providers
from zenctl.jobs.spec import Entry, JobSpec
from zenctl.jobs.storage import Distant, FolderStorage, StorageError
from zenctl.lang.evaluate import Scope
from zenctl.provider import (
    Endpoint,
    EndpointState,
    ErrorKind,
    JobState,
    JobStatus,
    LogChunk,
    ProviderContext,
    ProviderError,
    Sized,
    SubmitRequest,
    Sweeping,
)
from zenctl.provider.mistakes import Author
from zenctl.provider.registry import registry_of
from zenctl.provider.testing.endpoint import FakeEndpoint, FakeServers
from zenctl.provider.testing.fakes import FakeBackend, FakeCompute, FakeProcessing, FakeProvider, FakeRun, FakeStorage

AUTHOR = Author("", __name__.partition(".")[0])
REQUEST = SubmitRequest(JobSpec("j", "step.python.fit", Entry(file="fit.py", function="fit")), "x:", Path("runner"))


def compute(**methods: Callable[..., Any]) -> Any:
    """A guarded backend in memory, with these methods in place of its own."""
    made = FakeCompute(FakeBackend(lambda request: FakeRun("hello\n")))
    for name, method in methods.items():
        setattr(made, name, method)
    return guarded(made, "backend", "odd", AUTHOR)


def refusal(call: Callable[[], Any]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


def test_what_keeps_the_contract_passes() -> None:
    backend = compute()
    handle = backend.submit(REQUEST)
    assert handle == backend.handle(REQUEST) == {"job_id": "j"}
    assert backend.status(handle) == JobStatus(JobState.PENDING, reason="waiting for a machine")
    assert backend.logs(handle, 0) == LogChunk("hello\n", 6)
    assert backend.logs(handle, 6) == LogChunk("", 6)
    # What a machine says while it boots is beside the log.
    assert compute(logs=lambda *_: LogChunk("booting", 6)).logs(handle, 6) == LogChunk("booting", 6)
    backend.cancel(handle)
    backend.release(handle)
    assert guarded(FakeProcessing(), "processing backend", "odd", AUTHOR).options() == {"runner": "DirectRunner"}


def test_it_is_what_it_was_to_whoever_asks(tmp_path: Path) -> None:
    class Far(FakeStorage):
        workers = 4

        def access(self, credentials: bool) -> Mapping[str, Any]:
            return {}

    far = guarded(Far(), "artifact store", "odd", AUTHOR)
    assert isinstance(far, Distant)
    assert isinstance(far, Far)
    assert (far.workers, far.uri) == (4, "memory://fake")
    assert not isinstance(guarded(FakeStorage(), "artifact store", "odd", AUTHOR), Distant)
    assert not isinstance(compute(), Sized)
    assert isinstance(compute(sweep=list), Sweeping)
    folder = FolderStorage(tmp_path)
    assert guarded(folder, "artifact store", "odd", AUTHOR) is folder


@pytest.mark.parametrize("problem", [KeyError("region"), SystemExit(3), RecursionError(), AssertionError("x " * 1000)])
def test_what_it_raises_is_its_mistake_with_file_and_line(problem: BaseException) -> None:
    def status(handle: object) -> None:
        raise problem

    found = refusal(lambda: compute(status=status).status({}))
    assert found.kind is ErrorKind.INVALID
    assert found.message.startswith(f"the odd provider's method status failed with {type(problem).__name__}")
    assert len(found.message) < 400
    assert found.hint.startswith(f"This is a mistake in tests ({__file__}:")
    assert found.hint.endswith("not in zenctl. Tell its author, or install another version of it.")


@pytest.mark.parametrize(
    "problem", [ProviderError(ErrorKind.TRANSIENT, "later"), StorageError("NOT_FOUND", "no"), OSError(2, "no file")]
)
def test_what_it_may_raise_passes(problem: Exception) -> None:
    def put(path: str, source: bytes) -> None:
        raise problem

    storage: Any = FakeStorage()
    storage.put = put
    with pytest.raises(type(problem)) as caught:
        guarded(storage, "artifact store", "odd", AUTHOR).put("a", b"")
    assert caught.value is problem


def test_a_kind_of_error_that_is_none() -> None:
    def status(handle: object) -> None:
        raise ProviderError("transient", "later")  # type: ignore[arg-type]

    said = refusal(lambda: compute(status=status).status({})).message
    assert said == (
        "the odd provider's method status raised a ProviderError of the kind 'transient', which is no ErrorKind: later"
    )


NAN, LOOP = float("nan"), dict[str, Any]()
LOOP["itself"] = LOOP


@pytest.mark.parametrize(
    ("method", "arguments", "answer", "says"),
    [
        ("status", ({},), "running", "gives a str, not a JobStatus"),
        ("status", ({},), JobStatus("ended"), "gives a JobStatus whose state is 'ended', not a JobState"),  # type: ignore[arg-type]
        ("handle", (REQUEST,), "j", "gives a str, not a mapping"),
        ("handle", (REQUEST,), {"job": object()}, "gives what is not plain JSON: Object of type object"),
        ("submit", (REQUEST,), {"cost": NAN}, "gives what is not plain JSON: Out of range"),
        ("submit", (REQUEST,), LOOP, "gives what is not plain JSON: Circular reference"),
        ("submit", (REQUEST,), None, "gives a NoneType, not a mapping"),
        ("logs", ({}, 0), ("text", 4), "gives a tuple, not a LogChunk"),
        ("logs", ({}, 0), LogChunk(b"text", 4), "gives a LogChunk of bytes and int"),  # type: ignore[arg-type]
        ("logs", ({}, 7), LogChunk("text", 3), "gives text at offset 7, and 3 as the offset to ask for next"),
        ("logs", ({}, 7), LogChunk("", 0), "gives text at offset 7, and 0"),
        ("misfit", (None,), "too big", "gives a str, not a Misfit or None"),
        ("pools", ([],), "one", "gives a str, not a list or tuple of pools"),
        ("pools", ([],), ["one"], "gives a str among its pools, not a MachinePool"),
        ("template", (), None, "gives a NoneType, not a MachineTemplate"),
    ],
)
def test_what_it_gives_against_the_contract(method: str, arguments: Any, answer: Any, says: str) -> None:
    backend = compute(**{method: lambda *_: answer})
    assert f"the odd provider's method {method} {says}" in refusal(lambda: getattr(backend, method)(*arguments)).message


def test_an_endpoint_whose_attributes_cannot_be_recorded() -> None:
    servers = FakeServers({"a": EndpointState("a", None, True, "http://x", {"process": object()})})
    endpoint: Endpoint = guarded(FakeEndpoint(servers), "endpoint type", "odd", AUTHOR)
    assert endpoint.read("b") is None
    assert "read gives what is not plain JSON" in refusal(lambda: endpoint.read("a")).message


def test_what_lacks_methods_is_told_before_it_is_used() -> None:
    said = refusal(lambda: guarded(None, "backend", "odd", AUTHOR)).message
    assert said == (
        "the backend of the odd provider is a NoneType, which lacks the methods handle, submit, status, logs, cancel, "
        "release"
    )


def test_workers_that_ask_at_once_get_one_backend_of_a_provider_configured_once(tmp_path: Path) -> None:
    class Slow(FakeProvider):
        def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
            # All of them are here by now, unless one makes the others wait.
            together.wait(0.2)
            super().configure(config, context)

        def compute(self, type: str, config: Mapping[str, Any]) -> Any:
            made.append(type)
            return super().compute(type, config)

    together, made = threading.Event(), list[str]()
    provider = Slow()
    registry = registry_of([provider])
    loaded = load_files({"main.zen.hcl": 'backend "fake" "here" {}\n'}, tmp_path, registry)
    assert loaded.configuration is not None
    context = ProviderContext("p", "default", tmp_path, tmp_path)
    providers = Providers(registry, loaded.configuration, Scope({}), context)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: providers.compute(BackendAddr("fake", "here")), range(8)))
    assert all(backend is found[0] for backend in found)
    assert (len(provider.configured), made) == (1, ["fake"])
