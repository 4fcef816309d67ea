"""Says which files of a recorded result were copied, and where to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.cli.views.style import Style, plural, printable, short_digest, size

if TYPE_CHECKING:
    from zenctl.engine.getting import Copied

_SHOWN = 12


def copied_lines(copied: Sequence[Copied], root: Path, style: Style) -> list[str]:
    """A block for each output: its type and digest, and its files by their paths."""
    lines: list[str] = []
    for one in copied:
        what = f"{one.recorded.addr}.{one.output}: {one.artifact.type} {short_digest(one.artifact.digest)}"
        lines.append(f"{style.bold(printable(what))}, {plural(len(one.files), 'file')}, {size(one.bytes)}")
        where = os.path.relpath(one.folder, root)
        shown = [printable(os.path.join(where, name)) for name in one.files[:_SHOWN]]
        more = len(one.files) - len(shown)
        lines += [f"  {name}" for name in shown] + ([f"  and {more:,} more in {printable(where)}"] if more else [])
    return lines
