"""What an error was raised from: found, each once, also where the chain leads back to itself."""

from __future__ import annotations

from itertools import pairwise

from zenctl.jobs.causes import causes, innermost_reason
from zenctl.jobs.stores.refusals import timed_out


def chained(*errors: BaseException) -> BaseException:
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_each_error_of_a_chain() -> None:
    errors = (ValueError("outer"), KeyError("middle"), OSError(111, "Connection refused"))
    assert list(causes(chained(*errors))) == list(errors)
    assert innermost_reason(errors[0]) == "Connection refused"
    assert innermost_reason(ValueError("alone")) == "alone"


def test_an_interruption_is_no_reason() -> None:
    assert innermost_reason(chained(ValueError("outer"), KeyboardInterrupt())) == "outer"


def test_a_chain_that_leads_back_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert list(causes(first)) == [first, second]
    assert not timed_out(first)
    assert innermost_reason(first) == "second"
    second.__cause__ = TimeoutError("slow")
    assert timed_out(first)
