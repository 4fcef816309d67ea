"""Shows what came of making a result again: equal, or which files differ, with the metrics side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zenctl.cli.views.state import commit_text
from zenctl.cli.views.style import Style, pad, printable, short_digest, size
from zenctl.fingerprint.environment import short_image

if TYPE_CHECKING:
    from zenctl.engine.comparing import FileDifference, OutputComparison
    from zenctl.engine.reproducing import Reproduced

FORMAT_VERSION = "1.0"
"""Version of the document: a minor one only adds keys."""

MAX_FILES = 20
"""Files that are listed for people; -json has all."""


def reproduction_document(reproduced: Reproduced) -> dict[str, Any]:
    """What `reproduce -json` prints."""
    recorded, environment = reproduced.recorded, reproduced.environment
    return {
        "format_version": FORMAT_VERSION,
        "address": str(recorded.addr),
        "serial": recorded.serial,
        "execution_id": recorded.execution_id,
        "equal": reproduced.equal,
        "seconds": round(reproduced.seconds, 3),
        "code": {"digest": reproduced.code, **dict(recorded.code_version)},
        "environment": {
            "recorded": dict(recorded.environment),
            "origin": environment.origin,
            "equal": not environment.differences,
            "differences": [
                {"name": change.name, "recorded": change.before, "used": change.after}
                for change in environment.differences
            ],
            "problem": environment.problem,
        },
        "outputs": {output.name: _output(output) for output in reproduced.outputs},
    }


def _output(output: OutputComparison) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": output.type,
        "equal": output.equal,
        "recorded": output.recorded or None,
        "reproduced": output.reproduced or None,
    }
    if not output.equal and output.files is not None:
        document["files"] = [
            {"path": file.path, "recorded_bytes": file.recorded, "reproduced_bytes": file.reproduced}
            for file in output.files
        ]
    if output.metrics:
        document["metrics"] = {
            name: {"recorded": before, "reproduced": after} for name, (before, after) in output.metrics.items()
        }
    return document


def reproduction_lines(reproduced: Reproduced, style: Style) -> list[str]:
    """The same for people."""
    recorded, environment = reproduced.recorded, reproduced.environment
    lines = ["", style.bold(f"{recorded.addr} of apply {recorded.serial}"), *_made_with(reproduced, style), ""]
    width = max((len(output.name) for output in reproduced.outputs), default=0)
    for output in reproduced.outputs:
        lines += _output_lines(output, width, style)
    differing = sum(not output.equal for output in reproduced.outputs)
    if not differing:
        return [*lines, "", style.bold(style.green("Equal.")) + " Every byte is as it was recorded."]
    lines += ["", style.bold(style.red("Different:")) + f" {differing} of {len(reproduced.outputs)} outputs."]
    if environment.differences:
        return [*lines, "The environment was another one, which may be why."]
    return [
        *lines,
        "Code, inputs, parameters and packages were as recorded: something else decides what it writes.",
    ]


ORIGINS = {
    "here": "as it is here",
    "kept": "built before",
    "built": "built just now",
    "requirements": "by its requirements",
}
"""Where an environment comes from; an image is shown itself."""


def _made_with(reproduced: Reproduced, style: Style) -> list[str]:
    recorded, environment = reproduced.recorded, reproduced.environment
    facts = []
    commit = commit_text(recorded.code_version)
    if reproduced.code:
        facts.append(f"code         {short_digest(reproduced.code)}{f', {commit}' if commit else ''}")
    packages = len(recorded.environment.get("distributions", {}))
    places = {
        "here": "as it is here",
        "kept": "built before",
        "built": "built just now",
        "requirements": "by its requirements",
    }
    origin = places.get(environment.origin) or short_image(str(recorded.environment.get("image", "")))
    python = recorded.environment.get("python", "")
    text = f"Python {python}, {packages} packages, {origin}" if not environment.differences else "not as recorded"
    facts.append(f"environment  {text}")
    facts += [f"             {change} (recorded -> used)" for change in environment.differences]
    return [style.dim(f"  {printable(fact)}") for fact in facts]


def _output_lines(output: OutputComparison, width: int, style: Style) -> list[str]:
    name = pad(output.name, width)
    if output.equal:
        return [f"  {name}  {style.green('equal')}      {short_digest(output.recorded)}"]
    old, new = (short_digest(digest) if digest else "(none)" for digest in (output.recorded, output.reproduced))
    lines = [f"  {name}  {style.red('different')}  {old} -> {new}"]
    if output.files is None:
        lines.append("    what was recorded is not in the artifact store any more, so where is not known")
    for file in (output.files or ())[:MAX_FILES]:
        lines.append(f"    {printable(file.path)}: {_sizes(file)}")
    if output.files and len(output.files) > MAX_FILES:
        lines.append(f"    and {len(output.files) - MAX_FILES} more files")
    if output.metrics:
        names = max(len(metric) for metric in output.metrics)
        texts = {metric: (_value(before), _value(after)) for metric, (before, after) in output.metrics.items()}
        first = max(len("recorded"), *(len(before) for before, _ in texts.values()))
        lines.append(style.dim(f"    {pad('', names)}  {pad('recorded', first)}  reproduced"))
        for metric, (before, after) in texts.items():
            mark = "" if before == after else style.yellow("  *")
            lines.append(f"    {pad(printable(metric), names)}  {pad(before, first)}  {after}{mark}")
    return lines


def _sizes(file: FileDifference) -> str:
    if file.recorded is None:
        return f"only reproduced, {size(file.reproduced or 0)}"
    if file.reproduced is None:
        return f"only recorded, {size(file.recorded)}"
    if file.recorded == file.reproduced:
        return f"other content, {size(file.recorded)} in both"
    return f"{size(file.recorded)} -> {size(file.reproduced)}"


def _value(value: Any) -> str:
    return "(none)" if value is None else printable(str(value))
