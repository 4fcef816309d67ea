"""What every MetadataStore must do. Subclass MetadataStoreConformance and give it a `store` fixture."""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import replace
from typing import cast

import pytest

from zenctl.metadata.state import newest_apply
from zenctl.metadata.store import (
    AlreadyExists,
    Artifact,
    ArtifactState,
    Context,
    Event,
    EventType,
    Execution,
    ExecutionState,
    MetadataStore,
    StoreError,
    Transition,
    Where,
)
from zenctl.metadata.types import UnknownType

HEAD = "a" * 64

HOSTILE = [
    "it's \"quoted\" \\ back \\' slash",
    "'; DROP TABLE Execution; --",
    "Ünïcode 😀 \u2028 \u202e \ufeff",
    "nul \0 inside",
    "\0",
    "\x1a0 and \x1a1 and \x1a",
    "%s %d %q %%",
    "lines\r\n\tand tabs",
    "",
]

LONG = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(16_384))
"""A text of 1 MiB that no database can compress to a few bytes."""


def execution(name: str = "job", type: str = "Train", **properties: str | int | float) -> Execution:
    return Execution(type, name, ExecutionState.RUNNING, properties)


def artifact(digest: str, type: str = "Dataset", **properties: str | int | float) -> Artifact:
    return Artifact(type, f"trees/{digest}", properties={"digest": digest, **properties}, name=digest)


def fence(name: str) -> Context:
    return Context("Transition", name)


class MetadataStoreConformance:
    """Inherit and define `store` (a fixture that gives an empty store and closes it)."""

    # ------------------------------------------------------------ writing

    def test_a_transition_is_read_back_whole(self, store: MetadataStore) -> None:
        apply = Context("Apply", "p/w/1", {"serial": 1, "lease_seconds": 0.5, "state": "active"})
        done = store.commit(
            Transition(
                create_contexts=(apply,),
                executions=(execution("job-1", head=HEAD, serial=7),),
                artifacts=(artifact("d1", bytes=3), artifact("m1", "Model")),
                events=(Event(0, 0, EventType.INPUT, "data"), Event(0, 1, EventType.OUTPUT, "model")),
            )
        )
        [e] = store.executions_by_id(done.execution_ids)
        assert (e.type, e.name, e.state, e.properties) == (
            "Train",
            "job-1",
            ExecutionState.RUNNING,
            {"head": HEAD, "serial": 7},
        )
        assert e.id == done.execution_ids[0]
        assert e.created_ms > 0
        assert e.updated_ms >= e.created_ms
        data, model = store.artifacts_by_id(done.artifact_ids)
        assert (data.type, data.uri, data.state, data.name) == ("Dataset", "trees/d1", ArtifactState.LIVE, "d1")
        assert data.properties == {"digest": "d1", "bytes": 3}
        assert model.type == "Model"
        assert set(store.events(execution_ids=[e.id])) == {
            Event(e.id, data.id, EventType.INPUT, "data"),
            Event(e.id, model.id, EventType.OUTPUT, "model"),
        }
        found = store.context("Apply", "p/w/1")
        assert found is not None
        assert replace(found, id=0, created_ms=0, updated_ms=0) == apply
        assert found.properties == apply.properties
        assert done.context_ids == (found.id,)

    def test_an_update_replaces_state_and_properties_and_keeps_the_name(self, store: MetadataStore) -> None:
        first = store.commit(
            Transition(
                create_contexts=(Context("Apply", "a", {"serial": 1, "state": "active"}),),
                executions=(execution("job", head=HEAD, serial=1),),
                artifacts=(artifact("d1", bytes=1),),
            )
        )
        [e], [a] = store.executions_by_id(first.execution_ids), store.artifacts_by_id(first.artifact_ids)
        store.commit(
            Transition(
                update_contexts=(Context("Apply", "a", {"state": "finished"}, first.context_ids[0]),),
                executions=(replace(e, name="other", state=ExecutionState.COMPLETE, properties={"error": "x"}),),
                artifacts=(replace(a, uri="trees/new", state=ArtifactState.DELETED, properties={"digest": "d1"}),),
            )
        )
        [now] = store.executions_by_id(first.execution_ids)
        assert (now.name, now.state, now.properties) == ("job", ExecutionState.COMPLETE, {"error": "x"})
        assert now.created_ms == e.created_ms
        [changed] = store.artifacts_by_id(first.artifact_ids)
        assert (changed.uri, changed.state, changed.properties) == (
            "trees/new",
            ArtifactState.DELETED,
            {"digest": "d1"},
        )
        context = store.context("Apply", "a")
        assert context is not None
        assert context.properties == {"state": "finished"}
        assert context.id == first.context_ids[0]

    @pytest.mark.parametrize("state", list(ExecutionState))
    def test_every_state_is_kept(self, store: MetadataStore, state: ExecutionState) -> None:
        done = store.commit(Transition(executions=(Execution("Process", "j", state),)))
        assert [e.state for e in store.executions_by_id(done.execution_ids)] == [state]

    def test_an_empty_transition_is_fine(self, store: MetadataStore) -> None:
        done = store.commit(Transition())
        assert (done.context_ids, done.execution_ids, done.artifact_ids) == ((), (), ())

    # ------------------------------------------------------------ all or nothing

    def _assert_untouched(self, store: MetadataStore) -> None:
        assert [e.name for e in store.executions(Where())] == ["first"]
        assert [e.properties for e in store.executions(Where())] == [{"head": HEAD}]
        assert [a.name for a in store.artifacts(Where())] == ["d1"]
        assert store.context("Transition", "new") is None
        assert store.context("Transition", "taken") is not None
        assert len(store.events(execution_ids=[e.id for e in store.executions(Where())])) == 1

    @pytest.fixture
    def first(self, store: MetadataStore) -> Execution:
        done = store.commit(
            Transition(
                create_contexts=(fence("taken"),),
                executions=(execution("first", head=HEAD),),
                artifacts=(artifact("d1"),),
                events=(Event(0, 0, EventType.INPUT, "x"),),
            )
        )
        return store.executions_by_id(done.execution_ids)[0]

    @pytest.mark.parametrize("clash", ["context", "execution", "artifact", "event", "twice"])
    def test_what_exists_already_is_refused_and_nothing_lands(
        self, store: MetadataStore, first: Execution, clash: str
    ) -> None:
        [known] = store.artifacts(Where())
        transition = Transition(
            create_contexts=(fence("new"),),
            executions=(replace(first, properties={"error": "must not land"}), execution("second")),
            artifacts=(artifact("d2"), known),
            events=(Event(1, 0, EventType.OUTPUT, "y"),),
        )
        clashing = {
            "context": replace(transition, create_contexts=(fence("new"), fence("taken"))),
            "execution": replace(transition, executions=(*transition.executions, execution("first"))),
            "artifact": replace(transition, artifacts=(*transition.artifacts, artifact("d1"))),
            "event": replace(transition, events=(*transition.events, Event(0, 1, EventType.INPUT, "again"))),
            "twice": replace(transition, executions=(*transition.executions, execution("second"))),
        }[clash]
        with pytest.raises(AlreadyExists):
            store.commit(clashing)
        self._assert_untouched(store)

    def test_the_same_name_in_another_type_is_another_node(self, store: MetadataStore, first: Execution) -> None:
        store.commit(
            Transition(
                create_contexts=(Context("Workspace", "taken"),),
                executions=(execution("first", "Evaluate"),),
                artifacts=(artifact("d1", "Model"),),
            )
        )
        assert len(store.executions(Where())) == 2

    @pytest.mark.parametrize(
        "bad",
        [
            Transition(create_contexts=(fence("new"),), executions=(replace(execution("x"), id=987654),)),
            Transition(create_contexts=(fence("new"),), artifacts=(replace(artifact("x"), id=987654),)),
            Transition(create_contexts=(fence("new"),), update_contexts=(replace(fence("n"), id=987654),)),
            Transition(create_contexts=(fence("new"),), update_contexts=(fence("taken"),)),
            Transition(create_contexts=(fence("new"), replace(fence("x"), id=1))),
            Transition(create_contexts=(fence("new"), fence(""))),
            Transition(create_contexts=(fence("new"),), executions=(execution(""),)),
            Transition(create_contexts=(fence("new"),), executions=(execution("x", "NoSuchType"),)),
            Transition(create_contexts=(fence("new"),), executions=(execution("x", no_such_property="1"),)),
            Transition(create_contexts=(fence("new"),), executions=(execution("x", head=1),)),
            Transition(create_contexts=(fence("new"),), executions=(execution("x", serial=True),)),
            Transition(create_contexts=(fence("new"),), executions=(execution("x", serial=2**63),)),
            Transition(create_contexts=(fence("new"),), executions=(execution("x", error="\ud800"),)),
            Transition(create_contexts=(fence("new"), Context("Apply", "a", {"lease_seconds": math.nan}))),
            Transition(
                create_contexts=(fence("new"),), artifacts=(artifact("x"),), events=(Event(0, 0, EventType.INPUT, ""),)
            ),
            Transition(
                create_contexts=(fence("new"),),
                executions=(execution("x"),),
                events=(Event(0, -1, EventType.INPUT, ""),),
            ),
        ],
    )
    def test_a_bad_transition_is_refused_and_nothing_lands(
        self, store: MetadataStore, first: Execution, bad: Transition
    ) -> None:
        with pytest.raises((StoreError, ValueError)):
            store.commit(bad)
        self._assert_untouched(store)

    # ------------------------------------------------------------ queries

    def test_queries_by_type_property_state_and_name(self, store: MetadataStore) -> None:
        a = replace(execution("a", head=HEAD, serial=1), state=ExecutionState.COMPLETE)
        b = replace(execution("b", head="b" * 64, serial=1), state=ExecutionState.FAILED)
        c = replace(execution("c", "Evaluate", head=HEAD, serial=-2), state=ExecutionState.CACHED)
        store.commit(Transition(executions=(a, b, c)))

        def names(where: Where) -> list[str]:
            return [e.name for e in store.executions(where)]

        assert names(Where()) == ["a", "b", "c"]
        assert names(Where(type="Train")) == ["a", "b"]
        assert names(Where(properties={"head": HEAD})) == ["a", "c"]
        assert names(Where(properties={"head": HEAD, "serial": 1})) == ["a"]
        assert names(Where(properties={"serial": -2})) == ["c"]
        assert names(Where(states=(ExecutionState.COMPLETE, ExecutionState.CACHED))) == ["a", "c"]
        assert names(Where(type="Train", states=(ExecutionState.FAILED,), properties={"serial": 1})) == ["b"]
        assert names(Where(name="b")) == ["b"]
        assert names(Where(properties={"head": "c" * 64})) == []

    def test_queries_by_bounds_of_integers(self, store: MetadataStore) -> None:
        numbers = (1, 2, 3, 3, 10)
        found = tuple(execution(f"j{i}", serial=n, head=HEAD) for i, n in enumerate(numbers))
        store.commit(Transition(executions=(*found, execution("none"))))

        def serials(**bounds: int) -> list[object]:
            where = Where(**{name: {"serial": bound} for name, bound in bounds.items()})  # type: ignore[arg-type]
            return [e.properties["serial"] for e in store.executions(where)]

        assert serials(at_least=3) == [3, 3, 10]
        assert serials(at_most=2) == [1, 2]
        assert serials(at_least=2, at_most=3) == [2, 3, 3]
        assert serials(at_least=4, at_most=9) == []
        bounded = Where(properties={"head": HEAD}, at_most={"serial": 3}, newest=2)
        assert [e.name for e in store.executions(bounded)] == ["j3", "j2"]

    def test_queries_by_the_first_digits_of_a_digest(self, store: MetadataStore) -> None:
        digests = ["0" * 64, "ab" + "0" * 62, "ab" + "f" * 62, "ac" + "0" * 62, "f" * 64]
        store.commit(Transition(artifacts=tuple(artifact(digest) for digest in digests)))

        def found(digits: str, **more: object) -> list[str]:
            return [a.name for a in store.artifacts(Where(begins={"digest": digits}, **more))]  # type: ignore[arg-type]

        assert found("ab") == digests[1:3]
        assert found("a") == digests[1:4]
        assert found("f" * 64) == digests[4:]
        assert found("abf") == digests[2:3]
        assert found("1") == []
        assert found("ab", newest=1) == digests[2:3]
        assert found("ab", type="Model") == []
        for wrong in ("", "AB", "a%", "a' OR '1'='1", "g", "a" * 65):
            with pytest.raises(ValueError, match="hexadecimal"):
                found(wrong)
        for where in (Where(begins={"serial": "1"}), Where(at_least={"head": 1}), Where(at_most={"nonsense": 1})):
            with pytest.raises(UnknownType):
                store.executions(where)

    def test_order_is_that_of_ids_and_newest_limits(self, store: MetadataStore) -> None:
        for start in range(0, 250, 50):
            done = store.commit(
                Transition(executions=tuple(execution(f"j{i}", head=HEAD) for i in range(start, start + 50)))
            )
            assert list(done.execution_ids) == sorted(done.execution_ids)
        ids = [e.id for e in store.executions(Where(properties={"head": HEAD}))]
        assert len(ids) == 250
        assert ids == sorted(ids)
        assert [e.name for e in store.executions(Where(newest=3))] == ["j249", "j248", "j247"]
        assert len(store.executions(Where(newest=120))) == 120
        assert [e.id for e in store.executions_by_id([ids[4], 10**9, ids[1], ids[4]])] == [ids[1], ids[4]]
        assert store.executions_by_id([]) == []

    def test_artifacts_are_found_by_digest(self, store: MetadataStore) -> None:
        store.commit(Transition(artifacts=(artifact("d1"), artifact("d1", "Model"), artifact("d2"))))
        found = store.artifacts(Where(type="Model", properties={"digest": "d1"}))
        assert [(a.type, a.name) for a in found] == [("Model", "d1")]
        assert len(store.artifacts(Where(properties={"digest": "d1"}))) == 2
        assert [a.name for a in store.artifacts(Where(newest=1, states=(ExecutionState.NEW,)))] == ["d2"]
        assert store.artifacts_by_id([]) == []

    def test_one_artifact_under_several_keys_and_both_ways(self, store: MetadataStore) -> None:
        done = store.commit(
            Transition(
                executions=(execution("j"),),
                artifacts=(artifact("d1"),),
                events=(
                    Event(0, 0, EventType.INPUT, "train"),
                    Event(0, 0, EventType.INPUT, "eval's \"\0"),
                    Event(0, 0, EventType.OUTPUT, "data"),
                ),
            )
        )
        [e], [a] = done.execution_ids, done.artifact_ids
        wanted = {
            Event(e, a, EventType.INPUT, "train"),
            Event(e, a, EventType.INPUT, "eval's \"\0"),
            Event(e, a, EventType.OUTPUT, "data"),
        }
        for found in (
            store.events(execution_ids=[e]),
            store.events(artifact_ids=[a, a]),
            store.events(execution_ids=[e], artifact_ids=[a]),
        ):
            assert len(found) == 3
            assert set(found) == wanted
        assert store.events() == []
        assert store.events(execution_ids=[e + 1000]) == []

    def test_an_artifact_given_twice_in_a_transition_is_one(self, store: MetadataStore) -> None:
        done = store.commit(Transition(artifacts=(artifact("d1"),)))
        [known] = store.artifacts_by_id(done.artifact_ids)
        both = store.commit(
            Transition(
                executions=(execution("j"),),
                artifacts=(known, known),
                events=(Event(0, 0, EventType.INPUT, "x"), Event(0, 1, EventType.INPUT, "y")),
            )
        )
        assert {e.key for e in store.events(execution_ids=both.execution_ids)} == {"x", "y"}

    def test_contexts_by_property(self, store: MetadataStore) -> None:
        for serial in range(1, 6):
            properties = {"workspace_key": HEAD, "serial": serial, "state": "finished" if serial < 5 else "active"}
            store.commit(Transition(create_contexts=(Context("Apply", f"p/w/{serial}", properties),)))
        store.commit(Transition(create_contexts=(Context("Apply", "p/x/1", {"workspace_key": "b" * 64}),)))
        assert [c.properties["serial"] for c in store.contexts("Apply", {"workspace_key": HEAD})] == [1, 2, 3, 4, 5]
        assert [c.properties["serial"] for c in store.contexts("Apply", {"workspace_key": HEAD}, newest=2)] == [5, 4]
        done = store.contexts("Apply", {"workspace_key": HEAD, "state": "finished"}, newest=1)
        assert [c.name for c in done] == ["p/w/4"]
        assert store.contexts("Workspace", {}) == []
        assert store.context("Apply", "p/w/99") is None
        assert store.context("Workspace", "p/w/1") is None

    @pytest.mark.parametrize("known", [0, 1, 30, 77])
    def test_the_newest_apply_is_found_by_few_names(self, store: MetadataStore, known: int) -> None:
        """`known` is what the workspace's record says of 77 applies, of which an older zenctl made the later ones."""
        group = Context("Workspace", "p/w", {"serial": known} if known else {})
        applies = tuple(Context("Apply", f"p/w/{serial}", {"serial": serial}) for serial in range(1, 78))
        other = Context("Apply", "p/x/1", {"serial": 1})
        store.commit(Transition(create_contexts=(group, *applies, other)))
        asked: list[str] = []

        class Asked:
            """Passes on what is asked by name; nothing else is."""

            def context(self, type: str, name: str) -> Context | None:
                asked.append(name)
                return store.context(type, name)

        found = newest_apply(cast(MetadataStore, Asked()), "p", "w")
        assert found is not None
        assert (found.name, found.properties["serial"]) == ("p/w/77", 77)
        assert len(asked) <= (3 if known == 77 else 16)
        asked.clear()
        assert newest_apply(cast(MetadataStore, Asked()), "p", "w", since=77) == found
        assert len(asked) == 2
        assert newest_apply(cast(MetadataStore, Asked()), "p", "y") is None

    # ------------------------------------------------------------ hostile text

    @pytest.mark.parametrize("text", [*HOSTILE, LONG], ids=[*map(repr, HOSTILE), "1 MB"])
    def test_text_comes_back_as_it_went_in(self, store: MetadataStore, text: str) -> None:
        done = store.commit(
            Transition(
                executions=(execution("j", error=text),),
                artifacts=(Artifact("Artifact", text[:600], properties={"properties": text}),),
            )
        )
        assert store.executions_by_id(done.execution_ids)[0].properties == {"error": text}
        [a] = store.artifacts_by_id(done.artifact_ids)
        assert (a.uri, a.properties) == (text[:600], {"properties": text})

    def test_names_differ_by_case_accents_and_spaces(self, store: MetadataStore) -> None:
        names = ["a", "A", "\u00e4", "\u00c4", "a ", "a\t", "Job-A", "job-a"]
        for name in names:
            store.commit(Transition(create_contexts=(fence(name),), executions=(execution(name),)))
        for name in names:
            found = store.context("Transition", name)
            assert found is not None
            assert found.name == name
        assert [e.name for e in store.executions(Where())] == names
        assert [e.name for e in store.executions(Where(name="Job-A"))] == ["Job-A"]
        assert [e.name for e in store.executions(Where(name="a"))] == ["a"]

    @pytest.mark.parametrize("number", [0, -1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, -(2**63)])
    def test_integers_come_back_as_they_went_in(self, store: MetadataStore, number: int) -> None:
        store.commit(Transition(executions=(execution("j", serial=number),)))
        assert store.executions(Where())[0].properties == {"serial": number}

    @pytest.mark.parametrize("name", [name for name in HOSTILE if name])
    def test_names_are_unique_whatever_they_hold(self, store: MetadataStore, name: str) -> None:
        transition = Transition(
            create_contexts=(fence(name),), executions=(execution(name),), artifacts=(artifact(name),)
        )
        store.commit(transition)
        found = store.context("Transition", name)
        assert found is not None
        assert found.name == name
        assert store.context("Transition", name + "2") is None
        with pytest.raises(AlreadyExists):
            store.commit(transition)

    @pytest.mark.parametrize("value", ["' OR 1=1 --", "a'b", 'a"b', "a b", "a\\", "", "é", "a\n", "x" * 300])
    def test_a_query_takes_plain_words_only(self, store: MetadataStore, value: str) -> None:
        with pytest.raises(ValueError, match="plain words"):
            store.executions(Where(properties={"head": value}))
        with pytest.raises(ValueError, match="plain words"):
            store.artifacts(Where(properties={"digest": value}))
        with pytest.raises(ValueError, match="plain words"):
            store.contexts("Apply", {"workspace_key": value})
        if value:
            with pytest.raises(ValueError, match="plain word"):
                store.executions(Where(name=value))

    def test_a_query_for_what_no_type_has_is_refused(self, store: MetadataStore) -> None:
        for where in (
            Where(type="Nonsense"),
            Where(properties={"nonsense": "1"}),
            Where(properties={"head": 1}),
            Where(type="Train' OR '1'='1"),
        ):
            with pytest.raises(UnknownType):
                store.executions(where)
        with pytest.raises(UnknownType):
            store.context("Nonsense", "x")
        with pytest.raises(UnknownType):
            store.contexts("Nonsense", {})

    # ------------------------------------------------------------ threads

    def test_eight_threads_commit(self, store: MetadataStore) -> None:
        barrier = threading.Barrier(8)
        wins: list[int] = []
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                barrier.wait(240)
                for i in range(10):
                    store.commit(Transition(executions=(execution(f"j{number}-{i}", head=HEAD),)))
                    try:
                        store.commit(
                            Transition(create_contexts=(fence(f"f{i}"),), executions=(execution(f"w{number}-{i}"),))
                        )
                        wins.append(i)
                    except AlreadyExists:
                        pass
                    store.executions(Where(properties={"head": HEAD}, newest=2))
            except BaseException as problem:  # noqa: BLE001 - shown by the assertion below
                errors.append(problem)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
        assert errors == []
        assert sorted(wins) == list(range(10))
        assert len(store.executions(Where(properties={"head": HEAD}))) == 80
        assert len(store.executions(Where())) == 90

    # ------------------------------------------------------------ closing

    def test_a_closed_store_says_so(self, store: MetadataStore) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.executions(Where())
        with pytest.raises(StoreError, match="closed"):
            store.commit(Transition())
        with pytest.raises(StoreError, match="closed"):
            store.context("Apply", "x")
