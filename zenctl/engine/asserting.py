"""Asks what must be true: validations of modules' variables, postconditions of nodes, check blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zenctl.addrs import Address
from zenctl.config.conditions import check_conditions, undecided
from zenctl.config.configuration import Condition
from zenctl.config.references import condition_references
from zenctl.config.settling import Place
from zenctl.config.variables import validate
from zenctl.diagnostics import Diagnostic, Severity
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.freshness import KnownResults
from zenctl.lang.evaluate import Scope
from zenctl.lang.references import Reference
from zenctl.plans.plan import CheckResult


def postconditions(evaluator: Evaluator, addr: Address, known: KnownResults) -> list[Diagnostic]:
    """What fails of an instance's postconditions, as far as its result is known."""
    config = evaluator.nodes[addr.block]
    conditions = config.meta.lifecycle.postconditions
    if not conditions:
        return []
    roots = evaluator.roots(addr, known)
    built = evaluator.scope_of(addr.module, condition_references(conditions), known, roots)
    problems = check_conditions(conditions, built.scope, f"A postcondition of {addr} failed")
    return [d.at(config.range, str(addr)) for d in (*built.diagnostics, *problems)]


def validations(evaluator: Evaluator, known: KnownResults) -> list[Diagnostic]:
    """What fails of the validations of modules' variables, as far as the arguments are known."""
    problems: list[Diagnostic] = []
    for module in evaluator.configuration.modules():
        if module.path and any(variable.validations for variable in module.variables.values()):
            for place in evaluator.places(module.path, known):
                problems += _validated(evaluator, place, known)
    return problems


def validations_around(evaluator: Evaluator, addr: Address, known: KnownResults) -> list[Diagnostic]:
    """The same of the variables of the modules that an instance stands in."""
    depths = range(1, len(addr.module) + 1)
    return [problem for depth in depths for problem in _validated(evaluator, addr.module[:depth], known)]


def _validated(evaluator: Evaluator, place: Place, known: KnownResults) -> list[Diagnostic]:
    """What fails of the validations of the variables of one instance of a module."""
    problems: list[Diagnostic] = []
    path = tuple(instance.name for instance in place)
    call = evaluator.module(path[:-1]).calls[path[-1]]
    for variable in call.module.variables.values():
        if not variable.validations:
            continue
        reference = Reference(("var", variable.name), variable.range)
        built = evaluator.scope_of(place, [reference, *condition_references(variable.validations)], known)
        others = built.scope.variables["var"].raw
        argument = call.arguments.get(variable.name)
        given = None if argument is None else argument.range
        found = validate(variable, others[variable.name], given, others)
        problems += [d.at(address=".".join(str(instance) for instance in place)) for d in found]
    return problems


def checks(evaluator: Evaluator, known: KnownResults) -> list[Diagnostic]:
    """Warnings of the check blocks whose assertions do not hold, as far as what they test is known."""
    warnings: list[Diagnostic] = []
    for module in evaluator.configuration.modules():
        for check in module.checks.values():
            found = condition_references(check.assertions)
            for place in evaluator.places(module.path, known):
                built = evaluator.scope_of(place, found, known)
                summary = f'Check "{check.name}" failed'
                warnings += check_conditions(check.assertions, built.scope, summary, severity=Severity.WARNING)
    return warnings


def check_results(evaluator: Evaluator, instances: Iterable[Address], known: KnownResults) -> list[CheckResult]:
    """What came of every condition that the configuration states: check blocks, nodes, the root's outputs."""
    results = []
    for module in evaluator.configuration.modules():
        for check in module.checks.values():
            found = condition_references(check.assertions)
            for place in evaluator.places(module.path, known):
                scope = evaluator.scope_of(place, found, known).scope
                name = ".".join([*(str(instance) for instance in place), f"check.{check.name}"])
                results.append(_result("check", name, check.assertions, scope))
    for addr in instances:
        lifecycle = evaluator.nodes[addr.block].meta.lifecycle
        conditions = (*lifecycle.preconditions, *lifecycle.postconditions)
        if conditions:
            roots = evaluator.roots(addr, known)
            scope = evaluator.scope_of(addr.module, condition_references(conditions), known, roots).scope
            results.append(_result(addr.kind, str(addr), conditions, scope))
    for name, output in evaluator.configuration.outputs.items():
        if output.preconditions:
            scope = evaluator.scope_of((), condition_references(output.preconditions), known).scope
            results.append(_result("output", f"output.{name}", output.preconditions, scope))
    return results


def _result(kind: str, name: str, conditions: Sequence[Condition], scope: Scope) -> CheckResult:
    problems = tuple(d.detail or d.summary for d in check_conditions(conditions, scope, "The condition does not hold"))
    status = "fail" if problems else "unknown" if undecided(conditions, scope) else "pass"
    return CheckResult(kind, name, status, problems)
