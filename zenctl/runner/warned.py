"""Keeps what a job's code warns of: each thing once, without secrets, in bounded number and size."""

from __future__ import annotations

import sys
import threading
from typing import Iterable, List, Tuple

from zenctl.jobs.result import JobWarning
from zenctl.runner.secrets import redact

MOST = 20
"""Warnings of one job that are kept; what comes after them is counted, and stands in the log."""

SUMMARY, DETAIL = 200, 4000
"""Characters that are kept of each part."""


class Warned:
    """Hears `zenctl.sdk.warn`, from any thread, and writes it to the log too. `secrets` are values to hide."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = list(secrets)
        self._lock = threading.Lock()
        self._kept: List[JobWarning] = []
        self._more = 0

    def __call__(self, summary: str, detail: str = "") -> None:
        """Keep it. Raises ValueError for a summary that says nothing."""
        line = " ".join(str(summary).split())
        if not line:
            raise ValueError("a warning needs a summary")
        warning = JobWarning(self._safe(line, SUMMARY), self._safe(str(detail).rstrip(), DETAIL))
        with self._lock:
            if warning in self._kept:
                return
            if len(self._kept) < MOST:
                self._kept.append(warning)
            else:
                self._more += 1
        _log(warning)

    def all(self) -> Tuple[JobWarning, ...]:
        """What was warned of, in order; the last one says how many there are besides, if there are."""
        with self._lock:
            if not self._more:
                return tuple(self._kept)
            word = "warning" if self._more == 1 else "warnings"
            return (*self._kept, JobWarning(f"{self._more:,} more {word}", "They stand in the log."))

    def _safe(self, text: str, most: int) -> str:
        """Without secrets, as text that has a UTF-8 form, and short. Half a secret is one too, so it is cut last."""
        text = redact(text, self._secrets).encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= most else text[: most - 4] + " ..."


def _log(warning: JobWarning) -> None:
    """A log that nobody reads any more is no reason to fail."""
    text = "\n".join([f"Warning: {warning.summary}", *warning.detail.splitlines()])
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the job's log
    except (OSError, ValueError):
        return
