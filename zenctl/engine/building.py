"""Builds what is desired at one address from its block and its scope. Pure: runs and reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.config.configuration import Configuration, DatasourceConfig, EndpointConfig, NodeConfig, StepConfig
from zenctl.config.conforming import fields
from zenctl.config.decoding import Decoded, decode, text_of
from zenctl.config.plain import Faulty
from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.engine.arrangement import Arrangement
from zenctl.engine.calling import Arguments, Call, read_code, resolve_call
from zenctl.engine.desired import CodeRef, Desired, DesiredDatasource, DesiredEndpoint, DesiredStep
from zenctl.engine.inputs import check_inputs, read_inputs
from zenctl.engine.parameters import (
    INPUTS,
    attributes,
    contains_unknown,
    parameters,
    redacted,
    secret_parameters,
)
from zenctl.engine.reaching import Reaching, reference_texts
from zenctl.fingerprint.signature import Signature
from zenctl.lang.evaluate import Scope
from zenctl.provider.registry import Registry
from zenctl.schema import ArtifactRef, Unknown
from zenctl.schema.block import is_fingerprinted

Signatures = Callable[[CodeRef], "tuple[Signature | None, list[Diagnostic]]"]
"""Reads a function's signature without importing it."""


class Builder:
    """Builds desired nodes. `signatures` reads the function of a `python` step; types declare what their jobs reach."""

    def __init__(self, signatures: Signatures, configuration: Configuration, registry: Registry) -> None:
        self._signatures = signatures
        self._reaching = Reaching(configuration, registry)

    def build(
        self, addr: Address, config: NodeConfig, scope: Scope, arrangement: Arrangement, folder: str
    ) -> tuple[Desired | None, list[Diagnostic]]:
        """What is wanted at `addr`, an instance of the block; `folder` is that of its module.

        None if that cannot be told; a diagnostic, here or of the loader, says why.
        """
        desired: Desired | None
        if isinstance(config, DatasourceConfig):
            desired, diagnostics = self._datasource(addr, config, scope, arrangement)
        elif isinstance(config, StepConfig):
            desired, diagnostics = self._step(addr, config, scope, arrangement, folder)
        else:
            desired, diagnostics = self._endpoint(addr, config, scope, arrangement)
        return desired, diagnostics

    def _datasource(
        self, addr: Address, config: DatasourceConfig, scope: Scope, arrangement: Arrangement
    ) -> tuple[DesiredDatasource, list[Diagnostic]]:
        model = config.type.model
        decoded, diagnostics = decode(model, config.body, scope, what=block_name(config.addr), names_checked=True)
        diagnostics += _locations(decoded, config)
        params = parameters(model, decoded)
        shown, sensitive = redacted(params, decoded.sensitive)
        diagnostics += secret_parameters(sensitive, decoded)
        if arrangement.enabled:
            diagnostics += self._reaching.unreachable(model, decoded, arrangement.backend)
        desired = DesiredDatasource(
            addr=cast(DatasourceAddr, addr),
            config=config,
            model=decoded.model,
            params=params,
            fingerprint_params=shown,
            backend=arrangement.backend,
            processing=arrangement.processing,
            timeout=arrangement.timeout,
            retries=arrangement.retries,
            resources=arrangement.resources,
            enabled=arrangement.enabled,
            sensitive=sensitive,
        )
        return desired, diagnostics

    def _step(
        self, addr: Address, config: StepConfig, scope: Scope, arrangement: Arrangement, folder: str
    ) -> tuple[DesiredStep | None, list[Diagnostic]]:
        type_ = config.type
        decoded, diagnostics = decode(type_.model, config.body, scope, what=block_name(config.addr), names_checked=True)
        diagnostics += _locations(decoded, config)
        if any(isinstance(value, Faulty) for value in decoded.data.values()):
            return None, diagnostics
        inputs, problems = read_inputs(decoded)
        diagnostics += problems
        if type_.implementation:
            params, secret = parameters(type_.model, decoded), decoded.sensitive
            diagnostics += check_inputs(inputs, type_, decoded, block_name(config.addr))
            call = Call()
            if not has_errors(diagnostics):
                call = Call(outputs=type_.outputs(attributes(type_.model, decoded)))
                diagnostics += _undecided_outputs(decoded) if not call.outputs else []
        else:
            call, problems = self._call(decoded, inputs, folder)
            diagnostics += problems
            given = decoded.data.get("params", {})
            params = dict(given) if isinstance(given, Mapping) else {}
            secret = tuple(_within(decoded, "params", params))
        shown, sensitive = redacted(params, secret)
        diagnostics += secret_parameters(sensitive, decoded, "" if type_.implementation else "params")
        if arrangement.enabled:
            diagnostics += self._reaching.unreachable(type_.model, decoded, arrangement.backend)
        desired = DesiredStep(
            addr=cast(StepAddr, addr),
            config=config,
            model=decoded.model,
            inputs=inputs,
            outputs=call.outputs,
            as_types=call.as_types,
            returned=call.returned,
            checkpoints=call.checkpoints,
            params=params,
            fingerprint_params=shown,
            code=call.code,
            files=call.files,
            backend=arrangement.backend,
            processing=arrangement.processing,
            timeout=arrangement.timeout,
            retries=arrangement.retries,
            resources=arrangement.resources,
            enabled=arrangement.enabled,
            sensitive=sensitive,
            cache_seconds=arrangement.cache,
            reproducible=arrangement.reproducible,
            triggers_replace=arrangement.triggers_replace,
            secrets=reference_texts(type_.model, decoded),
        )
        if incomplete(config):
            diagnostics = [d for d in diagnostics if not d.code.startswith("missing_")]
        return desired, diagnostics

    def _call(self, decoded: Decoded, inputs: Mapping[str, ArtifactRef], folder: str) -> tuple[Call, list[Diagnostic]]:
        """A python step's function and what it is called with."""
        code, diagnostics = read_code(decoded, folder)
        if code is None:
            return Call(), diagnostics
        signature, problems = self._signatures(code)
        diagnostics += [d.at(code.range) for d in problems]
        if signature is None:
            return Call(code=code), diagnostics
        call, problems = resolve_call(Arguments(code, signature, decoded, inputs))
        return call, diagnostics + problems

    def _endpoint(
        self, addr: Address, config: EndpointConfig, scope: Scope, arrangement: Arrangement
    ) -> tuple[DesiredEndpoint | None, list[Diagnostic]]:
        model = config.type.model
        decoded, diagnostics = decode(model, config.body, scope, what=block_name(config.addr), names_checked=True)
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
        desired = DesiredEndpoint(cast(EndpointAddr, addr), config, served, data, shown, arrangement.enabled, sensitive)
        return desired, diagnostics


def incomplete(config: NodeConfig) -> bool:
    """Whether a misspelt name or a slip in the block's form has been reported: what seems missing is not told again."""
    return config.body.broken or not config.body.attributes.keys() <= fields(config.type.model).keys()


def block_name(addr: Address) -> str:
    """A block as it is written: `step "python" "fit"`."""
    return f'{addr.kind} "{addr.type}" "{addr.name}"'


def _locations(decoded: Decoded, config: NodeConfig) -> list[Diagnostic]:
    """A storage location in what counts for the fingerprint is refused: moving the store would make all stale."""
    known = fields(config.type.model)
    found = []
    for place in decoded.located:
        name = str(place[0])
        if name in known and is_fingerprinted(known[name]) and name != INPUTS:
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
