"""Addresses read back as what they were written from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl import addrs
from zenctl.addrs import Address, AddressError, BackendAddr, DatasourceAddr, EndpointAddr, ModuleInstance, StepAddr

# A name is what Python takes for one, and may have dashes behind its first letter.
names = st.from_regex(r"[^\W\d][\w-]{0,12}", fullmatch=True).filter(lambda name: name.replace("-", "_").isidentifier())
keys = st.one_of(st.none(), st.text(max_size=8), st.integers(min_value=0, max_value=10**6))
addresses = st.builds(
    lambda kind, type_, name, key, module: kind(type_, name, key, tuple(module)),
    st.sampled_from([StepAddr, DatasourceAddr, EndpointAddr, BackendAddr]),
    names,
    names,
    keys,
    st.lists(st.builds(ModuleInstance, names, keys), max_size=3),
)


@given(addresses)
def test_every_address_reads_back(address: Address) -> None:
    again = addrs.parse(str(address))
    assert again == address
    assert type(again) is type(address)


def test_kinds_with_equal_names_differ() -> None:
    assert StepAddr("local", "a") != EndpointAddr("local", "a")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a name"),
        ("step", "a dot"),
        ("step.python", "a dot"),
        ("step.python.", "a name"),
        ("step.python.fit.model", "the end"),
        ("steps.python.fit", "must begin with one of"),
        ("step.python.fit[", "a quoted key or a number"),
        ("step.python.fit[true]", "a quoted key"),
        ('step.python.fit["a"', "a quoted key"),
        ("module.eu", "a dot"),
        ("step python fit", "a dot"),
    ],
)
def test_what_is_no_address_says_why(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        addrs.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        assert str(addrs.parse(text)).startswith(("step.", "datasource.", "endpoint.", "backend.", "module."))
    except AddressError as problem:
        assert repr(text) in str(problem)
