"""What a step declares of its environment: what its packages need, a requirements file, variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenctl.fingerprint.digest import fingerprint
from zenctl.fingerprint.environment import compare, installed, locked, variable_digests
from zenctl.plans.actions import Components


def distribution(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = "".join(f"Requires-Dist: {text}\n" for text in requires)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}\nRequires-Dist: body-is-no-header\n"
    (folder / "METADATA").write_text(text)
    (folder / "RECORD").write_text(f"{name.replace('-', '_')}.py,,\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    distribution(site, "top", "1.0", "Middle_Part (>=1)", "only-extra; extra == 'more'", "not-installed")
    distribution(site, "middle_part", "2.0", "bottom[x]>=3; python_version > '3'", "top")
    distribution(site, "bottom", "3.0")
    distribution(site, "only-extra", "4.0")
    distribution(site, "body-is-no-header", "5.0")
    return site


def test_what_packages_need_is_part_of_the_environment(site: Path, tmp_path: Path) -> None:
    found = installed(["top"], tmp_path, [str(site)], transitive=True)
    assert found["distributions"] == {"bottom": "3.0", "middle-part": "2.0", "top": "1.0"}
    assert installed(["top"], tmp_path, [str(site)])["distributions"] == {"top": "1.0"}


def test_a_package_that_is_not_there_needs_nothing(site: Path, tmp_path: Path) -> None:
    found = installed(["gone"], tmp_path, [str(site)], transitive=True)
    assert found["distributions"] == {"gone": None}


TEXT = """\
# what we need
numpy==2.1.3 \\
    --hash=sha256:abc  # a comment
Py_YAML >= 6
--index-url https://example.org
-r more.txt
"""


def test_a_lock_is_what_it_asks_for() -> None:
    found = locked(TEXT, {"more.txt": "six==1\n-r more.txt\n"}.__getitem__)
    assert found == {
        "--index-url https://example.org": "",
        "numpy": "==2.1.3 --hash=sha256:abc",
        "py-yaml": ">= 6",
        "six": "==1",
    }


@pytest.mark.parametrize("text", ["b==2\na==1\n", "# x\na==1\n\nb==2", "a==1   # why\nb==2\r\n"])
def test_comments_and_order_do_not_count(text: str) -> None:
    assert locked(text, lambda _: "") == {"a": "==1", "b": "==2"}


def test_changes_are_named() -> None:
    before = {"lock": {"a": "==1", "b": "==2"}, "variables": {"TZ": "1234567890", "SEED": ""}}
    after = {"lock": {"a": "==1", "b": "==3", "c": ""}, "variables": {"TZ": "abcdefabcd", "SEED": ""}}
    assert [str(change) for change in compare(before, after)] == [
        "requirement b ==2 -> ==3",
        "requirement c (none) -> (none)",
        "variable TZ (value 123456) -> (value abcdef)",
    ]
    assert [str(change) for change in compare({}, {"lock": {"a": ""}, "variables": {"TZ": ""}})] == [
        "requirements (none) -> 1 entries",
        "variable TZ (not tracked) -> (not set)",
    ]


def test_values_of_variables_are_digests() -> None:
    found = variable_digests(["B", "A", "B"], {"A": "hunter2"})
    assert list(found) == ["A", "B"]
    assert found["B"] == ""
    assert "hunter2" not in str(found)
    assert variable_digests(["A"], {"A": "other"}) != {"A": found["A"]}


def test_what_is_not_declared_changes_no_fingerprint() -> None:
    plain = {"python": "3.11", "distributions": {"numpy": "2"}}
    whole = fingerprint(Components("python/1", environment=plain))
    assert fingerprint(Components("python/1", environment={**plain, "imports": ["numpy"]})) == whole
    assert fingerprint(Components("python/1", environment={**plain, "lock": {}})) != whole
    assert fingerprint(Components("python/1", environment={**plain, "variables": {"A": ""}})) != whole


ONE, OTHER = f"python@sha256:{'1' * 64}", f"python@sha256:{'2' * 64}"


def test_of_an_image_only_the_digest_counts() -> None:
    from_hub = Components(type="python/1", environment={"python": "", "distributions": {}, "image": ONE})
    from_mirror = Components(
        type="python/1", environment={"python": "", "distributions": {}, "image": f"mirror.example/{ONE}"}
    )
    other = Components(type="python/1", environment={"python": "", "distributions": {}, "image": OTHER})
    none = Components(type="python/1", environment={"python": "", "distributions": {}})
    assert fingerprint(from_hub) == fingerprint(from_mirror)
    assert len({fingerprint(c) for c in (from_hub, other, none)}) == 3
    assert compare(from_hub.environment, from_mirror.environment) == []


def test_another_image_is_told_instead_of_the_packages_in_it() -> None:
    here = {"python": "3.11", "distributions": {"numpy": "2.1.3"}}
    inside = {"python": "", "distributions": {}, "image": ONE}
    assert [str(c) for c in compare(here, inside)] == [f"image (none) -> python@sha256:{'1' * 12}"]
    assert [str(c) for c in compare(inside, here)] == [f"image python@sha256:{'1' * 12} -> (none)"]
    assert [str(c) for c in compare(inside, {**inside, "image": OTHER, "variables": {"N": ""}})] == [
        f"image python@sha256:{'1' * 12} -> python@sha256:{'2' * 12}",
        "variable N (not tracked) -> (not set)",
    ]


def test_packages_of_equal_images_are_compared_as_reported() -> None:
    before = {"python": "3.11", "distributions": {"numpy": "2.1.3"}, "image": ONE}
    after = {"python": "3.11", "distributions": {"numpy": "2.2.0"}, "image": ONE}
    assert [str(c) for c in compare(before, after)] == ["numpy 2.1.3 -> 2.2.0"]
