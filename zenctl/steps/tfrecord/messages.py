"""Parses tf.train.Example messages of any writer with protobuf, one by one, into one value for each feature."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

_LISTS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int"}


class NotOneValue(Exception):
    """The message is no Example, or a feature has several values; the text says which."""


def values_of(data: bytes) -> dict[str, Any]:
    """Each feature's int, float or bytes, None where its list is empty. Raises NotOneValue."""
    try:
        example = _EXAMPLE.FromString(data)
    except message.DecodeError as problem:
        raise NotOneValue("it is no tf.train.Example") from problem
    if data and not example.HasField("features"):
        raise NotOneValue("it is no tf.train.Example: it has no features")
    found: dict[str, Any] = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values: Any = getattr(feature, kind).value if kind else []
        if len(values) > 1:
            raise NotOneValue(f'feature "{name}" holds {len(values)} values')
        found[name] = values[0] if len(values) else None
    return found


def _example() -> Any:
    """The message's class, in a pool of its own: TensorFlow registers the same names in the common one."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="zenctl/example.proto", package="zenctl.records", syntax="proto3")
    for name, type in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        file.message_type.add(name=name).field.add(name="value", number=1, type=type, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, list_name) in enumerate(zip(_LISTS, ("BytesList", "FloatList", "Int64List"), strict=True), 1):
        _message(feature, name, number, f".zenctl.records.{list_name}", oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    _message(entry, "value", 2, ".zenctl.records.Feature")
    _message(features, "feature", 1, ".zenctl.records.Features.FeatureEntry", label=field.LABEL_REPEATED)
    _message(file.message_type.add(name="Example"), "features", 1, ".zenctl.records.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("zenctl.records.Example"))


def _message(owner: Any, name: str, number: int, type: str, **rest: Any) -> None:
    field = descriptor_pb2.FieldDescriptorProto
    rest = {"label": field.LABEL_OPTIONAL, **rest}
    owner.field.add(name=name, number=number, type=field.TYPE_MESSAGE, type_name=type, **rest)


_EXAMPLE = _example()
