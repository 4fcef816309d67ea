"""Exit codes, and which diagnostics have one of their own. They are API: scripts rely on them."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from zenctl.diagnostics import Diagnostic, has_errors

OK = 0
ERROR = 1
CHANGES = 2
"""`plan -detailed-exitcode` found something to do."""
NOT_FORMATTED = 3
"""`fmt -check` found a file that it would change."""
LOCK_HELD = 4
PLAN_STALE = 5
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

_BY_CODE = {"lock_held": LOCK_HELD, "plan_stale": PLAN_STALE}


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """0 without errors; 4 or 5 if one of the errors has that code; else 1."""
    found = list(diagnostics)
    if not has_errors(found):
        return OK
    return next((_BY_CODE[d.code] for d in found if d.is_error and d.code in _BY_CODE), ERROR)
