"""A live endpoint through moves, ignored changes, replacement and removal: it answers all the time."""

from __future__ import annotations

import os
import signal
import socket
import urllib.error
import urllib.request
from typing import Any

from tests.e2e.conftest import Project, kill_group

FIT = """
from zenctl.sdk import Model, Output


def fit(model: Output[Model]) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(
        lambda x: {"y": x * 2.0}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    tf.saved_model.save(module, str(model.path), signatures={"serving_default": module.call})
"""
MAIN = 'step "python" "fit" { code = "s.py:fit" }\n'
ENDPOINT = """
endpoint "local" "NAME" {
  model = step.python.fit.model
  port  = PORT
  lifecycle {
    LIFECYCLE
  }
}
"""
APPLY = ("apply", "-auto-approve")


def endpoint(name: str, port: int, lifecycle: str) -> str:
    return ENDPOINT.replace("NAME", name).replace("PORT", str(port)).replace("LIFECYCLE", lifecycle)


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def live(project: Project, address: str) -> Any:
    """What is recorded of a live endpoint: its name and pid among it."""
    return project.json("state", "show", address, "-json")["values"]["attributes"]


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/any", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_a_port_is_taken_after_it_was_given_up(project: Project) -> None:
    first, second = free_ports()
    project.write("s.py", FIT)
    project.write("main.zen.hcl", MAIN + endpoint("a", first, ""))
    project.ok(*APPLY)

    # Renamed, on the same port: planned and done one after the other, with however many workers.
    project.write("main.zen.hcl", MAIN + endpoint("b", first, ""))
    project.ok("plan", "-out=p.plan")
    changes = {c["address"]: c for c in project.json("show", "-json", "p.plan")["resource_changes"]}
    assert changes["endpoint.local.b"]["depends_on"] == ["endpoint.local.a", "step.python.fit"]
    done = project.ok("apply", "p.plan")
    assert done.index("endpoint.local.a: deleted") < done.index("endpoint.local.b: created")
    assert answers(first)

    # One moves away, and another takes its place.
    project.write("main.zen.hcl", MAIN + endpoint("b", second, "") + endpoint("c", first, ""))
    done = project.ok(*APPLY)
    assert done.index("endpoint.local.b: replaced") < done.index("endpoint.local.c: created")
    assert answers(first)
    assert answers(second)

    # The other way round is asked for, which a port does not allow: what was there goes on.
    taking = endpoint("d", first, "create_before_destroy = true")
    project.write("main.zen.hcl", MAIN + endpoint("b", second, "") + taking)
    said = project.fails(*APPLY)
    assert "endpoint.local.c: skipped" in said
    assert answers(first)


def test_a_live_endpoint_is_moved_kept_replaced_without_a_gap_and_let_go(project: Project) -> None:
    first, second = free_ports()
    project.write("s.py", FIT)
    project.write("main.zen.hcl", MAIN + endpoint("a", first, "ignore_changes = [port]"))
    project.ok(*APPLY)
    before = live(project, "endpoint.local.a")

    # Another port is ignored.
    project.write("main.zen.hcl", MAIN + endpoint("a", second, "ignore_changes = [port]"))
    assert "No changes." in project.ok("plan")

    # Moved, it goes on: the same process under the same name; protected also while the move is only written.
    moved = "moved {\n  from = endpoint.local.a\n  to   = endpoint.local.b\n}\n"
    project.write("main.zen.hcl", MAIN + endpoint("b", first, "prevent_destroy = true") + moved)
    assert "endpoint.local.b must not be destroyed" in project.fails("destroy", "-auto-approve")
    project.ok(*APPLY)
    after = live(project, "endpoint.local.b")
    assert (after["name"], after["pid"]) == (before["name"], before["pid"])

    # What stands at its former address now must not take its server over.
    both = endpoint("b", first, "create_before_destroy = true") + endpoint("a", 0, "")
    project.write("main.zen.hcl", MAIN + both)
    project.ok(*APPLY)
    assert live(project, "endpoint.local.a")["pid"] != before["pid"]
    assert live(project, "endpoint.local.b")["pid"] == before["pid"]

    # On the port that it holds it cannot have a successor, and says so.
    assert "the two cannot share a port" in " ".join(project.fails(*APPLY, "-replace=endpoint.local.b").split())
    assert answers(first)

    # Replaced on another port there is no moment without one of the two.
    project.edit("main.zen.hcl", f"port  = {first}", f"port  = {second}")
    planned = project.ok("plan")
    assert "+/- create in its place, then delete" in planned
    assert '+/- endpoint "local" "b" {' in planned
    process = project.start(*APPLY)
    try:
        while process.poll() is None:
            assert answers(first) or answers(second)
        assert process.returncode == 0
    finally:
        kill_group(process)
    assert answers(second)
    assert not answers(first)
    assert len(os.listdir(project.root / ".zenctl" / "endpoints")) == 2, "nothing is left of the one before"

    # Let go, it runs on and is forgotten.
    removed = "removed {\n  from = endpoint.local.b\n  lifecycle {\n    destroy = false\n  }\n}\n"
    pid = live(project, "endpoint.local.b")["pid"]
    project.write("main.zen.hcl", MAIN + endpoint("a", 0, "") + removed)
    try:
        assert "endpoint.local.b: forgotten" in project.ok(*APPLY)
        assert answers(second)
        assert "endpoint.local.b" not in project.ok("state", "list")
    finally:
        os.kill(pid, signal.SIGTERM)
