"""What a secret's value may be: text of a bounded size that fits into an environment variable."""

from __future__ import annotations

from zenctl.jobs.storage import StorageError

MOST = 64 << 10
"""Bytes of the largest value: what Google and AWS keep at most, and what a variable of a program can hold."""


def text_of(data: bytes, what: str) -> str:
    """The value as text, without line ends behind it. StorageError(INVALID), which holds nothing of it."""
    if len(data) > MOST:
        raise StorageError("INVALID", f"{what} has more than {MOST >> 10} KiB", "A secret is a small text.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        hint = "It goes into an environment variable. Keep binary data encoded, as base64."
        # The error would show the data.
        raise StorageError("INVALID", f"{what} is not UTF-8 text", hint) from None
    if "\0" in text:
        raise StorageError("INVALID", f"{what} holds a zero byte", "No environment variable can.")
    return text.rstrip("\r\n")
