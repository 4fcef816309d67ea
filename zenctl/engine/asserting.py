"""Asks what must be true: validations of modules' variables, postconditions of nodes, check blocks. Pure."""

from __future__ import annotations

from zenctl.addrs import Address
from zenctl.config.conditions import check_conditions
from zenctl.config.references import condition_references
from zenctl.config.variables import validate
from zenctl.diagnostics import Diagnostic, Severity
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.freshness import KnownResults
from zenctl.lang.references import Reference


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
    modules = list(evaluator.configuration.modules())
    calls = {call.module.path: call for module in modules for call in module.calls.values()}
    for module in modules:
        validated = [variable for variable in module.variables.values() if variable.validations and module.path]
        for place in evaluator.places(module.path, known) if validated else ():
            name = ".".join(str(instance) for instance in place)
            for variable in validated:
                reference = Reference(("var", variable.name), variable.range)
                built = evaluator.scope_of(place, [reference, *condition_references(variable.validations)], known)
                others = built.scope.variables["var"].raw
                argument = calls[module.path].arguments.get(variable.name)
                given = None if argument is None else argument.range
                found = validate(variable, others[variable.name], given, others)
                problems += [d.at(address=name) for d in found]
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
