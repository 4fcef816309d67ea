"""Turns configuration and known results into what is desired at each address. Pure: runs and reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zenctl.addrs import Address
from zenctl.config.capsules import node_capsule
from zenctl.config.configuration import (
    Configuration,
    DatasourceConfig,
    EndpointConfig,
    NodeConfig,
    StepConfig,
)
from zenctl.config.conforming import RESULT, StepOutputs, fields
from zenctl.config.decoding import Decoded, decode, text_of
from zenctl.config.plain import Faulty, plain_value
from zenctl.config.references import node_references
from zenctl.config.scope import Scopes, faulty
from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.engine.arrangement import Arrangement, arrange
from zenctl.engine.calling import Arguments, Call, read_code, resolve_call
from zenctl.engine.desired import (
    CodeRef,
    Desired,
    DesiredDatasource,
    DesiredEndpoint,
    DesiredOutput,
    DesiredStep,
)
from zenctl.engine.inputs import check_inputs, read_inputs
from zenctl.engine.known import DATA, Known
from zenctl.engine.parameters import (
    INPUTS,
    attributes,
    contains_unknown,
    counts,
    ephemeral_output,
    parameters,
    redacted,
    secret_parameters,
)
from zenctl.fingerprint.signature import Signature
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.references import Reference, references
from zenctl.lang.values import Value, from_python
from zenctl.provider.registry import Registry
from zenctl.schema import ArtifactRef, OutputDecl, Unknown

Signatures = Callable[[CodeRef], "tuple[Signature | None, list[Diagnostic]]"]
"""Reads a function's signature without importing it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What others may refer to: a node's outputs; `wrong` if they cannot be told because of errors."""

    outputs: Mapping[str, OutputDecl]
    wrong: bool = False
    enabled: bool = True


NOT_DECLARED = Declared({}, wrong=True)
"""Of a node in a loop, which the loader has reported."""


class Evaluator:
    """Evaluates the nodes and outputs of one configuration, with nothing known, some results, or all of them.

    `variables` are the values of all variables; `signatures` reads the function of a `python` step. `scope` holds
    variables and the locals that depend on no node: what providers and backends are decoded with.
    """

    def __init__(
        self,
        configuration: Configuration,
        variables: Mapping[str, Value],
        registry: Registry,
        signatures: Signatures,
    ) -> None:
        self.configuration = configuration
        self.registry = registry
        self._signatures = signatures
        self._scopes = Scopes(configuration, variables)
        self._references: dict[Address, list[Reference]] = {}
        self._declared: dict[Address, Declared] = {}
        self._values: dict[Address, tuple[Mapping[str, ArtifactRef] | None, Declared, Value]] = {}

    @property
    def scope(self) -> Scope:
        """Variables, and locals made of them."""
        return self._scopes.static()[0]

    def node(self, addr: Address, known: Mapping[Address, Known]) -> tuple[Desired | None, list[Diagnostic]]:
        """What is wanted at an address. None if that cannot be told; a diagnostic, here or of the loader, says why.

        Nodes it refers to that are not in `known` count as not known yet. An error in a local is told by each node that
        uses it, in equal words.
        """
        self._declare(self.configuration.nodes[addr].references, known)
        return self._evaluate(addr, known)

    def check(self) -> list[Diagnostic]:
        """What is wrong where no node and no output leads to: locals nobody uses, backends and providers."""
        scope, diagnostics = self._scopes.static()
        for backend in self.configuration.backends.values():
            what = _name(backend.addr)
            _, found = decode(backend.type.model, backend.body, scope, what=what, names_checked=True, stored=False)
            diagnostics += [d.at(backend.range, str(backend.addr)) for d in found]
        for provider in self.configuration.providers.values():
            model = self.registry.schema(provider.name).config
            what = f'provider "{provider.name}"'
            _, found = decode(model, provider.body, scope, what=what, names_checked=True, stored=False)
            diagnostics += [d.at(provider.range) for d in found]
        return diagnostics

    def output(self, name: str, known: Mapping[Address, Known]) -> tuple[DesiredOutput, list[Diagnostic]]:
        """A root output's value as far as it is known."""
        config = self.configuration.outputs[name]
        found = references(config.value)
        self._declare(self._scopes.nodes(found), known)
        scope, of_locals = self._scopes.scope(found, lambda a: self._value(a, known))
        value, problems = evaluate_expression(config.value, scope)
        diagnostics = self._explained(problems, found)
        data, marks = plain_value(value)
        sensitive = any("sensitive" in names for _, names in marks)
        if sensitive and not config.sensitive:
            detail = "Add `sensitive = true` to the output, so that its value is not shown, or leave the secret out."
            problem = error("sensitive_output", f'Output "{name}" holds a sensitive value', detail)
            diagnostics.append(problem.at(config.value.range))
        diagnostics += ephemeral_output(config, marks)
        data, chosen = _output_data(data)
        if chosen is not None:
            names_ = ", ".join(chosen.outputs)
            detail = f"Choose one of them: {names_}." if names_ else ""
            summary = f'Output "{name}" is {chosen}, which has several outputs'
            diagnostics.append(error("several_outputs", summary, detail, range=config.value.range))
        if has_errors(diagnostics):
            data = Unknown()
        diagnostics = [*of_locals, *(d.at(config.range, f"output.{name}") for d in diagnostics)]
        return DesiredOutput(name, data, config.sensitive), diagnostics

    def _declare(self, addresses: Iterable[Address], known: Mapping[Address, Known]) -> None:
        """Evaluate nodes that were never looked at, those they refer to first, to learn what outputs they have."""
        stack = [a for a in addresses if a not in self._declared and a in self.configuration.nodes]
        begun: set[Address] = set()
        while stack:
            addr = stack[-1]
            if addr in self._declared:
                stack.pop()
                continue
            waiting = [a for a in self.configuration.nodes[addr].references if a not in self._declared]
            if addr not in begun and waiting:
                begun.add(addr)
                stack.extend(waiting)
                continue
            stack.pop()
            self._evaluate(addr, known)

    def _evaluate(self, addr: Address, known: Mapping[Address, Known]) -> tuple[Desired | None, list[Diagnostic]]:
        config = self.configuration.nodes[addr]
        found = self._references.get(addr)
        if found is None:
            found = self._references[addr] = node_references(config)
        scope, of_locals = self._scopes.scope(found, lambda a: self._value(a, known))
        arrangement, diagnostics = arrange(config.meta, scope)
        desired: Desired | None
        if isinstance(config, DatasourceConfig):
            desired, problems = self._datasource(config, scope, arrangement)
        elif isinstance(config, StepConfig):
            desired, problems = self._step(config, scope, arrangement)
        else:
            desired, problems = self._endpoint(config, scope, arrangement)
        diagnostics += self._explained(problems, found)
        outputs = desired.outputs if isinstance(desired, DesiredStep) else DATA
        wrong = isinstance(config, StepConfig) and (desired is None or has_errors([*of_locals, *diagnostics]))
        declared = Declared(outputs, wrong, arrangement.enabled)
        # An equal declaration is kept: values and locals made from it stay valid.
        if self._declared.get(addr) != declared:
            self._declared[addr] = declared
        if not arrangement.enabled:
            # A step that is switched off may refer to others that are.
            diagnostics = [d for d in diagnostics if not d.is_error] if self._refers_to_disabled(found) else diagnostics
        return desired, [*of_locals, *(d.at(config.range, str(addr)) for d in diagnostics)]

    def _refers_to_disabled(self, found: Iterable[Reference]) -> list[Address]:
        addresses = self._scopes.nodes(found)
        return sorted((a for a in addresses if not self._declared.get(a, NOT_DECLARED).enabled), key=str)

    def _explained(self, problems: list[Diagnostic], found: Iterable[Reference]) -> list[Diagnostic]:
        """Problems that may come from a node that is switched off, and so null, say so."""
        if not has_errors(problems):
            return problems
        disabled = self._refers_to_disabled(found)
        if not disabled:
            return problems
        names = ", ".join(str(a) for a in disabled)
        note = f"{names} is not enabled, so its value is null here."
        return [
            Diagnostic(d.severity, d.code, d.summary, f"{d.detail} {note}".strip(), d.range, d.address, d.values)
            for d in problems
        ]

    def _value(self, addr: Address, known: Mapping[Address, Known]) -> Value:
        """A node as expressions see it; the same object as long as nothing about it has changed."""
        refs, declared = known.get(addr), self._declared.get(addr, NOT_DECLARED)
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
        self._values[addr] = (refs, declared, value)
        return value

    def _datasource(
        self, config: DatasourceConfig, scope: Scope, arrangement: Arrangement
    ) -> tuple[DesiredDatasource, list[Diagnostic]]:
        model = config.type.model
        decoded, diagnostics = decode(model, config.body, scope, what=_name(config.addr), names_checked=True)
        diagnostics += _locations(decoded, config)
        params = parameters(model, decoded)
        shown, sensitive = redacted(params, decoded.sensitive)
        diagnostics += secret_parameters(sensitive)
        desired = DesiredDatasource(
            addr=config.addr,
            config=config,
            model=decoded.model,
            params=params,
            fingerprint_params=shown,
            backend=arrangement.backend,
            processing=arrangement.processing,
            timeout=arrangement.timeout,
            retries=arrangement.retries,
            enabled=arrangement.enabled,
            sensitive=sensitive,
        )
        return desired, diagnostics

    def _step(
        self, config: StepConfig, scope: Scope, arrangement: Arrangement
    ) -> tuple[DesiredStep | None, list[Diagnostic]]:
        type_ = config.type
        decoded, diagnostics = decode(type_.model, config.body, scope, what=_name(config.addr), names_checked=True)
        diagnostics += _locations(decoded, config)
        if any(isinstance(value, Faulty) for value in decoded.data.values()):
            return None, diagnostics
        inputs, problems = read_inputs(decoded)
        diagnostics += problems
        if type_.implementation:
            params, secret = parameters(type_.model, decoded), decoded.sensitive
            diagnostics += check_inputs(inputs, type_, decoded, _name(config.addr))
            call = Call()
            if not has_errors(diagnostics):
                call = Call(outputs=type_.outputs(attributes(type_.model, decoded)))
                diagnostics += _undecided_outputs(decoded) if not call.outputs else []
        else:
            call, problems = self._call(decoded, inputs)
            diagnostics += problems
            given = decoded.data.get("params", {})
            params = dict(given) if isinstance(given, Mapping) else {}
            secret = tuple(_within(decoded, "params", params))
        shown, sensitive = redacted(params, secret)
        diagnostics += secret_parameters(sensitive)
        desired = DesiredStep(
            addr=config.addr,
            config=config,
            model=decoded.model,
            inputs=inputs,
            outputs=call.outputs,
            as_types=call.as_types,
            returned=call.returned,
            params=params,
            fingerprint_params=shown,
            code=call.code,
            files=call.files,
            backend=arrangement.backend,
            processing=arrangement.processing,
            timeout=arrangement.timeout,
            retries=arrangement.retries,
            enabled=arrangement.enabled,
            sensitive=sensitive,
        )
        if not config.body.attributes.keys() <= fields(type_.model).keys():
            # A misspelt name has been reported; what is missing because of it is not told a second time.
            diagnostics = [d for d in diagnostics if not d.code.startswith("missing_")]
        return desired, diagnostics

    def _call(self, decoded: Decoded, inputs: Mapping[str, ArtifactRef]) -> tuple[Call, list[Diagnostic]]:
        """A python step's function and what it is called with."""
        code, diagnostics = read_code(decoded)
        if code is None:
            return Call(), diagnostics
        signature, problems = self._signatures(code)
        diagnostics += [d.at(code.range) for d in problems]
        if signature is None:
            return Call(code=code), diagnostics
        call, problems = resolve_call(Arguments(code, signature, decoded, inputs))
        return call, diagnostics + problems

    def _endpoint(
        self, config: EndpointConfig, scope: Scope, arrangement: Arrangement
    ) -> tuple[DesiredEndpoint | None, list[Diagnostic]]:
        model = config.type.model
        decoded, diagnostics = decode(model, config.body, scope, what=_name(config.addr), names_checked=True)
        served = decoded.data.get("model")
        if not isinstance(served, ArtifactRef):
            return None, diagnostics
        if served.type != "Model":
            summary = f'"model" must be a Model, {served} is a {served.type}'
            diagnostics.append(error("wrong_type", summary, range=decoded.range(("model",))))
        if decoded.model is not None and not contains_unknown(decoded.data):
            data = decoded.model.model_dump(exclude={"model"})
        else:
            data = {name: value for name, value in attributes(model, decoded).items() if name != "model"}
        shown, sensitive = redacted(data, decoded.sensitive)
        desired = DesiredEndpoint(config.addr, config, served, data, shown, arrangement.enabled, sensitive)
        return desired, diagnostics


def _name(addr: Address) -> str:
    return f'{addr.kind} "{addr.type}" "{addr.name}"'


def _locations(decoded: Decoded, config: NodeConfig) -> list[Diagnostic]:
    """A storage location in what counts for the fingerprint is refused: moving the store would make all stale."""
    known = fields(config.type.model)
    found = []
    for place in decoded.located:
        name = str(place[0])
        if name in known and counts(known[name]) and name != INPUTS:
            detail = (
                "A location would become part of the fingerprint, and moving the store would make everything stale. "
                "Pass the artifact in `inputs`, or use its digest."
            )
            summary = f'"{text_of(place)}" holds the uri of an artifact'
            found.append(error("uri_in_params", summary, detail, range=decoded.range(place)))
    return found


def _undecided_outputs(decoded: Decoded) -> list[Diagnostic]:
    """Outputs that depend on an attribute which is not known: others could not be checked against them."""
    for name, value in decoded.data.items():
        if isinstance(value, Unknown) and not isinstance(value, Faulty):
            summary = f'"{name}" is known only after apply, and the outputs follow from it'
            return [error("unknown_outputs", summary, range=decoded.range((name,)))]
    return []


def _within(decoded: Decoded, name: str, data: Mapping[str, Any]) -> list[tuple[str | int, ...]]:
    """The secret places inside an attribute; if it is secret as a whole, each of its entries."""
    found: list[tuple[str | int, ...]] = []
    for place in decoded.sensitive:
        if place[0] == name:
            found += [place[1:]] if len(place) > 1 else [(key,) for key in data]
    return found


def _output_data(data: Any) -> tuple[Any, StepOutputs | None]:
    """A root output's data with a returned value in place of its artifact, and a step used as one value, if any."""
    if isinstance(data, StepOutputs):
        return Unknown(), data
    if isinstance(data, ArtifactRef) and data.output == RESULT:
        return (Unknown() if data.values is None else data.values.get("value")), None
    if isinstance(data, dict):
        pairs = {key: _output_data(item) for key, item in data.items()}
        return {key: item for key, (item, _) in pairs.items()}, next((s for _, s in pairs.values() if s), None)
    if isinstance(data, list):
        items = [_output_data(item) for item in data]
        return [item for item, _ in items], next((s for _, s in items if s), None)
    return data, None
