"""What buckets have in common that are reached through a cloud's SDK: when it is loaded, and what its errors become."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.retrying import Retrying
from zenctl.provider.lending import Lender

T = TypeVar("T")

CONNECTIONS = 32
"""Connections that an SDK keeps open: as many as calls may be under way."""


class SdkBucket(ABC):
    """A bucket whose SDK is loaded with the first call. Callable from any thread."""

    def __init__(self, bucket: str, *, retry: Retrying, timeout: float, lender: Lender) -> None:
        self.bucket = bucket
        self.retry = retry
        self.timeout = timeout
        self.lender = lender
        self._lock = threading.Lock()
        self._client: Any = None

    @abstractmethod
    def make(self) -> Any:
        """The SDK's client."""

    @abstractmethod
    def translate(self, error: Exception) -> StorageError:
        """What an error of the SDK means. What is not known is a bug, and is raised as it is."""

    @property
    def client(self) -> Any:
        """The SDK's client, made when it is wanted first."""
        with self._lock:
            if self._client is None:
                self._client = self.make()
            return self._client

    def once(self, call: Callable[[], T]) -> T:
        """The call's result; whatever the SDK raises is a StorageError."""
        try:
            return call()
        except StorageError:
            raise
        except Exception as error:
            raise self.translate(error) from error

    def call(self, call: Callable[[], T]) -> T:
        """The same, repeated as long as that may help."""
        return self.retry(lambda: self.once(call))

    def unless_missing(self, call: Callable[[], T]) -> T | None:
        """The same; None if what it asks for is not there."""
        try:
            return self.call(call)
        except StorageError as problem:
            if problem.kind == "NOT_FOUND":
                return None
            raise
