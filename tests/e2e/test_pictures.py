"""Pictures in folders, resized, learned from, judged, asked about, and served as files, from the command line."""

from __future__ import annotations

import base64
import json
import struct
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Project
from tests.measuring import PATIENCE

MAIN = """
zenctl { project = "pictures" }
datasource "images" "pictures" { path = "images" }
step "split" "pictures" {
  inputs = { data = datasource.images.pictures }
  ratio  = { train = 0.7, eval = 0.3 }
}
step "transform" "pictures" {
  inputs   = { train = step.split.pictures.train, eval = step.split.pictures.eval }
  label    = "label"
  exclude  = ["path"]
  features = { image = { method = "image", height = 12, width = 10 } }
}
step "train" "pictures" {
  inputs = {
    train     = step.transform.pictures.train
    transform = step.transform.pictures.transform
  }
  label         = "label"
  hidden_layers = [8]
  epochs        = 8
  batch_size    = 4
  learning_rate = 0.02
}
step "evaluate" "pictures" {
  inputs = { model = step.train.pictures.model, data = step.split.pictures.eval }
}
step "predict" "pictures" {
  inputs = { model = step.train.pictures.model, data = step.split.pictures.eval }
  keep   = ["path"]
}
endpoint "local" "pictures" { model = step.train.pictures.model }
output "accuracy" { value = step.evaluate.pictures.metrics.accuracy }
"""


def png(height: int, width: int, colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour, with a darker frame."""
    dark = bytes(value // 2 for value in colour)
    inner = b"".join(b"\0" + dark + bytes(colour) * (width - 2) + dark for _ in range(height - 2))
    edge = b"\0" + dark * width

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(edge + inner + edge)) + chunk(b"IEND", b"")


@pytest.fixture
def pictures(project: Project) -> Iterator[Project]:
    project.write("main.zen.hcl", MAIN)
    for at in range(16):
        for name, colour in (("red", (200 + at, 30, 20)), ("blue", (20, 30, 200 + at))):
            path = project.write(f"images/{name}/{at:02}.png", "")
            path.write_bytes(png(8 + at, 20 - at, colour))
    yield project
    project.run("destroy", "-auto-approve")


def ask(url: str, image: Any) -> tuple[int, Any]:
    body = json.dumps({"instances": [{"image": image}]}).encode()
    request = urllib.request.Request(f"{url}:predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as problem:
        return problem.code, json.load(problem)


def test_pictures_from_files_to_an_endpoint(pictures: Project) -> None:
    pictures.ok("apply", "-auto-approve")
    assert pictures.json("output", "-json", "accuracy") == 1.0
    predicted = pictures.json("state", "show", "-json", "step.predict.pictures")["values"]["outputs"]["predictions"]
    assert predicted["properties"]["columns"] == ["path", "class", "score_blue", "score_red"]
    url = pictures.json("state", "show", "-json", "endpoint.local.pictures")["values"]["attributes"]["url"]
    file = base64.b64encode(png(31, 17, (210, 20, 30))).decode()
    status, said = ask(url, {"b64": file})
    assert (status, said["predictions"][0]["class"]) == (200, "red")
    status, said = ask(url, {"b64": file[:80]})
    assert status == 400
    assert "PNG" in said["error"]

    broken = pictures.root / "images/blue/03.png"
    data = broken.read_bytes()
    broken.write_bytes(data[:45] + b"\xff\xff\xff" + data[48:])
    said = pictures.fails("apply", "-auto-approve", "-target=step.transform.pictures")
    assert "(blue/03.png): the PNG image is damaged" in " ".join(said.split())
