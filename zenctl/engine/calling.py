"""Holds a python step's block against its function's signature: inputs, outputs and parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.config.conforming import RESULT, Place
from zenctl.config.decoding import Decoded
from zenctl.config.modules import INSTALLED
from zenctl.config.plain import Faulty
from zenctl.config.reading import describe, guess
from zenctl.diagnostics import Diagnostic, did_you_mean, error
from zenctl.engine.desired import CodeRef
from zenctl.engine.inputs import wrong_input
from zenctl.fingerprint.git import parse_code_ref
from zenctl.fingerprint.signature import Signature
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import ArtifactRef, OutputDecl, Unknown

UNTYPED = frozenset({"Artifact", "Path"})
"""Annotations that take an artifact of any type."""

SCALARS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "list": (list,),
    "dict": (dict,),
    "None": (type(None),),
}
"""Annotations of parameters that can be checked, by the types of plain data they take."""

WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "list": "a list",
    "dict": "an object",
    "None": "null",
}


@dataclass(frozen=True, slots=True)
class Call:
    """How a step's code is called; empty where that is not known because of errors."""

    code: CodeRef | None = None
    outputs: Mapping[str, OutputDecl] = field(default_factory=dict, hash=False)
    as_types: Mapping[str, str] = field(default_factory=dict, hash=False)
    returned: str = ""
    files: tuple[str, ...] = ()
    checkpoints: str = ""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a call is checked from."""

    code: CodeRef
    signature: Signature
    decoded: Decoded
    inputs: Mapping[str, ArtifactRef]

    @property
    def place(self) -> Any:
        return self.code.range


def read_code(decoded: Decoded, folder: str = "") -> tuple[CodeRef | None, list[Diagnostic]]:
    """The attribute `code` of a block in a module's folder; None if it is wrong or missing."""
    text = decoded.data.get("code")
    place = decoded.range(("code",))
    if isinstance(text, Unknown):
        if isinstance(text, Faulty) or "code" in decoded.wrong:
            return None, []
        detail = "Plan reads the code to tell whether it has changed, so its place must be known before anything runs."
        return None, [error("unknown_code", '"code" is known only after apply', detail, range=place)]
    if not isinstance(text, str):
        return None, []
    found, problem = parse_code_ref(text)
    if problem is not None or found is None:
        return None, [problem.at(place)] if problem is not None else []
    if found.ref and folder.startswith(INSTALLED):
        detail = "The module is pinned to a commit by its source already. Name the file alone."
        return None, [error("invalid_code", "Code of a module from git cannot be pinned", detail, range=place)]
    # `${path.module}/` may stand before it: the folder is the module's anyway.
    repository = "" if found.repository == "." else found.repository
    file = found.file.replace("\\", "/").removeprefix(f"{folder}/" if folder and not repository else "")
    parts = [part for part in file.split("/") if part not in ("", ".")]
    if file.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", file):
        detail = "Give its path relative to the folder of the module; code must lie inside that folder."
        return None, [error("invalid_code", f'"{file}" is outside the configuration', detail, range=place)]
    declared = _mapping(decoded.data.get("outputs"))
    outputs = tuple(sorted((name, type_) for name, type_ in declared.items() if isinstance(type_, str)))
    return CodeRef("/".join(parts), found.function, found.ref, place, outputs, folder, repository), []


def resolve_call(arguments: Arguments) -> tuple[Call, list[Diagnostic]]:
    """Check inputs, outputs and parameters against the signature."""
    signature, decoded = arguments.signature, arguments.decoded
    outputs, diagnostics = _outputs(arguments)
    takes = {name: as_type for name, as_type in signature.inputs.items() if name not in outputs}
    diagnostics += _inputs(arguments, takes)
    diagnostics += _params(arguments, takes)
    files = decoded.data.get("files", [])
    call = Call(
        code=arguments.code,
        outputs=outputs,
        as_types={name: takes.get(name, "Artifact") for name in arguments.inputs},
        returned=RESULT if signature.returned else "",
        files=tuple(str(f) for f in files) if isinstance(files, list) else (),
        checkpoints=signature.checkpoints,
    )
    return call, diagnostics


def _outputs(arguments: Arguments) -> tuple[dict[str, OutputDecl], list[Diagnostic]]:
    """Those of the signature, then those declared in the block for parameters that it does not annotate."""
    signature, decoded = arguments.signature, arguments.decoded
    outputs = {name: OutputDecl(type_) for name, type_ in signature.outputs.items()}
    if signature.returned:
        outputs.setdefault(RESULT, OutputDecl("Artifact", "the value that the function returns"))
    declared = decoded.data.get("outputs", {})
    diagnostics = []
    for name, type_ in declared.items() if isinstance(declared, Mapping) else ():
        place = decoded.range(("outputs", name), key=True)
        if isinstance(type_, Unknown):
            continue
        if name in outputs:
            if outputs[name].type != type_:
                summary = f'Output "{name}" is a {outputs[name].type} in the function, a {type_} here'
                detail = "Remove it here: the function's signature is enough."
                diagnostics.append(error("wrong_output_type", summary, detail, range=place))
        elif name in signature.inputs or signature.has_var_keyword:
            outputs[name] = OutputDecl(type_)
        else:
            known = [*signature.inputs, *outputs]
            summary = f'The function {arguments.code.function} has no parameter "{name}" to write this output to'
            detail = f"Add the parameter `{name}: Output[{type_}]`.{did_you_mean(name, known)}"
            diagnostics.append(error("unknown_output", summary, detail, range=place))
    return outputs, diagnostics


def _inputs(arguments: Arguments, takes: Mapping[str, str]) -> list[Diagnostic]:
    signature, decoded, code = arguments.signature, arguments.decoded, arguments.code
    given = decoded.data.get("inputs", {})
    if isinstance(given, Unknown):
        return []
    diagnostics = []
    for name in given:
        if name in takes or signature.has_var_keyword:
            continue
        place = decoded.range(("inputs", name), key=True)
        if name in signature.params:
            detail = "It is a keyword-only parameter, so it is given in `params`."
        elif name in signature.outputs:
            detail = "It is an output of the function."
        else:
            detail = guess(name, takes, f"It takes {', '.join(takes) or 'no inputs'}.")
        summary = f'The function {code.function} has no input "{name}"'
        diagnostics.append(error("unknown_input_name", summary, detail, range=place))
    for name, ref in arguments.inputs.items():
        wanted = takes.get(name, "Artifact")
        if wanted not in UNTYPED and ref.type != wanted:
            diagnostics.append(wrong_input(name, ref, wanted, decoded))
    for name, as_type in takes.items():
        if name not in given and name not in signature.optional:
            where = f" ({signature.range})" if signature.range is not None else ""
            detail = f"Add it: inputs = {{ {name} = ... }}, with an artifact of type {as_type}."
            if name in _mapping(decoded.data.get("params")):
                detail = f"It is given in `params`; move it to `inputs`, or make it keyword-only: `*, {name}`."
            summary = f'The function {code.function}{where} needs the input "{name}"'
            place = decoded.range(("inputs",)) or arguments.place
            diagnostics.append(error("missing_input", summary, detail, range=place))
    return diagnostics


def _params(arguments: Arguments, takes: Mapping[str, str]) -> list[Diagnostic]:
    signature, decoded, code = arguments.signature, arguments.decoded, arguments.code
    given = decoded.data.get("params", {})
    if isinstance(given, Unknown):
        return []
    diagnostics = []
    for name, value in given.items():
        place: Place = ("params", name)
        declared = signature.params.get(name)
        if declared is not None:
            wanted = _mismatch(declared.annotation, value)
            if wanted:
                summary = f'"params.{name}" must be {wanted}, not {describe(value)}'
                detail = f"The function {code.function} declares `{name}: {declared.annotation}`."
                diagnostics.append(error("wrong_type", summary, detail, range=decoded.range(place)))
        elif name in takes:
            if name in arguments.inputs:
                summary = f'"{name}" is given in `inputs` and in `params`'
                diagnostics.append(error("duplicate", summary, range=decoded.range(place, key=True)))
        elif not signature.has_var_keyword:
            known = ", ".join(signature.params) or "no parameters"
            detail = guess(name, signature.params, f"It takes {known}.")
            if not signature.params:
                detail += f" Parameters are keyword-only: `def {code.function}(..., *, {name})`."
            summary = f'The function {code.function} has no parameter "{name}"'
            diagnostics.append(error("unknown_parameter", summary, detail, range=decoded.range(place, key=True)))
    for name, declared in signature.params.items():
        if declared.required and name not in given:
            where = f" ({signature.range})" if signature.range is not None else ""
            summary = f'The function {code.function}{where} needs the parameter "{name}"'
            detail = f"Add it: params = {{ {name} = ... }}"
            if name in _mapping(decoded.data.get("inputs")):
                detail = f"It is given in `inputs`; move it to `params`, or before the `*` in the function: {name}."
            place_ = decoded.range(("params",)) or arguments.place
            diagnostics.append(error("missing_parameter", summary, detail, range=place_))
    return diagnostics


def _mismatch(annotation: str, value: Any) -> str:
    """What a parameter's annotation asks for, if the value is something else; '' if it fits or cannot be told."""
    if isinstance(value, Unknown) or not annotation:
        return ""
    members = [m.strip() for m in _union_members(annotation)]
    bases = [member.split("[")[0] for member in members]
    if not all(base in SCALARS for base in bases):
        return ""
    for base in bases:
        if isinstance(value, SCALARS[base]) and (not isinstance(value, bool) or base == "bool"):
            return ""
    return " or ".join(WORDS[base] for base in bases)


def _union_members(annotation: str) -> list[str]:
    """The members of `a | b` and `Optional[a]`; splits outside brackets only."""
    text = annotation.strip()
    optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", text)
    if optional:
        return [*_union_members(optional[1]), "None"]
    members, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            members.append(text[start:i])
            start = i + 1
    return [*members, text[start:]]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
