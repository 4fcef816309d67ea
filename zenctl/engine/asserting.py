"""Asks what must be true: validations of modules' variables, postconditions of nodes, check blocks. Pure."""

from __future__ import annotations

from zenctl.addrs import Address
from zenctl.config.conditions import check_conditions
from zenctl.config.references import condition_references
from zenctl.diagnostics import Diagnostic, Severity
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.freshness import KnownResults


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
        validated = [variable for variable in module.variables.values() if variable.validations and module.path]
        for place in evaluator.places(module.path, known) if validated else ():
            name = ".".join(str(instance) for instance in place)
            for variable in validated:
                built = evaluator.scope_of(place, condition_references(variable.validations), known)
                summary = f'Variable "{variable.name}" of {name} has a value that is not allowed'
                problems += check_conditions(variable.validations, built.scope, summary)
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
