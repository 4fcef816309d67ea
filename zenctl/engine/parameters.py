"""The parameters of a decoded block: what counts for its fingerprint, with secrets replaced by their digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from zenctl.config.conforming import Place, fields
from zenctl.config.decoding import Decoded, text_of
from zenctl.diagnostics import Diagnostic, error
from zenctl.digests import sha256_json
from zenctl.schema import ArtifactRef, BlockModel, Unknown
from zenctl.schema.block import counts, fingerprinted

INPUTS = "inputs"
"""The attribute that holds artifacts: it is part of a fingerprint by their digests, never of the parameters."""


def parameters(model: type[BlockModel], decoded: Decoded) -> dict[str, Any]:
    """The fingerprinted attributes but `inputs`, defaults included; `Unknown` inside where not known."""
    if decoded.model is not None and not contains_unknown(decoded.data):
        params = fingerprinted(decoded.model)
        params.pop(INPUTS, None)
        return params
    values = attributes(model, decoded)
    return {n: values[n] for n, info in fields(model).items() if counts(info, values[n]) and n != INPUTS}


def attributes(model: type[BlockModel], decoded: Decoded) -> dict[str, Any]:
    """Every attribute, defaults included; those that are missing are `Unknown`."""
    return {n: decoded.data[n] if n in decoded.data else _default(info) for n, info in fields(model).items()}


def _default(info: FieldInfo) -> Any:
    return Unknown() if info.is_required() else info.get_default(call_default_factory=True)


def contains_unknown(value: Any) -> bool:
    """Whether anything in plain data is not known."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Unknown):
            return True
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
    return False


def secret_parameters(sensitive: Iterable[str], decoded: Decoded, inside: str = "") -> list[Diagnostic]:
    """A secret cannot be a parameter: parameters are written into the job's order, and into the record.

    `inside` is the attribute that the paths lie in.
    """
    detail = (
        "Parameters are written to the artifact store. Give the step the secret by reference instead: "
        'secrets = { TOKEN = "env:TOKEN" }, and read it with os.environ["TOKEN"]; or, if it is no secret, '
        "use nonsensitive(...)."
    )
    places = {text_of(place): place for place in decoded.sensitive}
    found = []
    for path in sensitive:
        whole = f"{inside}{'' if path.startswith('[') else '.'}{path}" if inside else path
        place = decoded.range(places.get(whole, (inside,)))
        found.append(error("sensitive_parameter", f'A sensitive value is given to "{whole}"', detail, range=place))
    return found


def redacted(params: Mapping[str, Any], secret: Iterable[Place]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parameters with each secret as {"sensitive": digest of its value}, and where these are.

    A secret that is not known yet stays `Unknown`.
    """
    places = sorted(set(secret), key=lambda place: (len(place), [str(part) for part in place]))
    outer = [p for i, p in enumerate(places) if not any(p[: len(q)] == q for q in places[:i])]
    result = dict(params)
    found = []
    for place in outer:
        if place and place[0] in result:
            result[str(place[0])] = _replaced(result[str(place[0])], place[1:])
            found.append(text_of(place))
    return result, tuple(sorted(found))


def _replaced(value: Any, rest: Place) -> Any:
    if not rest:
        return Unknown() if contains_unknown(value) else {"sensitive": sha256_json(_digestible(value))}
    if isinstance(value, Mapping) and rest[0] in value:
        return {key: _replaced(item, rest[1:]) if key == rest[0] else item for key, item in value.items()}
    if isinstance(value, (list, tuple)) and isinstance(rest[0], int) and rest[0] < len(value):
        return [_replaced(item, rest[1:]) if i == rest[0] else item for i, item in enumerate(value)]
    # The place is not in the data as it was decoded: hide the whole rather than show a part of it.
    return Unknown() if contains_unknown(value) else {"sensitive": sha256_json(_digestible(value))}


def _digestible(value: Any) -> Any:
    if isinstance(value, ArtifactRef):
        return value.digest or ""
    if isinstance(value, Mapping):
        return {str(key): _digestible(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_digestible(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
