"""Functions that compute addresses of IP networks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Union

from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.functions.bounds import whole
from zenctl.lang.functions.declaring import Group, number, text
from zenctl.lang.model import Value, list_value, string
from zenctl.lang.types import NUMBER, STRING, ListType

if TYPE_CHECKING:
    import ipaddress

    Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

NETWORKS = Group()
_PREFIX = text("prefix")


def _network(prefix: str) -> Network:
    import ipaddress  # few configurations need it

    try:
        if "/" not in prefix:
            raise ValueError
        return ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        raise FunctionProblem('This is not a network, as in "10.1.0.0/16" or "2001:db8::/48".', 0) from None


def _within(network: Network, bits: int, at: int, argument: int) -> Network:
    """The network `at` of those that lengthen the prefix by some bits."""
    length = network.prefixlen + bits
    if length > network.max_prefixlen:
        detail = f"The prefix has {network.prefixlen} of {network.max_prefixlen} bits: it cannot have {bits} more."
        raise FunctionProblem(detail, argument, hidden="The prefix has no room for so many bits.")
    start = int(network.network_address) + (at << (network.max_prefixlen - length))
    return type(network)((start, length))


@NETWORKS.function(
    "cidrhost",
    "The address of a host in a network by its number; a negative one counts from the end.",
    _PREFIX,
    number("hostnum"),
    returns=STRING,
)
def _cidrhost(prefix: str, hostnum: Decimal) -> str:
    network = _network(prefix)
    at = whole(hostnum, 1)
    if not -network.num_addresses <= at < network.num_addresses:
        raise FunctionProblem(f"The network has {network.num_addresses} addresses only.", 1)
    return str(network[at])


@NETWORKS.function("cidrnetmask", "The netmask of an IPv4 network.", _PREFIX, returns=STRING)
def _cidrnetmask(prefix: str) -> str:
    network = _network(prefix)
    if network.version != 4:
        raise FunctionProblem("Only IPv4 networks have a netmask.", 0)
    return str(network.netmask)


@NETWORKS.function(
    "cidrsubnet",
    "A network within a network: so many bits longer, the one of that number.",
    _PREFIX,
    number("newbits"),
    number("netnum"),
    returns=STRING,
)
def _cidrsubnet(prefix: str, newbits: Decimal, netnum: Decimal) -> str:
    bits, at = whole(newbits, 1, least=0), whole(netnum, 2, least=0)
    network = _network(prefix)
    found = _within(network, bits, 0, 1)
    if at >= 1 << bits:
        raise FunctionProblem(f"With {bits} more bits there are {1 << bits} networks, counted from 0.", 2)
    return str(_within(network, found.prefixlen - network.prefixlen, at, 1))


@NETWORKS.function(
    "cidrsubnets",
    "Networks within a network one after the other, each so many bits longer.",
    _PREFIX,
    rest=Parameter("newbits", NUMBER),
    returns=ListType(STRING),
)
def _cidrsubnets(prefix: str, *newbits: Decimal) -> Value:
    network = _network(prefix)
    found: list[Network] = []
    free = int(network.network_address)
    for at, given in enumerate(newbits, 1):
        bits = whole(given, at, least=1)
        size = _within(network, bits, 0, at).num_addresses
        free = -(-free // size) * size
        if free + size > int(network.network_address) + network.num_addresses:
            raise FunctionProblem("There is no room left in the network for this one.", at)
        found.append(type(network)((free, network.prefixlen + bits)))
        free += size
    return list_value(STRING, _texts(found))


def _texts(networks: Sequence[Network]) -> list[Value]:
    return [string(str(network)) for network in networks]
