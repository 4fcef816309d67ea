"""References to secrets: which texts are some, and what is said of the others without repeating them."""

from __future__ import annotations

import re
import zlib

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.jobs.secrets.crc32c import crc32c
from zenctl.jobs.secrets.references import FORMS, PATTERN, PLACES, SCHEMES, fault, split
from zenctl.jobs.secrets.values import MOST, text_of
from zenctl.jobs.storage import StorageError

RIGHT = (
    "env:TOKEN",
    "file:keys/a b.pem",
    "gcp-secret:token",
    "gcp-secret:token/versions/3",
    "gcp-secret:projects/my-project/secrets/token",
    "gcp-secret:projects/123456/secrets/To_ken-1/versions/latest",
    "gcp-secret:projects/example.com:old/secrets/token/versions/blue",
    "gcp-secret:projects/p/locations/europe-west1/secrets/token/versions/7",
    "aws-secret:prod/db+x=1@a.b",
    "aws-secret:prod/db#password",
    "aws-secret:arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbC123#pass word",
    "aws-secret:arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:x-AbC123",
)
WRONG = (
    "",
    "hunter2",
    "env:",
    "env:1X",
    "file:",
    "gcp-secret:",
    "gcp-secret:projects/p/secret/token",
    "gcp-secret:projects/p/secrets/token/versions/",
    "gcp-secret:projects/p/secrets/token/versions/1/x",
    "gcp-secret:projects/p/secrets/../../tokens",
    "gcp-secret:projects/p/secrets/a?alt=x",
    "aws-secret:",
    "aws-secret:a b",
    "aws-secret:x#",
    "aws-secret:arn:aws:s3:::bucket",
    "vault:secret/x",
)


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_a_reference(text: str) -> None:
    assert fault(text) == ""
    assert re.fullmatch(PATTERN, text)
    assert split(text)[0] in SCHEMES


@pytest.mark.parametrize("text", WRONG)
def test_what_is_none(text: str) -> None:
    assert fault(text)
    assert not re.fullmatch(PATTERN, text)


@given(st.text(min_size=12))
def test_a_text_that_is_no_reference_is_never_repeated(text: str) -> None:
    assert not fault(text) or text not in fault(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("gpc-secret:a", "gcp-secret:"),
        ("gcp_secret:a", "gcp-secret:"),
        ("aws-secrets:a", "aws-secret:"),
        ("ENV:A", ""),
        ("files:a", "file:"),
    ],
)
def test_a_misspelt_scheme_is_guessed(text: str, meant: str) -> None:
    assert (f'Did you mean "{meant}"?' if meant else "give where") in fault(text)


def test_every_scheme_is_described() -> None:
    assert set(FORMS) == set(PLACES) == set(SCHEMES)
    assert [fault(form.replace("PROJECT", "p")) for form in FORMS.values()] == [""] * len(SCHEMES)


@given(st.binary(max_size=300))
def test_the_checksum_is_the_one_that_google_computes(data: bytes) -> None:
    assert crc32c(data) == google_crc32c.value(data)


def test_the_checksum_is_not_that_of_zlib() -> None:
    assert crc32c(b"123456789") == 0xE3069283 != zlib.crc32(b"123456789")


def test_a_value_is_text_of_a_bounded_size() -> None:
    assert text_of("zwölf\r\n\n".encode(), "x") == "zwölf"
    assert text_of(b" a \n b ", "x") == " a \n b "
    assert text_of(b"x" * MOST, "x") == "x" * MOST
    for data, said in ((b"x" * (MOST + 1), "64 KiB"), (b"\xff\xfe", "UTF-8"), (b"a\0b", "zero byte")):
        with pytest.raises(StorageError, match=said) as caught:
            text_of(data, "x")
        # What it comes from is not shown with it: that may show the data.
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
