"""Checkpoints: a folder of a step's code that a later attempt at the same result gets back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Union


def _alone() -> bool:
    """Outside of a job nobody keeps it."""
    return False


class Checkpoints:
    """Where a step keeps what it has got so far. In a signature, `checkpoints: Checkpoints` asks for it.

    `path` is a folder (a pathlib.Path). It is empty, or holds what an earlier attempt at this very result had saved
    when it failed, was canceled, or lost its machine; `resumed` says which. Only attempts with the same code, inputs,
    parameters and environment count. What the step makes must not depend on whether it was resumed.

    The folder is saved by itself when its files have changed and then been left alone for a second, and when the step
    is ended early. Code that writes more often, or several files that belong together with pauses between them, calls
    `save` when they are complete: from the first call on, nothing else is saved.
    """

    def __init__(
        self, path: Union[str, "os.PathLike[str]"], resumed: bool = False, saver: Callable[[], bool] = _alone
    ) -> None:
        self.path = Path(path)
        self.resumed = resumed
        self._saver = saver

    def save(self) -> bool:
        """Save the folder as it is now: a later attempt gets exactly this, or a newer save, never a part of one.

        Gives whether it is kept. A store that fails costs the checkpoint and not the step, which is warned of; outside
        of a job nothing is kept.
        """
        return self._saver()

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Checkpoints({str(self.path)!r}, resumed={self.resumed})"
