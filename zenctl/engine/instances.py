"""What is known of a block's instances while a configuration is evaluated: which there are, and what they declare."""

from __future__ import annotations

from collections.abc import Mapping, Set

from zenctl.addrs import Address
from zenctl.config.expansion import SINGLE, Expansion
from zenctl.diagnostics import Diagnostic
from zenctl.lang.values import Value
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import OutputDecl


@dataclass(frozen=True, slots=True)
class Declared:
    """What others may refer to: a node's outputs; `wrong` if they cannot be told because of errors."""

    outputs: Mapping[str, OutputDecl]
    wrong: bool = False
    enabled: bool = True


NOT_DECLARED = Declared({}, wrong=True)
"""Of a node in a loop, which the loader has reported."""


@dataclass(frozen=True, slots=True)
class Instances:
    """The instances of a block. Where they are `open`, they are known only after apply: these then stand for all."""

    addresses: tuple[Address, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Expanded:
    """The expansion of a block in one instance of its module, and the nodes' values that it was made of."""

    expansion: Expansion
    diagnostics: tuple[Diagnostic, ...]
    reads: Mapping[Address, Value]
    uses: Set[Address] = frozenset()


NOT_EXPANDED = Expanded(SINGLE, (), {})
IN_LOOP = Expanded(Expansion({None: {}}, known=False, wrong=True), (), {})
