"""How artifacts appear in expressions: opaque values with the attributes digest, type, uri and known results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from zenctl.addrs import Address, DatasourceAddr
from zenctl.config.conforming import RESULT, StepOutputs
from zenctl.config.plain import LOCATION
from zenctl.lang.model import Capsule, object_value
from zenctl.lang.values import Value, from_python
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import ArtifactRef, OutputDecl, Unknown

VALUED = frozenset({"Anomalies", "Metrics", "Predictions"})
"""Artifact types whose recorded properties an expression may read."""

OWN = ("digest", "type", "uri")


@dataclass(frozen=True, slots=True)
class ArtifactCapsule(Capsule):
    """One artifact in an expression. Its type in the language is the artifact's type."""

    ref: ArtifactRef
    type_name: str

    def attribute(self, name: str) -> Value | None:
        """`digest`, `type`, `uri`, or a metric; None if it has no such attribute, unknown while not known."""
        ref = self.ref
        if name == "type":
            return from_python(ref.type)
        if name == "digest":
            return from_python(Unknown("string") if ref.digest is None else ref.digest)
        if name == "uri":
            value = from_python(Unknown("string") if ref.uri is None else ref.uri)
            return replace(value, marks=value.marks | {LOCATION})
        if ref.type not in VALUED and ref.output != RESULT:
            return None
        if ref.values is None:
            return from_python(Unknown()) if ref.type in VALUED or name == "value" else None
        return from_python(ref.values[name]) if name in ref.values else None

    def attribute_names(self) -> tuple[str, ...]:
        """What it has, for messages."""
        names = set(OWN)
        if self.ref.type in VALUED or self.ref.output == RESULT:
            names |= set(self.ref.values or ())
        if self.ref.output == RESULT:
            names.add("value")
        return tuple(sorted(names))

    def unwrap(self) -> ArtifactRef:
        """The reference itself."""
        return self.ref

    def content(self) -> Value | None:
        """What the step returned, of its output `result`."""
        return self.attribute("value") if self.ref.output == RESULT else None


def artifact_capsule(ref: ArtifactRef) -> ArtifactCapsule:
    """The capsule of an artifact."""
    return ArtifactCapsule(ref, ref.type)


def node_capsule(address: Address, refs: Mapping[str, ArtifactRef]) -> NodeCapsule:
    """The capsule of a node; one with a single output counts as that artifact, a datasource as its snapshot."""
    only = _itself(address, refs)
    return NodeCapsule(address, refs, only.type if only is not None else address.kind)


def _itself(address: Address, refs: Mapping[str, ArtifactRef]) -> ArtifactRef | None:
    """The output that a node stands for by its address alone, if there is one."""
    if isinstance(address, DatasourceAddr):
        return refs.get("data")
    return next(iter(refs.values())) if len(refs) == 1 else None


@dataclass(frozen=True, slots=True)
class NodeCapsule(Capsule):
    """`step.T.N` or `datasource.T.N` in an expression: its outputs by name, and the only one's attributes."""

    address: Address
    refs: Mapping[str, ArtifactRef] = field(hash=False)
    type_name: str

    def attribute(self, name: str) -> Value | None:
        """An output, or what its only output has."""
        if name in self.refs:
            return from_python(artifact_capsule(self.refs[name]))
        only = self._only()
        return artifact_capsule(only).attribute(name) if only is not None else None

    def attribute_names(self) -> tuple[str, ...]:
        """Its outputs, for messages."""
        only = self._only()
        inner = artifact_capsule(only).attribute_names() if only is not None else ()
        return (*self.refs, *(name for name in inner if name not in self.refs))

    def unwrap(self) -> ArtifactRef | StepOutputs:
        """The only output, or the outputs among which to choose."""
        only = self._only()
        if only is not None:
            return only
        return StepOutputs(self.address, {name: OutputDecl(ref.type) for name, ref in self.refs.items()})

    def content(self) -> Value | None:
        """What the step returned, if that is its only output."""
        only = self._only()
        return None if only is None else artifact_capsule(only).content()

    def parts(self) -> ArtifactCapsule | dict[str, ArtifactCapsule]:
        """The only output, or all of them by name."""
        only = self._only()
        if only is not None:
            return artifact_capsule(only)
        return {name: artifact_capsule(ref) for name, ref in self.refs.items()}

    def _only(self) -> ArtifactRef | None:
        return _itself(self.address, self.refs)


def laid_open(value: Value) -> Value:
    """The value with an object of its attributes in place of each artifact: all of it that expressions can read."""
    raw = value.raw
    if isinstance(raw, NodeCapsule):
        return laid_open(replace(from_python(raw.parts()), marks=value.marks))
    if isinstance(raw, ArtifactCapsule):
        found = {name: raw.attribute(name) for name in raw.attribute_names()}
        return object_value({name: item for name, item in found.items() if item is not None}).with_marks(value.marks)
    if isinstance(raw, tuple):
        return replace(value, raw=tuple(laid_open(item) for item in raw))
    if isinstance(raw, dict):
        return replace(value, raw={name: laid_open(item) for name, item in raw.items()})
    return value
