"""Measures snapshots of 1,000,000 x 12 and what they cost after a change, beside other ways; `make benchmark` runs it.

Each figure is of a process of its own: CPU seconds of it and its children, wall seconds, and the most memory its tree
held. dvc and tfx-bsl are measured if `make peers` has made `.venv-peers`, and if `.venv-tfx` holds tfx-bsl.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROWS = int(os.environ.get("ZENCTL_BENCHMARK_ROWS", "1000000"))
MANY = int(os.environ.get("ZENCTL_BENCHMARK_MANY_ROWS", "10000000"))
FEW = 50_000
"""Rows for what is slow: its rate is told."""
ROOT = Path(__file__).parents[4]
WORDS = ["alpha", "beta", "gamma delta", "Torgersen", "Biscoe"]
NAMES = [*(f"float_{i}" for i in range(5)), *(f"int_{i}" for i in range(4)), *(f"text_{i}" for i in range(3))]


def lines(start: int, rows: int) -> list[str]:
    chance = random.Random(start)
    draw, below = chance.random, chance.randrange
    return [
        f"{draw():.4f},{draw():.4f},{draw():.4f},{draw():.4f},{draw():.4f},"
        f"{below(10**2)},{below(10**3)},{below(10**4)},{below(10**5)},"
        f"{WORDS[below(5)]},{WORDS[below(5)]},{WORDS[below(5)]}\n"
        for _ in range(rows)
    ]


def write(path: Path, rows: int) -> None:
    with open(path, "w") as stream:
        stream.write(",".join(NAMES) + "\n")
        for start in range(0, rows, 100_000):
            stream.writelines(lines(start, min(100_000, rows - start)))


def append(path: Path) -> None:
    with open(path, "a") as stream:
        stream.writelines(lines(-1, ROWS // 100))


def edit(path: Path, scattered: bool) -> None:
    found = path.read_text().splitlines(keepends=True)
    new = iter(lines(-2, ROWS // 100))
    begin = len(found) // 2
    places = range(1, len(found) - 100, 100) if scattered else range(begin, begin + ROWS // 100)
    for place, line in zip(places, new, strict=False):
        found[place] = line
    path.write_text("".join(found))


def measured(*command: str | Path, cwd: Path | None = None) -> dict[str, float | str]:
    """Run a command; CPU and wall seconds, MiB, and what it printed last."""
    before, began = os.times(), time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            try:
                tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                most[0] = max(most[0], sum(each.memory_info().rss for each in tree))
            except psutil.NoSuchProcess:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = process.communicate()
    wall = time.perf_counter() - began
    ended.set()
    watcher.join()
    assert process.returncode == 0, said[-3000:]
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu": cpu, "wall": wall, "mib": most[0] / (1 << 20), "said": said.strip().rpartition("\n")[2]}


def show(name: str, found: dict[str, float | str], rows: int, size: int) -> None:
    cpu = float(found["cpu"])
    rates = f"{rows / cpu:11,.0f} rows/s {size / cpu / 1e6:7.1f} MB/s"
    print(f"{name:>44}: {cpu:6.2f} s CPU {found['wall']:7.2f} s {found['mib']:6.0f} MiB {rates} {found['said']}")


def snapshot(path: Path, store: Path, way: str = "") -> dict[str, float | str]:
    return measured(sys.executable, __file__, "snapshot", path, store, way)


def test_a_million_rows_and_their_changes(tmp_path: Path) -> None:
    path, store = tmp_path / "f.csv", tmp_path / "store"
    write(path, ROWS)
    size, dvc = path.stat().st_size, ROOT / ".venv-peers/bin/dvc"
    print(f"\n{ROWS:,} rows of {len(NAMES)} columns, {size / 1e6:.1f} MB")
    original = path.read_bytes()
    changes: dict[str, Callable[[Path], None]] = {
        "first": lambda _: None,
        "again, no change": lambda _: None,
        "1 % appended": append,
        "1 % edited in one place": lambda file: edit(file, scattered=False),
        "1 % edited all over": lambda file: edit(file, scattered=True),
    }
    took = {}
    for name, change in changes.items():
        path.write_bytes(original)
        change(path)
        took[name] = snapshot(path, store)
        show(f"snapshot, {name}", took[name], ROWS, size)
    path.write_bytes(original)
    show("snapshot by Beam, FnApiRunner", snapshot(path, tmp_path / "beam", "FnApiRunner"), ROWS, size)
    if dvc.exists():
        place = tmp_path / "dvc"
        place.mkdir()
        measured(dvc, "init", "--no-scm", "-q", cwd=place)
        for name, change in changes.items():
            (place / "f.csv").unlink(missing_ok=True)
            (place / "f.csv").write_bytes(original)
            change(place / "f.csv")
            show(f"dvc add, {name}", measured(dvc, "add", "-q", "f.csv", cwd=place), ROWS, size)
        sizes = stored(store / "store"), stored(place / ".dvc")
        print(f"{'stored by':>44}: zenctl {sizes[0]:.0f} MB of TFRecords, dvc {sizes[1]:.0f} MB of CSV")
    assert float(took["1 % appended"]["cpu"]) < float(took["first"]["cpu"]) / 2
    assert max(float(found["mib"]) for found in took.values()) < 1024


def stored(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def test_encoding_is_ten_times_the_straight_loop_and_not_slower_than_tfx(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    write(path, FEW)
    size = path.stat().st_size
    rates = {}
    print()
    for name in ("straight", "beam"):
        idle = float(measured(sys.executable, __file__, name, "", tmp_path / "none", "")["cpu"])
        found = measured(sys.executable, __file__, name, path, tmp_path / name, "")
        found["cpu"] = float(found["cpu"]) - idle
        rates[name] = FEW / float(found["cpu"])
        show({"straight": "tf.train.Example loop", "beam": "plain Beam"}[name] + ", imports left out", found, FEW, size)
    tfx = ROOT / ".venv-tfx/bin/python"
    for name, python in {"TFX's encoder (tfx-bsl)": tfx, "zenctl's encoder": Path(sys.executable)}.items():
        if not python.exists():
            print(f"{name:>44}: not installed")
            continue
        said = str(measured(python, Path(__file__).with_name("encoding_alone.py"), "12", "200000")["said"])
        rates[name] = float(said.partition(" rows/s")[0].replace(",", ""))
        print(f"{name:>44}: {said}")
    own = rates["zenctl's encoder"]
    assert own > 10 * max(rates["straight"], rates["beam"])
    assert own > rates.get("TFX's encoder (tfx-bsl)", 0.0)


@pytest.mark.skipif("ZENCTL_BENCHMARK_MANY_ROWS" not in os.environ, reason="takes 1.5 GB of disk twice, and minutes")
def test_ten_million_rows_stay_below_a_gibibyte(tmp_path: Path) -> None:
    write(tmp_path / "f.csv", MANY)
    (tmp_path / "main.zen.hcl").write_text('datasource "csv" "rows" { path = "f.csv" }\n')
    size = (tmp_path / "f.csv").stat().st_size
    found = measured(Path(sys.executable).parent / "zenctl", "apply", "-auto-approve", cwd=tmp_path)
    show("zenctl apply, the whole process tree", found, MANY, size)
    shutil.rmtree(tmp_path / ".zenctl")
    assert float(found["mib"]) < 1024


# ----------------------------------------------------------- what runs in a process of its own


def take(path: str, store: str, runner: str) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.unit.steps.data.remembering import Workspace, csv_job
    from zenctl.sdk.snapshot import Cutter
    from zenctl.steps.csv.ingest import ingest

    Path(store).mkdir(exist_ok=True)
    order: dict[str, Any] = {"processing": {"runner": runner} if runner else {}}
    place, recorded = Workspace(Path(store), Cutter()), Path(store, "notes.json")
    if recorded.exists():
        place.notes = json.loads(recorded.read_bytes())
    made = place.run(ingest, "data", fetch=False, **csv_job(Path(path)), **order)["data"]
    recorded.write_text(json.dumps(place.notes))
    print(f"{made.reused} of {made.shards} shards reused")


def straight(path: str, target: str, _: str) -> None:
    import csv

    import tensorflow as tf

    if not path:
        return
    with open(path) as stream, tf.io.TFRecordWriter(target) as writer:
        for row in csv.DictReader(stream):
            writer.write(example(tf, row).SerializeToString())


def beam(path: str, target: str, _: str) -> None:
    import csv

    import apache_beam
    import tensorflow as tf

    with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        if path:
            texts = pipeline | apache_beam.io.ReadFromText(path, skip_header_lines=1)
            rows = texts | apache_beam.Map(lambda text: dict(zip(NAMES, next(csv.reader([text])), strict=True)))
            records = rows | apache_beam.Map(lambda row: example(tf, row).SerializeToString(deterministic=True))
            _ = records | apache_beam.io.WriteToTFRecord(target)


def example(tf: Any, row: dict[str, str]) -> Any:
    features = {}
    for name, value in row.items():
        if name.startswith("int"):
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
        elif name.startswith("float"):
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[float(value)]))
        else:
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
    return tf.train.Example(features=tf.train.Features(feature=features))


if __name__ == "__main__":
    {"snapshot": take, "straight": straight, "beam": beam}[sys.argv[1]](*sys.argv[2:])
