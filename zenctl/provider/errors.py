"""ProviderError: the one exception that leaves a provider, by what the caller should do next."""

from __future__ import annotations

from enum import Enum


class ErrorKind(str, Enum):
    """What kind of failure, and so what to do: only RATE_LIMITED, TRANSIENT and NO_CAPACITY are worth a retry."""

    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    NO_CAPACITY = "no_capacity"
    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"
    INVALID = "invalid"


class ProviderError(Exception):
    """A provider could not do it. `message` is for the user as it is; `hint` says what to do next."""

    def __init__(self, kind: ErrorKind, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
