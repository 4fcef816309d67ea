"""Makes the graph of a configuration's blocks, or of what a plan does to their instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from zenctl.addrs import Address
from zenctl.config.configuration import Configuration, NodeConfig
from zenctl.diagnostics import Diagnostic, SourceRange
from zenctl.engine.desired import DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.opening import Opened, OpeningError, open_configuration, open_planned
from zenctl.engine.requests import Inputs
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.plan import Change, Plan, PlannedMachines
from zenctl.schema import OutputDecl


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A block, or with a plan an instance of one and what happens to it.

    `inputs` says by name what goes in, `outputs` what comes out, as far as that can be told without running anything.
    `expanded` is `for_each` or `count` where a block stands for all of its instances.
    """

    addr: Address
    description: str = ""
    range: SourceRange | None = None
    code: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    outputs: Mapping[str, OutputDecl] = field(default_factory=dict, hash=False)
    expanded: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class BlockGraph:
    """Nodes, what is needed before what needs it, and edges from the one to the other.

    `expanded_modules` are the paths of modules that stand for all of their instances. `title` says what it shows.
    `machines` are those that a plan has made for what runs.
    """

    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[Address, Address], ...]
    title: str
    expanded_modules: frozenset[tuple[str, ...]] = frozenset()
    machines: tuple[PlannedMachines, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphOutcome:
    """A graph, or only diagnostics. `sources` are the texts that diagnostics point into."""

    graph: BlockGraph | None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def graph_configuration(inputs: Inputs, *, detailed: bool = False) -> GraphOutcome:
    """The graph of a folder's configuration; variables need no values. `detailed` finds inputs and outputs, too."""
    try:
        opened = open_configuration(inputs, values_required=False)
    except OpeningError as problem:
        return GraphOutcome(None, problem.diagnostics, problem.sources)
    return GraphOutcome(configuration_graph(opened, detailed=detailed), opened.diagnostics, opened.sources)


def configuration_graph(opened: Opened, *, detailed: bool = False) -> BlockGraph:
    """The graph of the blocks of all modules."""
    configuration = opened.configuration
    blocks = configuration.all_nodes()
    nodes = tuple(_block(opened, addr, blocks[addr], detailed) for addr in opened.order)
    edges = [(needed, addr) for addr in opened.order for needed in blocks[addr].references if needed in blocks]
    return BlockGraph(nodes, tuple(edges), configuration.settings.project, _expanded_modules(configuration))


def graph_plan(inputs: Inputs, plan: Plan, *, detailed: bool = False) -> BlockGraph:
    """The graph of what a plan does. With `detailed`, the configuration in the plan says where the blocks stand."""
    opened: Opened | None = None
    if detailed:
        try:
            opened = open_planned(inputs, plan, values_required=False)
        except OpeningError:
            # It may need a provider that is not installed here: its graph can be drawn all the same.
            opened = None
    nodes = [_changed(opened, change) for change in plan.changes]
    known = {change.address: change.addr for change in plan.changes}
    edges = [(known[text], change.addr) for change in plan.changes for text in change.depends_on if text in known]
    title = f"{plan.project}, workspace {plan.workspace}"
    return BlockGraph(tuple(nodes), tuple(dict.fromkeys(edges)), title, machines=plan.machines)


def _block(opened: Opened, block: Address, config: NodeConfig, detailed: bool) -> GraphNode:
    expanded = "for_each" if config.meta.for_each is not None else "count" if config.meta.count is not None else ""
    node = GraphNode(block, config.type.description, config.range, expanded=expanded)
    instances = opened.evaluator.instances(block, {}).addresses if detailed else ()
    return _detailed(opened, instances[0], node) if instances else node


def _changed(opened: Opened | None, change: Change) -> GraphNode:
    node = GraphNode(change.addr, change=change)
    config = opened.evaluator.nodes.get(change.addr.block) if opened is not None else None
    if opened is None or config is None:
        return node
    return _detailed(opened, change.addr, replace(node, description=config.type.description, range=config.range))


def _detailed(opened: Opened, instance: Address, node: GraphNode) -> GraphNode:
    """The node with what an instance takes and gives. What is wrong with it is for `validate` to tell."""
    desired, _ = opened.evaluator.node(instance, {})
    if isinstance(desired, DesiredStep):
        inputs = {name: str(ref) for name, ref in desired.inputs.items()}
        code = str(desired.code) if desired.code is not None else ""
        return replace(node, inputs=inputs, outputs=desired.outputs, code=code)
    if isinstance(desired, DesiredEndpoint):
        return replace(node, inputs={"model": str(desired.model)})
    return replace(node, outputs=desired.outputs) if isinstance(desired, DesiredDatasource) else node


def _expanded_modules(configuration: Configuration) -> frozenset[tuple[str, ...]]:
    return frozenset(
        call.module.path
        for module in configuration.modules()
        for call in module.calls.values()
        if call.meta.for_each is not None or call.meta.count is not None
    )
