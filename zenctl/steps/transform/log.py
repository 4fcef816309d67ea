"""Writes to the log of the job: its standard output, which the runner keeps for `zenctl logs`."""

from __future__ import annotations

import os
import sys


def log(line: str) -> None:
    """Add one line, at once, so that who follows the log sees it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def prepare_tensorflow() -> None:
    """Keep TensorFlow's remarks about missing GPUs out of the log, and let Keras use it and no other backend.

    Works only before the first import of either; in a warm process that is the fork server's to do.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
