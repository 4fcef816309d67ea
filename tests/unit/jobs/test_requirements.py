"""Requirements files as text: what they ask for, which files of this machine, and that no secret is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.fingerprint.environment import locked
from zenctl.jobs.requirements import (
    has_hashes,
    holds_secret,
    is_pinned,
    local_path,
    placeholders,
    requirement_lines,
    with_archive,
    without_secrets,
)

FILES = {
    "base.txt": "deep==2.0\n-c limits.txt\n",
    "limits.txt": "old<3\n-r more.txt",
    "more.txt": "far==1\n",
}


def test_lines_with_what_they_include() -> None:
    text = (
        "# top\ngreet==1.0 \\\n  --hash=sha256:aa   # pinned\n\n-r base.txt\n--index-url https://example.org/simple\n"
    )
    assert list(requirement_lines(text, FILES.__getitem__)) == [
        ("greet==1.0 --hash=sha256:aa", False),
        ("--index-url https://example.org/simple", False),
        ("deep==2.0", False),
        ("old<3", True),
        ("far==1", True),
    ]


def test_files_that_include_each_other_end() -> None:
    lines = list(requirement_lines("-r a", {"a": "x==1\n-r a"}.__getitem__))
    assert set(lines) == {("x==1", False)}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("./wheels/greet-1.0-py3-none-any.whl", "./wheels/greet-1.0-py3-none-any.whl"),
        ("wheels/greet-1.0-py3-none-any.whl --hash=sha256:aa", "wheels/greet-1.0-py3-none-any.whl"),
        ("greet @ file:///srv/greet.whl ; python_version > '3'", "/srv/greet.whl"),
        ("greet[all] @ file:greet.whl", "greet.whl"),
        ("file:///srv/greet.whl", "/srv/greet.whl"),
        ("-e .", "."),
        ("--editable=../lib", "../lib"),
        ("..", ".."),
        ("greet==1.0", ""),
        ("greet", ""),
        ("greet @ https://example.org/greet.whl", ""),
        ("https://example.org/greet.whl", ""),
        ("-e git+https://example.org/greet", ""),
        ("--find-links wheels", ""),
    ],
)
def test_what_lies_on_this_machine(line: str, path: str) -> None:
    assert local_path(line) == path


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        ("greet==1.0", True),
        ("greet[all]===1.0 ; python_version > '3'", True),
        ("greet==1.0 --hash=sha256:aa", True),
        ("greet @ https://example.org/greet.whl", True),
        ("./greet.whl", True),
        ("--no-binary :all:", True),
        ("greet", False),
        ("greet>=1", False),
        ("greet==1.*", False),
        ("greet ; python_version == '3.11'", False),
    ],
)
def test_what_means_the_same_tomorrow(line: str, pinned: bool) -> None:
    assert is_pinned(line) is pinned


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--index-url https://me:geheim@example.org/simple", "--index-url https://****@example.org/simple"),
        ("greet @ https://t0ken@example.org/greet.whl", "greet @ https://****@example.org/greet.whl"),
        ("--index-url https://${USER}:geheim@example.org", "--index-url https://****@example.org"),
    ],
)
def test_secrets_in_urls_are_seen_and_hidden(line: str, shown: str) -> None:
    assert holds_secret(line)
    assert without_secrets(line) == shown
    assert not holds_secret(shown.replace("****@", ""))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://${USER}:${TOKEN}@example.org/simple",
        "--index-url https://me:${TOKEN}@example.org/simple",
        "greet @ git+ssh://git@example.org/greet",
        "greet @ https://example.org/@scope/greet",
        "greet==1.0",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert not holds_secret(line)
    assert without_secrets(line) == line


def test_variables_that_lines_name() -> None:
    assert placeholders(["--index-url https://${USER}:${TOKEN}@example.org", "x==${V}"]) == ["TOKEN", "USER", "V"]


def test_hashes() -> None:
    assert has_hashes(["a==1", "b==1 --hash=sha256:aa"])
    assert not has_hashes(["a==1"])


def test_what_counts_is_free_of_secrets() -> None:
    text = "--index-url https://me:geheim@example.org/simple\ngreet @ https://t0ken@example.org/greet.whl\n"
    found = locked(text, FILES.__getitem__)
    assert found == {"--index-url https://****@example.org/simple": "", "greet": "@ https://****@example.org/greet.whl"}


NAMES = st.text("abcXYZ019-_.~", min_size=1, max_size=12)


@given(user=NAMES, password=NAMES, host=st.from_regex(r"[a-z]{1,8}\.org", fullmatch=True))
def test_no_password_is_ever_kept(user: str, password: str, host: str) -> None:
    line = f"--extra-index-url https://{user}:{password}-secret@{host}/simple"
    assert holds_secret(line)
    assert f"{password}-secret" not in without_secrets(line)
    assert host in without_secrets(line)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("./a-1.whl", "./b.whl"),
        ("./a-1.whl ; python_version < '3.11'", "./b.whl ; python_version < '3.11'"),
        ("../w/a-1.whl --hash=sha256:00", "./b.whl --hash=sha256:00"),
        ("a @ file:///w/a-1.whl", "./b.whl"),
        ("a[x,y] @ file:w/a-1.whl; extra", "./b.whl[x,y]; extra"),
        ("file:///w/a-1.whl", "./b.whl"),
    ],
)
def test_a_line_for_an_archive_at_another_place(line: str, other: str) -> None:
    assert local_path(line)
    assert with_archive(line, "./b.whl") == other
