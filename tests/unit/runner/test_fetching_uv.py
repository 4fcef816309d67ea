"""uv from a package index: which of its files, checked, kept, and what is said if there is none."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes import index as fake_index
from tests.fakes.index import FakeIndex
from tests.wheels import uv_wheel
from zenctl.runner.environment_errors import EnvironmentProblem
from zenctl.runner.fetching_uv import PYPI, VERSION, _wheel, fetch_uv

ROOT = Path(__file__).parents[3]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    uv_wheel(tmp_path / "wheels", VERSION, program)
    with fake_index.serving(tmp_path / "wheels") as fake:
        yield fake


def test_it_is_the_version_that_zenctl_is_tested_with() -> None:
    assert f"uv=={VERSION}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert PYPI.startswith("https://")


def test_it_is_fetched_once(index: FakeIndex, tmp_path: Path) -> None:
    path = fetch_uv(tmp_path / "tools", {"PIP_INDEX_URL": index.url + "/"})
    assert Path(path).read_text() == "#!/bin/sh\n"
    assert Path(path).stat().st_mode & 0o111
    assert fetch_uv(tmp_path / "tools", {}) == path
    assert len(index.fetched) == 1


def test_credentials_go_to_the_index_and_into_no_message(index: FakeIndex, tmp_path: Path) -> None:
    host = urlsplit(index.origin).netloc
    fetch_uv(tmp_path / "tools", {"UV_INDEX_URL": f"http://me:geheim@{host}/simple"})
    assert index.authorizations == {"Basic bWU6Z2VoZWlt"}
    index.refuses = 403
    with pytest.raises(EnvironmentProblem, match=r"cannot be fetched from http://\*\*\*\*@.*Forbidden") as caught:
        fetch_uv(tmp_path / "others", {"UV_INDEX_URL": f"http://me:geheim@{host}/simple"})
    assert "geheim" not in caught.value.message


def test_what_is_not_what_the_index_says_is_refused(
    index: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_index, "sha256_file", lambda _: "0" * 64)
    with pytest.raises(EnvironmentProblem, match="is not what it says it is"):
        fetch_uv(tmp_path / "tools", {"UV_DEFAULT_INDEX": index.url})
    assert not (tmp_path / "tools").exists()


def test_an_index_without_it(index: FakeIndex, tmp_path: Path) -> None:
    for path in index.folder.iterdir():
        path.rename(index.folder / path.name.replace(platform.machine(), "s390x"))
    with pytest.raises(EnvironmentProblem, match=f"has no uv {VERSION} for Linux on {platform.machine()}"):
        fetch_uv(tmp_path / "tools", {"UV_DEFAULT_INDEX": index.url})


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/simple", "file:///etc"])
def test_an_index_that_cannot_be_reached(tmp_path: Path, url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="uv cannot be fetched from"):
        fetch_uv(tmp_path / "tools", {"UV_DEFAULT_INDEX": url})


@pytest.mark.parametrize(
    ("machine", "libc", "wanted"),
    [
        ("x86_64", "glibc", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("aarch64", "glibc", "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64"),
        ("x86_64", "", "musllinux_1_1_x86_64"),
        ("riscv64", "", ""),
    ],
)
def test_the_wheel_of_this_machine_is_taken(
    monkeypatch: pytest.MonkeyPatch, machine: str, libc: str, wanted: str
) -> None:
    tags = (
        "macosx_10_12_x86_64",
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "musllinux_1_1_x86_64",
        "win_amd64",
    )
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, ""))
    names = [f"uv-{version}-py3-none-{tag}.whl" for version in ("0.0.1", VERSION) for tag in tags]
    found, digest = _wheel([f"../../p/{name}#sha256=ab" for name in names], "https://i.example/simple/uv/")
    expected = f"https://i.example/p/uv-{VERSION}-py3-none-{wanted}.whl" if wanted else ""
    assert (found, digest) == (expected, "sha256=ab" if wanted else "")
