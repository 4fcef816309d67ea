"""Version constraints mean what they mean in Terraform."""

import pytest

from zenctl.config.versions import ConstraintError, satisfies


@pytest.mark.parametrize(
    ("version", "constraint", "expected"),
    [
        ("0.1.0", ">= 0.1", True),
        ("0.1.0", ">= 0.2", False),
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "= 1.2", False),
        ("1.2.3", "!= 1.2.3", False),
        ("1.2.3", "!= 1.2.4", True),
        ("1.2.3", "> 1.2.2, < 2", True),
        ("2.0.0", "> 1.2.2, < 2", False),
        ("1.9.0", "~> 1.2", True),
        ("2.0.0", "~> 1.2", False),
        ("1.1.9", "~> 1.2", False),
        ("1.2.9", "~> 1.2.3", True),
        ("1.3.0", "~> 1.2.3", False),
        ("1.9.0", "~> 1", True),
        ("10.0.0", ">= 9", True),
        ("1.2.3", "<= 1.2.3", True),
        ("1.0.0-rc1", ">= 0.9", False),
        ("1.0.0-rc1", "1.0.0-rc1", True),
        ("0.1.0", " >=0.1 , <1 ", True),
        ("0.1.0", ">= v0.1", True),
    ],
)
def test_satisfies(version: str, constraint: str, expected: bool) -> None:
    assert satisfies(version, constraint) is expected


@pytest.mark.parametrize("constraint", ["", "abc", ">= ", "1.2.3.4", "=> 1", "~> x", "1,,2"])
def test_refuses_what_is_no_constraint(constraint: str) -> None:
    with pytest.raises(ConstraintError, match="is not a version constraint"):
        satisfies("1.0.0", constraint)
