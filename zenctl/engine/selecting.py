"""Selects the part of a configuration that `-target` and `-exclude` ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zenctl.addrs import Address
from zenctl.diagnostics import DiagnosticError, did_you_mean, error


def select(
    order: Sequence[Address],
    references: Mapping[Address, Sequence[Address]],
    targets: Iterable[str],
    excludes: Iterable[str],
) -> tuple[Address, ...]:
    """The nodes to plan: targets with all they depend on, or all but the excluded and what depends on them.

    An address without an instance key means all its instances. Raises DiagnosticError for one that does not exist.
    """
    wanted, unwanted = addresses(order, targets, "-target"), addresses(order, excludes, "-exclude")
    if wanted and unwanted:
        raise DiagnosticError(error("bad_option", "-target and -exclude cannot be used together"))
    if wanted:
        for addr in reversed(order):
            if addr in wanted:
                wanted |= set(references.get(addr, ()))
        return tuple(addr for addr in order if addr in wanted)
    for addr in order:
        if any(reference in unwanted for reference in references.get(addr, ())):
            unwanted.add(addr)
    return tuple(addr for addr in order if addr not in unwanted)


def addresses(known: Sequence[Address], texts: Iterable[str], option: str) -> set[Address]:
    """The addresses meant by an option's values; raises DiagnosticError with all that do not exist."""
    found: set[Address] = set()
    problems = []
    for text in texts:
        matching = {addr for addr in known if str(addr) == text or str(addr).startswith(f"{text}[")}
        if not matching:
            hint = did_you_mean(text, [str(addr) for addr in known])
            summary = f"{option}={text}: there is no such address in the configuration"
            problems.append(error("unknown_address", summary, f"Addresses look like step.python.fit.{hint}"))
        found |= matching
    if problems:
        raise DiagnosticError(*problems)
    return found
