"""Says of an address that no block declares which block to write, as HCL that has the required attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr
from zenctl.diagnostics import DiagnosticError, did_you_mean, error
from zenctl.engine.opening import Opened
from zenctl.lang.document import BlockData, Raw, document_of
from zenctl.provider.registry import Registry
from zenctl.schema import ArtifactRef, BlockModel

SAMPLES: Mapping[Any, Any] = {
    str: "...",
    int: 1,
    float: 0.5,
    bool: False,
    ArtifactRef: Raw("step.TYPE.NAME.OUTPUT"),
    dict[str, ArtifactRef]: {"data": Raw("step.TYPE.NAME.OUTPUT")},
    dict[str, float]: {"train": 0.8, "eval": 0.2},
}
"""What stands for a required attribute's value, by its type."""


def is_configured(opened: Opened, addr: Address) -> bool:
    """Whether a block declares the address."""
    return addr.block in opened.evaluator.nodes


def check_configured(opened: Opened, addr: Address) -> None:
    """Raise DiagnosticError for an address without a block; it shows the one to write."""
    if is_configured(opened, addr):
        return
    model, types = _model(opened.registry, addr)
    if model is None:
        detail = f"There are {', '.join(types)}.{did_you_mean(addr.type, types)}"
        raise DiagnosticError(error("unknown_type", f'There is no {addr.kind} type "{addr.type}"', detail))
    guess = did_you_mean(str(addr.block), [str(other) for other in opened.evaluator.nodes]).strip()
    folder = opened.folders.get(addr.module_path)
    if folder is None:
        names = ".".join(f"module.{module.name}" for module in addr.module)
        detail = f"Declare the module first. {guess}".strip()
        raise DiagnosticError(error("not_configured", f"{names} is not in the configuration", detail))
    where = f" in the folder {folder}" if folder else ""
    first = f"{guess}\n" if guess else ""
    code = ", with its code," if addr.kind == "step" else ""
    text = block_text(addr, model)
    detail = f"{first}An import records the result of a block. Write it{code}{where} first:\n\n{text}"
    raise DiagnosticError(error("not_configured", f"{addr.block} is not in the configuration", detail.rstrip()))


def block_text(addr: Address, model: type[BlockModel], known: Mapping[str, Any] | None = None) -> str:
    """The block of an address as HCL: what is `known`, and a sample for each other required attribute."""
    from zenctl.lang.write import write_hcl  # loads python-hcl2

    given = dict(known or {})
    attributes: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name in given:
            attributes[name] = given[name]
        elif info.is_required():
            attributes[name] = _sample(addr, name, info.annotation)
    return write_hcl(document_of([BlockData(addr.kind, (addr.type, addr.name), attributes)]))


def _sample(addr: Address, name: str, annotation: Any) -> Any:
    if name == "code":
        return f"{addr.name}.py:{addr.name}"
    if name == "path":
        return f"{addr.name}.{addr.type}"
    return SAMPLES.get(annotation, "...")


def _model(registry: Registry, addr: Address) -> tuple[type[BlockModel] | None, tuple[str, ...]]:
    """The attributes of the address's type, None if there is no such type; and the types that there are."""
    if isinstance(addr, EndpointAddr):
        names = registry.endpoint_names()
        return (registry.endpoint_type(addr.type)[1].model if addr.type in names else None), names
    if isinstance(addr, DatasourceAddr):
        names = registry.datasource_names()
        return (registry.datasource_type(addr.type).model if addr.type in names else None), names
    names = registry.step_names()
    return (registry.step_type(addr.type).model if addr.type in names else None), names
