"""Turns TensorFlow Serving's JSON rows and columns into arrays and back; no TensorFlow in it."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zenctl.diagnostics import did_you_mean
from zenctl_local.serving_model import DEFAULT_SIGNATURE, LoadedModel, SignatureInfo, TensorInfo, first_words

ABSENT = object()
"""Stands for a feature that an instance does not have."""


class BadRequest(Exception):
    """The request cannot be answered; the text says which value is wrong and what is expected."""


def predict(model: LoadedModel, body: Any) -> dict[str, Any]:
    """Answer a decoded body of `:predict`; raises BadRequest.

    {"instances": [row, ...]} gives {"predictions": [row, ...]}, {"inputs": {name: column}} gives {"outputs": ...}.
    """
    if not isinstance(body, dict):
        raise BadRequest('the body must be an object with "instances" or "inputs"')
    unknown = sorted(set(body) - {"instances", "inputs", "signature_name"})
    if unknown:
        hint = did_you_mean(unknown[0], ("instances", "inputs", "signature_name"))
        raise BadRequest(f'the body has an unknown key "{unknown[0]}".{hint}')
    if ("instances" in body) == ("inputs" in body):
        raise BadRequest('the body must have either "instances" (rows) or "inputs" (columns)')
    signature = _signature(model, body.get("signature_name", DEFAULT_SIGNATURE))
    if "instances" in body:
        rows = body["instances"]
        if not isinstance(rows, list) or not rows:
            raise BadRequest('"instances" must be a list of at least one row')
        outputs = _call(signature, _from_rows(rows, signature, model.missing))
        return {"predictions": _to_rows(outputs, len(rows))}
    outputs = _call(signature, _from_columns(body["inputs"], signature, model.missing))
    columns = {name: _to_json(value) for name, value in outputs.items()}
    return {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}


def _signature(model: LoadedModel, name: Any) -> SignatureInfo:
    if not isinstance(name, str) or name not in model.signatures:
        hint = did_you_mean(str(name), model.signatures)
        known = ", ".join(sorted(model.signatures))
        raise BadRequest(f'the model has no signature "{name}".' + (hint or f" It has: {known}."))
    return model.signatures[name]


def _call(signature: SignatureInfo, arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return signature.call(arrays)
    except (ValueError, TypeError) as error:
        raise BadRequest(first_words(error)) from error
    except Exception as error:
        # TensorFlow's InvalidArgumentError: the values do not fit the model's operations.
        if type(error).__name__ == "InvalidArgumentError":
            raise BadRequest(first_words(error)) from error
        raise


def _from_rows(rows: list[Any], signature: SignatureInfo, missing: Mapping[str, Any]) -> dict[str, Any]:
    names = list(signature.inputs)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) == {"b64"}:
            if len(names) != 1:
                raise BadRequest(f"instances[{index}] must be an object with the features {', '.join(names)}")
            row = {names[0]: row}
        elif not row:
            raise BadRequest(f"instances[{index}] has no feature; the model takes {', '.join(names)}")
        _check_names(row, names, f"instances[{index}]")
        for name in names:
            columns[name].append(row.get(name, ABSENT))
    return {
        name: _array(columns[name], info, lambda i, name=name: f'instances[{i}]: feature "{name}"', missing.get(name))
        for name, info in signature.inputs.items()
    }


def _from_columns(inputs: Any, signature: SignatureInfo, missing: Mapping[str, Any]) -> dict[str, Any]:
    names = list(signature.inputs)
    if not isinstance(inputs, dict) or set(inputs) == {"b64"}:
        if len(names) != 1:
            raise BadRequest(f'"inputs" must be an object with the features {", ".join(names)}')
        inputs = {names[0]: inputs}
    if not inputs:
        raise BadRequest(f'"inputs" has no feature; the model takes {", ".join(names)}')
    _check_names(inputs, names, "inputs")
    for name, column in inputs.items():
        if signature.inputs[name].shape != () and not isinstance(column, list):
            raise BadRequest(f'inputs: feature "{name}" must be a list with one value a row')
    lengths = {name: len(column) for name, column in inputs.items() if isinstance(column, list)}
    rows = next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        # Columns of a model's card are rows side by side; other signatures may take inputs of different lengths.
        if missing and length != rows:
            first = next(iter(lengths))
            raise BadRequest(f'inputs: feature "{name}" has {length} values, but "{first}" has {rows}')
    arrays = {}
    for name, info in signature.inputs.items():
        column = inputs.get(name, [ABSENT] * rows if name in missing else ABSENT)
        if column is ABSENT:
            raise BadRequest(f'inputs: feature "{name}" is missing')
        if info.shape == ():
            arrays[name] = _array([column], TensorInfo(info.dtype, (None,)), lambda _, name=name: name, None)[0]
            continue
        where = lambda i, name=name: f'inputs: feature "{name}"[{i}]'  # noqa: E731 - named for the line's length
        arrays[name] = _array(column, info, where, missing.get(name))
    return arrays


def _check_names(row: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for name in row:
        if name not in names:
            hint = did_you_mean(name, names) or f" The model takes {', '.join(names)}."
            raise BadRequest(f'{where}: unknown feature "{name}".{hint}')


def _array(column: list[Any], info: TensorInfo, where: Any, missing: Any) -> Any:
    """One array of a column of JSON values; `where` names the value of an index, `missing` stands for null."""
    wanted = None if info.shape is None else info.shape[1:]
    if info.shape is not None and info.shape and info.shape[0] not in (None, len(column)):
        raise BadRequest(f"{where(0)}: the model takes exactly {info.shape[0]} rows, not {len(column)}")
    values = []
    for index, value in enumerate(column):
        if value is ABSENT or value is None:
            if missing is None:
                said = "is missing" if value is ABSENT else "is null, and the model has no value for missing ones"
                raise BadRequest(f"{where(index)} {said}")
            value = missing
        if wanted is not None:
            value = _shaped(value, wanted, index, where)
        values.append(_typed(value, info.dtype, index, where))
    try:
        with np.errstate(over="raise"):
            return np.array(values, dtype=object if info.dtype == "string" else info.dtype)
    except (ValueError, ArithmeticError, TypeError) as error:
        raise BadRequest(f"{where(0)} or one after it does not fit {info.dtype}: {error}") from error


def _shaped(value: Any, wanted: tuple[int | None, ...], index: int, where: Any) -> Any:
    """The value with exactly the wanted dimensions; a scalar and [scalar] stand for one another."""
    if not wanted:
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
    elif not isinstance(value, list) and all(size in (1, None) for size in wanted):
        for _ in wanted:
            value = [value]
    if not _fits(value, wanted):
        shape = (
            "[" + ", ".join("any" if size is None else str(size) for size in wanted) + "]" if wanted else "one value"
        )
        raise BadRequest(f"{where(index)} has the wrong shape: the model takes {shape} a row, not {_describe(value)}")
    return value


def _fits(value: Any, wanted: tuple[int | None, ...]) -> bool:
    if not wanted:
        return not isinstance(value, list)
    if not isinstance(value, list) or wanted[0] not in (None, len(value)):
        return False
    return all(_fits(item, wanted[1:]) for item in value)


def _describe(value: Any) -> str:
    sizes = []
    while isinstance(value, list):
        sizes.append(str(len(value)))
        value = value[0] if value else None
    return f"[{', '.join(sizes)}]" if sizes else "one value"


def _typed(value: Any, dtype: str, index: int, where: Any) -> Any:
    if isinstance(value, list):
        return [_typed(item, dtype, index, where) for item in value]
    kind = type(value)
    if dtype == "string":
        if kind is str:
            try:
                return value.encode()
            except UnicodeEncodeError as error:
                raise BadRequest(f"{where(index)} is no text: it holds half a character") from error
        if kind is dict and set(value) == {"b64"}:
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (binascii.Error, TypeError, ValueError) as error:
                raise BadRequest(f"{where(index)} is not valid base64") from error
        raise BadRequest(f"{where(index)} must be a text, not {_json_name(value)}")
    if dtype == "bool":
        if kind is not bool:
            raise BadRequest(f"{where(index)} must be true or false, not {_json_name(value)}")
        return value
    if kind is not int and kind is not float:
        raise BadRequest(f"{where(index)} must be a number, not {_json_name(value)}")
    if "int" in dtype:
        if kind is float:
            if not value.is_integer():
                raise BadRequest(f"{where(index)} must be a whole number, not {value}")
            value = int(value)
        limits = np.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            raise BadRequest(f"{where(index)} does not fit {dtype}: {value}")
    return value


def _json_name(value: Any) -> str:
    names = {str: "the text", bool: "", dict: "an object", type(None): "null"}
    said = names.get(type(value), "")
    if isinstance(value, dict) or value is None:
        return said
    return f'{said} "{value}"' if said else str(value).lower()


def _to_rows(outputs: Mapping[str, Any], rows: int) -> list[Any]:
    columns = {}
    for name, value in outputs.items():
        if np.ndim(value) == 0 or len(value) != rows:
            raise BadRequest(f'output "{name}" does not have one value a row: ask with "inputs" instead of "instances"')
        columns[name] = _to_json(value)
    if len(columns) == 1:
        return list(next(iter(columns.values())))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _to_json(value: Any) -> Any:
    """Plain JSON of an array: bytes as text, or as {"b64": ...} if they are none; a number that is none as null."""
    array = np.asarray(value)
    if array.dtype.kind in "OS":
        return _map(array.tolist(), _text)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return _map(array.tolist(), lambda item: item if math.isfinite(item) else None)
    return array.tolist()


def _map(value: Any, change: Any) -> Any:
    return [_map(item, change) for item in value] if isinstance(value, list) else change(value)


def _text(value: Any) -> Any:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
