"""Freshness: which blocks must be looked at anew, as what instances they have can follow from results. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from zenctl.addrs import Address
from zenctl.engine.known import Known

KnownResults = dict[Address, Known]
"""The results that are known, by the address of an instance. One such mapping may grow, but its entries stay."""

Stamp = tuple[int, int]
"""Of which of the mappings of results, and after how many changes, something was looked at."""


class Freshness:
    """Which blocks have been looked at since what decides their instances changed.

    `deciding` gives the blocks whose results decide what instances a block has. A block is added to `ready` once it was
    looked at, after all blocks that decide it; it leaves when one of these changes, with all that it decides in turn.
    """

    def __init__(self, deciding: Mapping[Address, Collection[Address]]) -> None:
        self.ready: set[Address] = set()
        self.known: KnownResults = {}
        self._size = 0
        self._generation = 0
        self._changes: dict[Address, list[Address]] = {}
        self._decides: dict[Address, list[Address]] = {}
        for block, deciders in deciding.items():
            for decider in deciders:
                self._decides.setdefault(decider, []).append(block)

    def learn(self, known: KnownResults) -> bool:
        """Take in what is known; says whether that is anything new."""
        if known is not self.known:
            nothing = not known and not self.known
            self.known, self._size = known, len(known)
            if nothing:
                return False
            self._generation += 1
            for decider in self._decides:
                self._look_anew(decider)
            return True
        if len(known) == self._size:
            return False
        for addr in islice(reversed(known), len(known) - self._size):
            self.changed(addr)
        self._size = len(known)
        return True

    def changed(self, addr: Address) -> None:
        """Say that the result of an instance, or what it has, is another now."""
        self._changes.setdefault(addr.block, []).append(addr)
        self._look_anew(addr.block)

    def _look_anew(self, block: Address) -> None:
        waiting = [block]
        while waiting:
            for decided in self._decides.get(waiting.pop(), ()):
                if decided in self.ready:
                    self.ready.discard(decided)
                    waiting.append(decided)

    def stamp(self, block: Address) -> Stamp:
        """What stays the same as long as no result of the block and nothing in its instances changes."""
        return self._generation, len(self._changes.get(block, ()))

    def since(self, block: Address, stamp: Stamp) -> Sequence[Address] | None:
        """The instances of a block that have changed since it had a stamp; None if that may be any."""
        generation, count = stamp
        return self._changes.get(block, [])[count:] if generation == self._generation else None
