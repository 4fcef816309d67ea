"""EndpointConformance: what every endpoint type must do; FakeEndpoint, which does it in memory."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import pytest

from zenctl.digests import sha256_bytes
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.errors import ErrorKind, ProviderError
from zenctl.provider.messages import EndpointAction, EndpointPlan, EndpointRequest, EndpointState
from zenctl.provider.protocol import Endpoint, Importable
from zenctl.provider.testing.faults import Faults

LONGEST = 90
"""Characters of the longest name but one: what zenctl makes of modules, keys and a workspace stays below that."""

CHANGING = frozenset({"create", "update", "delete"})
"""The methods of an Endpoint that change the world."""


@dataclass
class EndpointBench:
    """What the suite needs of an endpoint type under test.

    `open` gives a new Endpoint for the same world, as a later zenctl process would. `models` are folders of two models
    that can be served, `broken` one of a model that cannot. `vanish` ends what serves an endpoint behind the provider's
    back. `config` is the decoded block without `model`.
    """

    open: Callable[[], Endpoint]
    models: tuple[Path, Path]
    broken: Path
    vanish: Callable[[str], None]
    config: Mapping[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def name(self) -> str:
        """A new endpoint's name; `close` removes what bears it."""
        self.names.append(f"conformance-{uuid.uuid4().hex[:8]}")
        return self.names[-1]

    def request(self, name: str, model: Path) -> EndpointRequest:
        """An order to serve that model."""
        return EndpointRequest(name, self.config, sha256_bytes(str(model).encode()), model, {"project": "conformance"})

    def close(self) -> None:
        """Delete every endpoint of the test."""
        for name in self.names:
            self.open().delete(name)


class EndpointConformance:
    """Inherit as `class TestMyEndpoint(EndpointConformance)` and define the fixture `bench`, closed after each test."""

    def test_its_life(self, bench: EndpointBench) -> None:
        first, second = bench.models
        name = bench.name()
        wanted, other = bench.request(name, first), bench.request(name, second)
        assert bench.open().read(name) is None
        assert bench.open().plan(None, wanted).action is EndpointAction.CREATE

        made = bench.open().create(wanted)
        assert (made.name, made.ready, made.problem) == (name, True, "")
        assert made.model_digest == wanted.model_digest
        assert made.url
        assert json.loads(json.dumps(made.attributes)) == made.attributes
        assert bench.open().read(name) == made
        without_model = replace(wanted, model_path=None)
        assert bench.open().plan(made, without_model) == EndpointPlan(EndpointAction.NO_OP)

        proposal = bench.open().plan(made, replace(other, model_path=None))
        assert proposal.action is EndpointAction.UPDATE
        assert proposal.reasons
        assert bench.open().read(name) == made, "plan changed something"
        with ThreadPoolExecutor(1) as pool:
            updating = pool.submit(bench.open().update, made, other)
            meanwhile = [bench.open().read(name)]
            while not updating.done():
                meanwhile.append(bench.open().read(name))
        updated = updating.result()
        assert all(seen is not None and seen.ready for seen in meanwhile), "its service was interrupted"
        assert (updated.ready, updated.model_digest) == (True, other.model_digest)
        assert bench.open().read(name) == updated
        assert bench.open().plan(updated, other).action is EndpointAction.NO_OP
        assert bench.open().update(updated, other) == updated, "an update once more changes nothing"

        bench.open().delete(name)
        assert bench.open().read(name) is None
        bench.open().delete(name)

    def test_a_model_that_cannot_be_served(self, bench: EndpointBench) -> None:
        name = bench.name()
        bad, good = bench.request(name, bench.broken), bench.request(name, bench.models[0])
        with pytest.raises(ProviderError) as failure:
            bench.open().create(bad)
        assert failure.value.message
        left = bench.open().read(name)
        assert left is None or not left.ready
        assert bench.open().plan(left, good).action is EndpointAction.CREATE

        made = bench.open().create(good)
        with pytest.raises(ProviderError):
            bench.open().update(made, bad)
        still = bench.open().read(name)
        assert still is not None
        assert (still.ready, still.model_digest) == (True, good.model_digest), "the model before must go on"

    def test_one_that_vanished_is_made_again_or_deleted(self, bench: EndpointBench) -> None:
        name = bench.name()
        wanted = bench.request(name, bench.models[0])
        bench.open().create(wanted)
        bench.vanish(name)
        seen = bench.open().read(name)
        assert seen is None or (not seen.ready and seen.problem)
        assert bench.open().plan(seen, wanted).action is EndpointAction.CREATE
        again = bench.open().create(wanted)
        assert bench.open().read(name) == again
        bench.vanish(name)
        bench.open().delete(name)
        assert bench.open().read(name) is None

    def test_create_takes_over_or_replaces_what_is_there(self, bench: EndpointBench) -> None:
        name = bench.name()
        first, second = (bench.request(name, model) for model in bench.models)
        bench.open().create(first)
        again = bench.open().create(first)
        assert (again.ready, again.model_digest) == (True, first.model_digest), "an answer was lost, and asked for anew"
        made = bench.open().create(second)
        assert (made.ready, made.model_digest) == (True, second.model_digest)
        assert bench.open().read(name) == made
        bench.open().delete(name)
        assert bench.open().read(name) is None, "two were there"

    def test_endpoints_do_not_know_each_other(self, bench: EndpointBench) -> None:
        """They are made at once, and the name of one begins that of the other, which is as long as zenctl's get."""
        one = bench.name()
        two = f"{one}-{'x' * (LONGEST - len(one))}"
        bench.names.append(two)
        type_ = bench.open()
        with ThreadPoolExecutor(2) as pool:
            wanted = (bench.request(one, bench.models[0]), bench.request(two, bench.models[1]))
            first, second = pool.map(type_.create, wanted)
        assert (first.name, second.name) == (one, two)
        assert first.url != second.url
        bench.open().delete(two)
        assert bench.open().read(two) is None
        assert bench.open().read(one) == first

    def test_one_that_is_there_can_be_found_and_asked_for_as_it_is(self, bench: EndpointBench) -> None:
        type_ = bench.open()
        if not isinstance(type_, Importable):
            pytest.skip("this endpoint type offers no import")
        one, two = bench.name(), bench.name()
        assert type_.find(one) is None
        first, wanted = bench.models[0], bench.request(one, bench.models[0])
        made = bench.open().create(wanted)
        other = bench.open().create(bench.request(two, first))
        assert type_.find(one) == made
        assert type_.find(made.url) == made
        assert type_.find(f"{other.url}/") == other
        assert type_.find(f"{made.url}-not") is None
        described = type_.config(made)
        assert json.loads(json.dumps(dict(described))) == dict(described)
        asked = replace(wanted, config={**bench.config, **described}, model_path=None)
        assert bench.open().plan(made, asked) == EndpointPlan(EndpointAction.NO_OP)
        assert bench.open().read(one) == made, "finding changed something"


@dataclass
class FakeServers:
    """The world behind FakeEndpoint: what serves now, by name, and what goes wrong with it."""

    running: dict[str, EndpointState] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def changes(self) -> list[tuple[str, str]]:
        """Every call that was to change something, in order: the method's name and the endpoint's."""
        return [(call.method, call.about) for call in self.faults.calls if call.method in CHANGING]


class FakeEndpoint:
    """Endpoints in memory: a model is served if its folder holds a file."""

    def __init__(self, servers: FakeServers) -> None:
        self._servers = servers

    def read(self, name: str) -> EndpointState | None:
        with self._servers.faults.during("read", name):
            return self._servers.running.get(name)

    def plan(self, prior: EndpointState | None, wanted: EndpointRequest) -> EndpointPlan:
        with self._servers.faults.during("plan", wanted.name):
            if prior is None or not prior.ready:
                return EndpointPlan(EndpointAction.CREATE, ("it is not there",))
            if prior.attributes["config"] != dict(wanted.config):
                return EndpointPlan(EndpointAction.REPLACE, ("it has another configuration",))
            if prior.model_digest != wanted.model_digest:
                return EndpointPlan(EndpointAction.UPDATE, ("it serves another model",))
            return EndpointPlan(EndpointAction.NO_OP)

    def create(self, wanted: EndpointRequest) -> EndpointState:
        with self._servers.faults.during("create", wanted.name):
            return self._bring("create", wanted)

    def update(self, prior: EndpointState, wanted: EndpointRequest) -> EndpointState:
        with self._servers.faults.during("update", prior.name):
            return self._bring("update", replace(wanted, name=prior.name))

    def delete(self, name: str) -> None:
        with self._servers.faults.during("delete", name):
            self._servers.running.pop(name, None)

    def find(self, id: str) -> EndpointState | None:
        with self._servers.faults.during("find", id):
            running = self._servers.running.values()
            return next((state for state in running if id.rstrip("/") in (state.name, state.url)), None)

    def config(self, state: EndpointState) -> Mapping[str, Any]:
        return dict(state.attributes["config"])

    def _bring(self, method: str, wanted: EndpointRequest) -> EndpointState:
        assert wanted.model_path is not None, f"{method} is given the model's folder"
        if not any(path.is_file() for path in wanted.model_path.rglob("*")):
            raise ProviderError(ErrorKind.INVALID, f"{wanted.model_path} holds no model")
        attributes = {"config": dict(wanted.config)}
        state = EndpointState(wanted.name, wanted.model_digest, True, f"fake://{wanted.name}", attributes)
        self._servers.running[wanted.name] = state
        return state
