"""Memory: what earlier jobs left in the artifact store for later ones to start from. Losing it costs only time."""

from __future__ import annotations

from typing import Iterable, List, Protocol


class Memory(Protocol):
    """Notes of earlier jobs, and what the store holds. Whatever it says must not show in what a job writes."""

    def recall(self, key: str) -> List[bytes]:
        """The newest few notes that were kept under this key (`Output.keep_note`), newest first."""
        ...

    def expect(self, digests: Iterable[str]) -> None:
        """Say for which files `holds` is going to be asked: where the store is far, it looks for many at a time."""
        ...

    def holds(self, sha256: str, size: int) -> bool:
        """Whether the store has a file with this digest, in this size."""
        ...


class NoMemory:
    """Knows nothing: everything is made from the beginning."""

    def recall(self, key: str) -> List[bytes]:  # noqa: ARG002 - the protocol's signature
        return []

    def expect(self, digests: Iterable[str]) -> None:
        """Nothing is looked for."""

    def holds(self, sha256: str, size: int) -> bool:  # noqa: ARG002 - the protocol's signature
        return False
