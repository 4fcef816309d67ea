"""How blocks look in a graph: their colours and words, by kind, or with a plan by what happens to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from zenctl.addrs import Address, ModuleInstance
from zenctl.cli.views.style import columns, printable
from zenctl.engine.graphing import BlockGraph, GraphNode
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.actions import Action

LONGEST = 44
"""Columns of a label; what is longer is cut in the middle."""

_DIRECTION = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Signs that turn the direction of what follows: a label could hide behind them what it is."""


@dataclass(frozen=True, slots=True)
class Look:
    """`name` is for programs, `word` for people; `fill`, `line` and `text` are colours, `dashed` is the line."""

    name: str
    word: str
    fill: str
    line: str
    text: str
    dashed: bool = False


KINDS = {
    "datasource": Look("datasource", "datasource", "#ecfdf5", "#0f9d76", "#0b6b52"),
    "step": Look("step", "step", "#eff6ff", "#3b78d8", "#1f4f9e"),
    "endpoint": Look("endpoint", "endpoint", "#f6f1ff", "#8a5cd6", "#5f34a8"),
}

FIRST = Look("first", "run", "#e6f6e8", "#2e9e44", "#1c6b2c")
READ = Look("first", "read", FIRST.fill, FIRST.line, FIRST.text)
"""Of a RUN without anything recorded before it."""

ACTIONS = {
    Action.RUN: Look("run", "run again", "#fff4d6", "#d19a00", "#7a5900"),
    Action.MAY_RUN: Look("may_run", "may run", "#fffaf0", "#d19a00", "#7a5900", dashed=True),
    Action.REUSE: Look("reuse", "reuse", "#e2f5fb", "#2196b6", "#12647a"),
    Action.NO_OP: Look("no_op", "up to date", "#f7f8fa", "#a3adba", "#5b6675"),
    Action.FORGET: Look("forget", "forget", "#fbfbfc", "#a3adba", "#5b6675", dashed=True),
    Action.CREATE: Look("create", "create", "#e6f6e8", "#2e9e44", "#1c6b2c"),
    Action.UPDATE: Look("update", "update", "#fff4d6", "#d19a00", "#7a5900"),
    Action.REPLACE: Look("replace", "replace", "#ffeadb", "#dd7420", "#8f4107"),
    Action.READ: Look("read", "record", "#e2f5fb", "#2196b6", "#12647a"),
    Action.DELETE: Look("delete", "delete", "#fde8e8", "#d64545", "#962525"),
}


def look(node: GraphNode) -> Look:
    """How a node is drawn."""
    change = node.change
    if change is None:
        return KINDS[node.addr.kind]
    reads = node.addr.kind == "datasource"
    if change.action is Action.RUN and change.before is None:
        return READ if reads else FIRST
    found = ACTIONS[change.action]
    if reads and change.action in (Action.RUN, Action.MAY_RUN):
        word = found.word.replace("may run", "may be read").replace("run", "read")
        return Look(found.name, word, found.fill, found.line, found.text, found.dashed)
    return found


def legend(graph: BlockGraph) -> list[tuple[Look, int]]:
    """The looks that occur, each with how many nodes have it, in the order of the tables above."""
    counts = Counter(look(node).name for node in graph.nodes)
    looks = (*KINDS.values(), FIRST, *ACTIONS.values())
    return [(found, counts[found.name]) for found in looks if counts[found.name]]


def kind_label(addr: Address) -> str:
    """`step.train`"""
    return shortened(f"{addr.kind}.{addr.type}")


def name_label(node: GraphNode) -> str:
    """The name with its key: `fit["eu"]`; `fit[*]` of a block that stands for all of its instances."""
    own = str(type(node.addr)(node.addr.type, node.addr.name, node.addr.key)).split(".", 2)[2]
    return shortened(own + ("[*]" if node.expanded else ""))


def module_label(path: tuple[ModuleInstance, ...], graph: BlockGraph) -> str:
    """The module's last part: `module.eu["a"]`; `module.eu[*]` of one that stands for all of its instances."""
    expanded = tuple(instance.name for instance in path) in graph.expanded_modules
    return shortened(f"{path[-1]}{'[*]' if expanded else ''}")


def shortened(text: str) -> str:
    """The text on one line, with its middle left out if it is long."""
    text = _DIRECTION.sub("", printable(text)).replace("\n", " ")
    if columns(text) <= LONGEST:
        return text
    head, tail = LONGEST * 2 // 3 - 1, LONGEST // 3
    return _cut(text, head) + "…" + _cut(text[::-1], tail)[::-1]


def _cut(text: str, most: int) -> str:
    """The longest beginning of at most so many columns."""
    total, end = 0, 0
    for end, character in enumerate(text):
        total += columns(character)
        if total > most:
            return text[:end]
    return text[: end + 1]


def paths(graph: BlockGraph) -> list[tuple[ModuleInstance, ...]]:
    """The modules that blocks stand in and those around them, outer ones first, in the order of the blocks."""
    return list(dict.fromkeys(path for node in graph.nodes for path in _around(node.addr.module)))


def _around(module: tuple[ModuleInstance, ...]) -> Iterable[tuple[ModuleInstance, ...]]:
    return (module[: depth + 1] for depth in range(len(module)))
