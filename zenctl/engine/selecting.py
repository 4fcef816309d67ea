"""Selects the part of a configuration that `-target` and `-exclude` ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from zenctl.addrs import Address, AddressError, covers, without_keys
from zenctl.diagnostics import DiagnosticError, did_you_mean, error
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """The blocks to plan, in order. Of a block in `only`, instances that one of the texts there names; of one in
    `without`, those that none of them names.
    """

    order: tuple[Address, ...]
    only: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)

    def holds(self, addr: Address) -> bool:
        """Whether an instance of a selected block is meant."""
        block = addr.block
        if block in self.only:
            return any(covers(text, addr) for text in self.only[block])
        return not any(covers(text, addr) for text in self.without.get(block, ()))


def select(
    order: Sequence[Address],
    references: Mapping[Address, Sequence[Address]],
    targets: Sequence[str],
    excludes: Sequence[str],
) -> Selection:
    """The blocks to plan: targets with all they depend on, or all but the excluded and what depends on them.

    An address without an instance key means all its instances, a module all that stands in it. Raises DiagnosticError
    for one that does not exist.
    """
    wanted, unwanted = _blocks(order, targets, "-target"), _blocks(order, excludes, "-exclude")
    if wanted and unwanted:
        raise DiagnosticError(error("bad_option", "-target and -exclude cannot be used together"))
    if wanted:
        needed: set[Address] = set()
        for addr in reversed(order):
            if addr in wanted or addr in needed:
                needed |= set(references.get(addr, ()))
        only = {addr: tuple(texts) for addr, texts in wanted.items() if addr not in needed}
        return Selection(tuple(addr for addr in order if addr in wanted or addr in needed), only)
    # Where only some instances are left out, the block stays, and with it what depends on it.
    left_out = {addr for addr, texts in unwanted.items() if any(covers(text, addr) for text in texts)}
    for addr in order:
        if any(reference in left_out for reference in references.get(addr, ())):
            left_out.add(addr)
    without = {addr: tuple(texts) for addr, texts in unwanted.items() if addr not in left_out}
    return Selection(tuple(addr for addr in order if addr not in left_out), without=without)


def check_addresses(order: Sequence[Address], texts: Sequence[str], option: str) -> tuple[str, ...]:
    """The texts, each of which names a block or a module around one; raises DiagnosticError for others."""
    _blocks(order, texts, option)
    return tuple(texts)


def named(known: Iterable[Address], texts: Sequence[str], option: str) -> frozenset[Address]:
    """The addresses that the texts name; raises DiagnosticError with all that name none."""
    known = list(known)
    found = {text: [addr for addr in known if covers(text, addr)] for text in texts}
    _refuse([text for text, matching in found.items() if not matching], known, option)
    return frozenset(addr for matching in found.values() for addr in matching)


def _blocks(order: Sequence[Address], texts: Sequence[str], option: str) -> dict[Address, list[str]]:
    """The blocks that the texts name, each with the texts that name it or instances of it."""
    found: dict[Address, list[str]] = {}
    unknown = []
    for text in texts:
        try:
            plain = without_keys(text)
        except AddressError:
            plain = text
        matching = [addr for addr in order if covers(plain, addr)]
        for addr in matching:
            found.setdefault(addr, []).append(text)
        if not matching:
            unknown.append(text)
    _refuse(unknown, order, option)
    return found


def _refuse(unknown: Sequence[str], known: Sequence[Address], option: str) -> None:
    problems = []
    for text in unknown:
        hint = did_you_mean(text, [str(addr) for addr in known])
        summary = f"{option}={text}: there is no such address in the configuration"
        problems.append(error("unknown_address", summary, f"Addresses look like step.python.fit.{hint}"))
    if problems:
        raise DiagnosticError(*problems)
