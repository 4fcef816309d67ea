"""Code archives unpack where they must or not at all; user files come before what is loaded already."""

from __future__ import annotations

import io
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from zenctl.jobs.artifacts import CorruptArtifact, code_path
from zenctl.runner import code

from .conftest import RunnerBench, value


def archive(*entries: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, data)
    return buffer.getvalue()


FILE = stat.S_IFREG | 0o644


def test_files_keep_their_place_and_their_x_bit(bench: RunnerBench, tmp_path: Path) -> None:
    data = archive(
        ("a/b.py", b"1", FILE), ("run.sh", b"2", stat.S_IFREG | 0o755), ("empty/", b"", stat.S_IFDIR | 0o755)
    )
    code.fetch_code(bench.storage, bench.archive(data), tmp_path)
    assert (tmp_path / "a/b.py").read_bytes() == b"1"
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a/b.py").stat().st_mode & 0o111 == 0
    assert (tmp_path / "empty").is_dir()


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil", b"x", FILE)],
        [("a/../../evil", b"x", FILE)],
        [("/tmp/evil", b"x", FILE)],
        [("a\\..\\evil", b"x", FILE)],
        [("./evil", b"x", FILE)],
        [("link", b"/etc/passwd", stat.S_IFLNK | 0o777)],
        [("pipe", b"", stat.S_IFIFO | 0o644)],
        [("evil", b"x", FILE), ("evil", b"y", FILE)],
        [("evil", b"x", FILE), ("evil/inside", b"y", FILE)],
        [("evil/inside", b"y", FILE), ("evil", b"x", FILE)],
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_could_land_elsewhere_is_refused(
    bench: RunnerBench, tmp_path: Path, entries: list[tuple[str, bytes, int]]
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    digest = bench.archive(archive(*entries))
    with pytest.raises(CorruptArtifact):
        code.fetch_code(bench.storage, digest, target)
    assert not (tmp_path / "evil").exists()
    assert not Path("/tmp/evil").exists()
    assert not any(path.is_symlink() for path in target.rglob("*"))


def test_a_bomb_is_refused_whatever_its_headers_say(
    bench: RunnerBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "MAX_BYTES", 1 << 20)
    data = archive(("a", bytes(700_000), FILE), ("b", bytes(700_000), FILE))
    assert len(data) < 10_000
    with pytest.raises(CorruptArtifact, match="more than 1 MiB"):
        code.fetch_code(bench.storage, bench.archive(data), tmp_path)


def test_damage_is_refused(bench: RunnerBench, tmp_path: Path) -> None:
    digest = bench.code({"a.py": "x = 1\n"})
    path = bench.storage.local_path(code_path(digest))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CorruptArtifact, match="damaged"):
        code.fetch_code(bench.storage, digest, tmp_path)
    with pytest.raises(CorruptArtifact, match="refused"):
        code.fetch_code(bench.storage, bench.archive(b"no zip at all"), tmp_path)


def test_a_users_file_comes_before_a_package_that_is_loaded(bench: RunnerBench) -> None:
    # `yaml` is installed here; the user's file of that name is what his code means.
    files = {"steps/fit.py": "import yaml\ndef step():\n    return yaml.MINE\n", "yaml.py": "MINE = 'mine'\n"}
    # As in a warm process: the runner first, then what jobs may want.
    loaded = "import sys, zenctl.runner.main as m, yaml; m.leave(m.main(sys.argv[1:]))"
    spec = bench.order(files, outputs=value())
    result = bench.succeed(spec, sys.executable, "-c", loaded)
    assert result.outputs["result"].properties == {"value": "mine"}
