"""The part of a provider that offers artifact stores and nothing else; its SDK is looked for when one is used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from zenctl.jobs.storage import Storage, StorageError
from zenctl.provider.errors import ErrorKind, ProviderError
from zenctl.provider.lending import Give, Lender
from zenctl.provider.messages import ProviderContext
from zenctl.provider.protocol import Compute, Endpoint, Processing
from zenctl.schema import BlockModel, ProviderSchema, attribute


class Patience(BlockModel):
    """Attributes of a store, and of the block of its provider: how long to try."""

    retry_seconds: int | None = attribute(
        "How long a request is repeated that fails for a reason which may pass; 60 unless it is set.",
        default=None,
        fingerprint=False,
        ge=0,
    )
    timeout_seconds: int | None = attribute(
        "How long the server may say nothing in the midst of a request; 30 unless it is set.",
        default=None,
        fingerprint=False,
        ge=1,
    )


class StoringProvider(ABC):
    """A Provider but for `open_store`. `offered` are its block types, `sdk` is the package that it needs.

    Attributes of its `provider` block are named as those of its stores, and hold where a store leaves them out.
    """

    name: str
    version: str
    offered: ProviderSchema
    sdk: str

    def __init__(self) -> None:
        self._lenders: list[Lender] = []
        self._lender: Lender | None = None
        self._defaults: Mapping[str, Any] = {}

    @abstractmethod
    def open_store(self, config: Mapping[str, Any], lender: Lender) -> Storage:
        """The store that the decoded block names. Must not reach the network."""

    def schema(self) -> ProviderSchema:
        return self.offered

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:  # noqa: ARG002 - none is made
        """Take the provider block's attributes: defaults of those that a store has, too."""
        self._lenders, self._lender = [], None
        self._defaults = {name: value for name, value in config.items() if value is not None}

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:  # noqa: ARG002 - the protocol's
        raise ProviderError(ErrorKind.INVALID, f'the {self.name} provider has no backend of type "{type}"')

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:  # noqa: ARG002 - the protocol's
        raise ProviderError(ErrorKind.INVALID, f'the {self.name} provider has no backend of type "{type}"')

    def endpoint(self, type: str) -> Endpoint:
        raise ProviderError(ErrorKind.INVALID, f'the {self.name} provider has no endpoint of type "{type}"')

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:
        """The store; ProviderError(INVALID) if what it needs is not installed."""
        if type not in self.offered.stores:
            raise ProviderError(ErrorKind.INVALID, f'the {self.name} provider has no artifact store of type "{type}"')
        self.need(self.sdk)
        lender = Lender()
        self._lenders.append(lender)
        given = {name: value for name, value in config.items() if value is not None}
        return self.open_store({**self._defaults, **given}, lender)

    def lend(self, give: Give) -> Mapping[str, Any]:
        """Credentials that secrets are read with by a job on this machine, and where it gets others once these end.

        `give` is the same one each time. ProviderError if there are none.
        """
        if self._lender is None:
            self._lender = Lender()
            self._lenders.append(self._lender)
        try:
            return self._lender.loan(give)
        except StorageError as problem:
            kind = ErrorKind.TRANSIENT if problem.kind == "TRANSIENT" else ErrorKind.UNAUTHORIZED
            raise ProviderError(kind, str(problem), problem.hint) from problem

    def need(self, package: str) -> None:
        """ProviderError(INVALID) if the package is not installed; nothing of it is loaded."""
        if not _is_installed(package):
            message = f"the Python package {package} is not installed"
            raise ProviderError(ErrorKind.INVALID, message, f"Install it: pip install 'zenctl[{self.name}]'")

    def close(self) -> None:
        """End what lends credentials to jobs."""
        lenders, self._lenders, self._lender = self._lenders, [], None
        for lender in lenders:
            lender.close()


def _is_installed(package: str) -> bool:
    """Whether there is a package; nothing of it is loaded."""
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False
