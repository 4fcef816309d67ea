"""Reads and checks the artifacts a step is given against what it takes."""

from __future__ import annotations

from collections.abc import Mapping

from zenctl.config.decoding import Decoded
from zenctl.config.plain import Faulty
from zenctl.config.reading import guess
from zenctl.diagnostics import Diagnostic, error
from zenctl.engine.parameters import INPUTS
from zenctl.schema import ArtifactRef, StepType, Unknown


def read_inputs(decoded: Decoded) -> tuple[dict[str, ArtifactRef], list[Diagnostic]]:
    """The artifacts by input name. Which artifact it is must be known, though its content need not be."""
    given = decoded.data.get(INPUTS, {})
    diagnostics = []
    if isinstance(given, Unknown):
        if not isinstance(given, Faulty) and not _reported(decoded, (INPUTS,)):
            diagnostics.append(_undecided("inputs", decoded, (INPUTS,)))
        return {}, diagnostics
    inputs = {}
    for name, ref in given.items():
        if isinstance(ref, ArtifactRef):
            inputs[name] = ref
        elif isinstance(ref, Unknown) and not isinstance(ref, Faulty):
            diagnostics.append(_undecided(f"inputs.{name}", decoded, (INPUTS, name)))
    return inputs, diagnostics


def _reported(decoded: Decoded, place: tuple[str, ...]) -> bool:
    return place[0] in decoded.wrong


def _undecided(text: str, decoded: Decoded, place: tuple[str, ...]) -> Diagnostic:
    detail = "Its content may be unknown until apply, but not which step's output it is: plan needs the edge."
    return error("unknown_input", f'"{text}" is known only after apply', detail, range=decoded.range(place))


def check_inputs(inputs: Mapping[str, ArtifactRef], type_: StepType, decoded: Decoded, what: str) -> list[Diagnostic]:
    """A built-in step's inputs: each known by name, of a type that fits, and none missing."""
    declared = type_.inputs
    if declared is None:
        return []
    diagnostics = []
    given = decoded.data.get(INPUTS, {})
    names = given if isinstance(given, Mapping) else {}
    for name in names:
        if name not in declared:
            known = ", ".join(declared)
            detail = guess(name, declared, f"It takes {known}.")
            summary = f'{what} has no input "{name}"'
            place = decoded.range((INPUTS, name), key=True)
            diagnostics.append(error("unknown_input_name", _capital(summary), detail, range=place))
    for name, ref in inputs.items():
        wanted = declared[name].types if name in declared else ()
        if wanted and ref.type not in wanted:
            diagnostics.append(wrong_input(name, ref, " or ".join(wanted), decoded))
    if isinstance(given, Unknown):
        return diagnostics
    for name, declaration in declared.items():
        if declaration.required and name not in names:
            purpose = f": {declaration.description}" if declaration.description else ""
            detail = f"{name}{purpose}. Add it: inputs = {{ {name} = ... }}"
            summary = f'{what} needs the input "{name}"'
            place = decoded.range((INPUTS,))
            diagnostics.append(error("missing_input", _capital(summary), detail, range=place))
    return diagnostics


def wrong_input(name: str, ref: ArtifactRef, wanted: str, decoded: Decoded) -> Diagnostic:
    """An artifact of a type that does not fit."""
    summary = f'Input "{name}" must be a {wanted}, {ref} is a {ref.type}'
    return error("wrong_input_type", summary, range=decoded.range((INPUTS, name)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
