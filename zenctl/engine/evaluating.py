"""Turns configuration and known results into what is desired at each address. Pure: runs and reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Union

from zenctl.addrs import Address, Key
from zenctl.config.capsules import NodeCapsule, node_capsule
from zenctl.config.conditions import check_conditions, ephemeral_output
from zenctl.config.configuration import Configuration, Lifecycle, ModuleCall, NodeConfig, StepConfig
from zenctl.config.decoding import decode
from zenctl.config.expansion import SINGLE, Expansion, Roots, expand
from zenctl.config.plain import faulty, plain_value
from zenctl.config.references import (
    expanding_references,
    node_address,
    node_references,
    output_references,
    whole_reference,
)
from zenctl.config.scope import Built, Scopes
from zenctl.config.selecting import expanding_uses, selected
from zenctl.config.settling import Place
from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.engine.arrangement import arrange
from zenctl.engine.building import Builder, Signatures, block_name, incomplete
from zenctl.engine.desired import Desired, DesiredDatasource, DesiredOutput, DesiredStep
from zenctl.engine.explaining import explained, missing_trigger, output_data, unknown_instances
from zenctl.engine.freshness import Freshness, KnownResults, Stamp
from zenctl.engine.instances import IN_LOOP, NOT_DECLARED, NOT_EXPANDED, Declared, Expanded, Instances
from zenctl.engine.known import DATA
from zenctl.lang.calls import Function
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.references import Reference, references
from zenctl.lang.syntax import Expression
from zenctl.lang.values import Value, from_python
from zenctl.provider.registry import Registry
from zenctl.schema import ArtifactRef, Unknown

Evaluated = tuple[Union[Desired, None], list[Diagnostic]]
"""What is wanted at an address, and what is wrong there."""


class Evaluator:
    """Evaluates the nodes and outputs of one configuration, with nothing known, some results, or all of them.

    What instances a block has can depend on results; then its instances are looked at anew whenever more is known.
    `variables` are the values of the root module's variables; `signatures` reads the function of a `python` step.
    `scope` holds variables and the locals that depend on no node: what providers and backends are decoded with.
    """

    def __init__(
        self,
        configuration: Configuration,
        variables: Mapping[str, Value],
        registry: Registry,
        signatures: Signatures,
        *,
        workspace: str = "default",
        functions: Callable[[str], Mapping[str, Function]] | None = None,
    ) -> None:
        self.configuration = configuration
        self.registry = registry
        self.nodes = configuration.all_nodes()
        self._builder = Builder(signatures, configuration, registry)
        context = from_python({"project": configuration.settings.project, "workspace": workspace})
        self._scopes = Scopes(configuration, variables, context={"zenctl": context}, functions=functions)
        self._modules = {module.path: module for module in configuration.modules()}
        self._references: dict[Address, list[Reference]] = {}
        self._ordered: dict[Address, Set[Address]] = {}
        self._expanded: dict[Address, Expanded] = {}
        self._deciding = {addr: self._scopes.decided_by(addr, node.meta) for addr, node in self.nodes.items()}
        self._fresh = Freshness(self._deciding)
        self._declared: dict[Address, Declared] = {}
        self._off: dict[Address, set[Address]] = {}
        self._evaluated: dict[Address, tuple[Mapping[Address, Value], Evaluated]] = {}
        self._values: dict[Address, tuple[Mapping[str, ArtifactRef] | None, Declared, Value]] = {}
        self._collected: dict[Address, tuple[Expansion, Stamp, dict[Key, Value], Value]] = {}

    @property
    def scope(self) -> Scope:
        """Variables, and locals made of them."""
        return self._scopes.static()[0]

    def instances(self, block: Address, known: KnownResults) -> Instances:
        """The instances of a block, in the order of their keys."""
        self._use(known)
        self._declare([block])
        return self._instances(block)

    def node(self, addr: Address, known: KnownResults) -> Evaluated:
        """What is wanted at the address of an instance. None if that cannot be told; a diagnostic, here or of the
        loader, says why.

        Nodes it refers to that are not in `known` count as not known yet. An error in a value is told by each node that
        uses it, in equal words.
        """
        self._use(known)
        self._declare(self.nodes[addr.block].references)
        return self._evaluate(addr)

    def check(self) -> list[Diagnostic]:
        """What is wrong where no node and no output leads to: locals nobody uses, backends and providers."""
        scope, diagnostics = self._scopes.static()
        for backend in self.configuration.backends.values():
            what = block_name(backend.addr)
            _, found = decode(backend.type.model, backend.body, scope, what=what, names_checked=True, stored=False)
            diagnostics += [d.at(backend.range, str(backend.addr)) for d in found]
        for provider in self.configuration.providers.values():
            model = self.registry.schema(provider.name).config
            what = f'provider "{provider.name}"'
            _, found = decode(model, provider.body, scope, what=what, names_checked=True, stored=False)
            diagnostics += [d.at(provider.range) for d in found]
        return diagnostics

    def values(self, known: KnownResults, told: Iterable[Diagnostic] = ()) -> list[Diagnostic]:
        """What is wrong with values of any module, also with those that nobody uses; the root's outputs left out.

        What has been `told` already, of whatever address, is not told again.
        """
        self._use(known)
        self._declare(self.nodes)
        off = {block for block, instances in self._off.items() if instances}
        places = [place for path in self._modules for place in self._scopes.places(path, self._value)[0]]
        before = {replace(d, address=None) for d in told}
        found = dict.fromkeys(d for place in places for d in self._scopes.problems(place, self._value, off))
        return [d for d in found if d not in before]

    def output(self, name: str, known: KnownResults) -> tuple[DesiredOutput, list[Diagnostic]]:
        """A root output's value as far as it is known."""
        config = self.configuration.outputs[name]
        found = output_references(config)
        built = self.scope_of((), found, known)
        value, problems = evaluate_expression(config.value, built.scope)
        diagnostics = self._explained(problems, (), found)
        data, marks = plain_value(value)
        sensitive = any("sensitive" in names for _, names in marks)
        if sensitive and not config.sensitive:
            detail = "Add `sensitive = true` to the output, so that its value is not shown, or leave the secret out."
            problem = error("sensitive_output", f'Output "{name}" holds a sensitive value', detail)
            diagnostics.append(problem.at(config.value.range))
        diagnostics += ephemeral_output(config, marks)
        data, chosen = output_data(data)
        if chosen is not None:
            names_ = ", ".join(chosen.outputs)
            detail = f"Choose one of them: {names_}." if names_ else ""
            summary = f'Output "{name}" is {chosen}, which has several outputs'
            diagnostics.append(error("several_outputs", summary, detail, range=config.value.range))
        diagnostics += check_conditions(config.preconditions, built.scope, f'Precondition of output "{name}" failed')
        if has_errors(diagnostics):
            data = Unknown()
        diagnostics = [*built.diagnostics, *(d.at(config.range, f"output.{name}") for d in diagnostics)]
        return DesiredOutput(name, data, config.sensitive), diagnostics

    def scope_of(
        self, module: Place, found: Sequence[Reference], known: KnownResults, own: Roots | None = None
    ) -> Built:
        """The scope of references in an instance of a module; `own` are root names that are there besides."""
        self._use(known)
        self._declare(self._scopes.nodes(tuple(m.name for m in module), found))
        return self._scopes.scope(module, found, self._value, own)

    def value(self, expression: Expression, known: KnownResults, module: Place = ()) -> tuple[Value, list[Diagnostic]]:
        """The value of any expression in an instance of a module."""
        found = references(expression)
        built = self.scope_of(module, found, known)
        value, problems = evaluate_expression(expression, built.scope)
        return value, [*built.diagnostics, *self._explained(problems, tuple(m.name for m in module), found)]

    def roots(self, addr: Address, known: KnownResults) -> Roots:
        """`each` or `count` of an instance, and `self`, its result."""
        self._use(known)
        self._declare([addr.block])
        return {**self._roots(addr), "self": self._instance_value(addr)}

    def places(self, path: tuple[str, ...], known: KnownResults) -> list[Place]:
        """The instances of a module."""
        self._use(known)
        self._declare(self._scopes.decided_by_calls(path))
        return self._scopes.places(path, self._value)[0]

    def module(self, path: tuple[str, ...]) -> Configuration:
        """The module that calls of these names lead to."""
        return self._modules[path]

    def _use(self, known: KnownResults) -> None:
        if self._fresh.learn(known):
            self._scopes.renew()

    def _declare(self, blocks: Iterable[Address]) -> None:
        """Evaluate instances that were never looked at, what they refer to first, to learn what outputs they have."""
        ready = self._fresh.ready
        stack = [block for block in blocks if block in self.nodes]
        begun: set[Address] = set()
        while stack:
            block = stack[-1]
            if block in ready:
                stack.pop()
                continue
            waiting = [a for a in self.nodes[block].references if a in self.nodes and a not in ready]
            if block not in begun and waiting:
                begun.add(block)
                stack.extend(waiting)
                continue
            stack.pop()
            addresses = self._instances(block).addresses
            ready.add(block)
            for addr in addresses:
                if addr not in self._declared:
                    self._evaluate(addr)

    def _instances(self, block: Address, near: Place = ()) -> Instances:
        """The instances of a declared block; those in the instances of modules that `near` lies in too."""
        config = self.nodes[block]
        places, diagnostics, waiting = self._scopes.places(block.module_path, self._value, near)
        if waiting is not None:
            problem = self._unknown_instances(waiting, f"module.{waiting.name}", waiting.module.path[:-1])
            diagnostics = [*diagnostics, problem]
        addresses: list[Address] = []
        open_ = waiting is not None
        for place in places:
            placed = block if not place else replace(block, module=place)
            expanded = self._expansion(placed)
            diagnostics += expanded.diagnostics
            if not expanded.expansion.known and not expanded.expansion.wrong:
                open_ = True
                if waiting is None:
                    diagnostics.append(self._unknown_instances(config, str(block), block.module_path))
            addresses += [placed if key is None else replace(placed, key=key) for key in expanded.expansion.instances]
        placed_problems = tuple(dict.fromkeys(d.at(config.range, str(block)) for d in diagnostics))
        return Instances(tuple(addresses), placed_problems, open_)

    def _expansion(self, placed: Address) -> Expanded:
        """The expansion of a block in an instance of its module."""
        config = self.nodes[placed.block]
        if config.meta.for_each is None and config.meta.count is None:
            return NOT_EXPANDED
        found = self._expanded.get(placed)
        ready = config.addr in self._fresh.ready
        if found is not None and (ready or all(self._value(addr) is value for addr, value in found.reads.items())):
            return found
        # Where a loop leads back here, which the loader has reported, nothing is known.
        self._expanded[placed] = IN_LOOP
        built = self._scopes.scope(placed.module, expanding_references(config.meta), self._value)
        expansion, diagnostics = expand(config.meta, built.scope, block_name(placed))
        self._expanded[placed] = Expanded(expansion, (*built.diagnostics, *diagnostics), built.reads, built.uses)
        return self._expanded[placed]

    def _unknown_instances(self, block: NodeConfig | ModuleCall, name: str, path: tuple[str, ...]) -> Diagnostic:
        needed = sorted(self._scopes.nodes(path, expanding_references(block.meta)), key=str)
        return unknown_instances(block, name, [a for a in needed if a not in self._fresh.known] or needed)

    def _evaluate(self, addr: Address) -> Evaluated:
        """What is wanted at an address; what was found before is still true where it was made of the same values."""
        cached = self._evaluated.get(addr)
        if cached is not None and all(self._value(read) is value for read, value in cached[0].items()):
            return cached[1]
        reads, made = self._evaluate_anew(addr)
        block = addr.block
        if not self._deciding[block] and not any(self._deciding.get(a) for a in self.nodes[block].references):
            self._evaluated[addr] = reads, made
        return made

    def _evaluate_anew(self, addr: Address) -> tuple[Mapping[Address, Value], Evaluated]:
        block = addr.block
        config = self.nodes[block]
        found = self._references.get(block)
        if found is None:
            found = self._references[block] = node_references(config)
        # `self` in a precondition has been reported.
        roots = {**self._roots(addr), "self": faulty()}
        built = self._scopes.scope(addr.module, found, self._value, roots)
        arrangement, diagnostics = arrange(config.meta, built.scope)
        folder = self._modules[addr.module_path].folder
        desired, problems = self._builder.build(addr, config, built.scope, arrangement, folder)
        if desired is not None:
            needed = self._needed(addr, config, built.uses)
            triggers = self._triggers(addr, config.meta.lifecycle, built.scope, diagnostics)
            desired = replace(desired, references=needed, triggers=triggers)
        diagnostics += self._explained(problems, addr.module_path, found)
        conditions = config.meta.lifecycle.preconditions
        diagnostics += check_conditions(conditions, built.scope, f"A precondition of {addr} failed")
        outputs = desired.outputs if isinstance(desired, (DesiredStep, DesiredDatasource)) else DATA
        unsure = desired is None or incomplete(config) or has_errors([*built.diagnostics, *diagnostics])
        wrong = isinstance(config, StepConfig) and unsure
        declared = Declared(outputs, wrong, arrangement.enabled)
        # An equal declaration is kept: values and locals made from it stay valid.
        if self._declared.get(addr) != declared:
            self._declared[addr] = declared
            off = self._off.setdefault(block, set())
            (off.discard if declared.enabled else off.add)(addr)
            self._fresh.changed(addr)
            self._scopes.renew()
        if not arrangement.enabled:
            # A step that is switched off may refer to others that are.
            allowed = self._refers_to_disabled(addr.module_path, found)
            diagnostics = [d for d in diagnostics if not d.is_error] if allowed else diagnostics
        return built.reads, (desired, [*built.diagnostics, *(d.at(config.range, str(addr)) for d in diagnostics)])

    def _roots(self, addr: Address) -> Roots:
        """`each` or `count` of an instance."""
        expansion = self._expansion(replace(addr, key=None)).expansion
        roots = expansion.instances.get(addr.key)
        return roots if roots is not None else next(iter(expansion.instances.values()), {})

    def _needed(self, addr: Address, config: NodeConfig, uses: Set[Address]) -> tuple[Address, ...]:
        """The instances whose results it needs, or that it is to wait for."""
        block = addr.block
        ordered = self._ordered.get(block)
        if ordered is None:
            ordered = self._ordered[block] = self._scopes.ordered_after(block, config.meta)
        found: dict[Address, None] = {}
        for named in sorted(ordered, key=str):
            found.update(dict.fromkeys(self._instances(named, addr.module).addresses))
        decided = expanding_uses(config.meta, addr.module, addr.key, self._expansion(replace(addr, key=None)).uses)
        for used in sorted({*uses, *decided, *self._scopes.place_uses(addr.module)}, key=str):
            if used.block in self.nodes and used not in found:
                instances = self._expansion(replace(used, key=None)).expansion.instances
                if used.key in instances:
                    found[used] = None
                else:
                    found.update({replace(used, key=key): None for key in instances})
        return tuple(found)

    def _triggers(
        self, addr: Address, lifecycle: Lifecycle, scope: Scope, diagnostics: list[Diagnostic]
    ) -> tuple[Address, ...]:
        """The instances that `replace_triggered_by` names: one with its key, or all of a block."""
        found: list[Address] = []
        for expression in lifecycle.replace_triggered_by:
            reference = whole_reference(expression)
            block = node_address(reference, addr.block.module) if reference is not None else None
            if reference is None or block is None or block not in self.nodes:
                continue
            instances = self._instances(block, addr.module)
            key = selected(self.nodes[block].meta, reference, 3, scope)
            keyed = [instance for instance in instances.addresses if instance.key == key]
            if key is not None and not keyed and not instances.open:
                missing = replace(block, key=key)
                diagnostics.append(missing_trigger(missing, instances.addresses, expression.range))
            found += instances.addresses if key is None else keyed
        return tuple(found)

    def _refers_to_disabled(self, path: tuple[str, ...], found: Iterable[Reference]) -> list[Address]:
        blocks = self._scopes.nodes(path, found)
        return sorted((block for block in blocks if self._off.get(block)), key=str)

    def _explained(
        self, problems: list[Diagnostic], path: tuple[str, ...], found: Sequence[Reference]
    ) -> list[Diagnostic]:
        """Problems with what they may come from: a node that is switched off, or one that has instances."""
        if not has_errors(problems):
            return problems
        return explained(problems, self._modules[path], found, self._refers_to_disabled(path, found))

    def _value(self, placed: Address) -> Value:
        """A block, in one instance of its module, as expressions see it; the same object as long as nothing changed."""
        expansion = self._expansion(placed).expansion
        if expansion is SINGLE:
            return self._instance_value(placed)
        stamp = self._fresh.stamp(placed.block)
        cached = self._collected.get(placed)
        if cached is not None and cached[0] is expansion and cached[1] == stamp:
            return cached[3]
        if cached is None or cached[0] is not expansion:
            cached = None
        keys: Iterable[Key] = expansion.instances if expansion.known else ()
        changed = None if cached is None else self._fresh.since(placed.block, cached[1])
        if cached is not None and changed is not None:
            # Results come one by one: to look at all instances each time would take the square of their number.
            keys = [addr.key for addr in changed if addr.module == placed.module and addr.key in cached[2]]
        values = {key: self._instance_value(replace(placed, key=key)) for key in keys}
        if cached is not None and all(cached[2][key] is value for key, value in values.items()):
            values, value = cached[2], cached[3]
        else:
            values = {**(cached[2] if cached is not None else {}), **values}
            value = expansion.collect(values)
        self._collected[placed] = (expansion, stamp, values, value)
        return value

    def _instance_value(self, addr: Address) -> Value:
        refs, declared = self._fresh.known.get(addr), self._declared.get(addr, NOT_DECLARED)
        cached = self._values.get(addr)
        if cached is not None and cached[0] is refs and cached[1] is declared:
            return cached[2]
        if not declared.enabled:
            value = from_python(None)
        elif declared.wrong:
            value = faulty()
        else:
            outputs = {name: ArtifactRef(addr, name, decl.type) for name, decl in declared.outputs.items()}
            outputs |= {name: ref for name, ref in (refs or {}).items() if name in outputs}
            value = from_python(node_capsule(addr, outputs))
            # Where nothing is told but what was unknown before, all that was made of it holds.
            if cached is not None and isinstance(cached[2].raw, NodeCapsule) and cached[2].raw.refs == outputs:
                value = cached[2]
        self._values[addr] = (refs, declared, value)
        return value
