"""How property tests run: anew each time for people, repeatable in CI. And that Ctrl-C is heard."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A run in CI must say something of the change and not of the day's luck; what people run searches on.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=int(os.environ.get("ZENCTL_TEST_EXAMPLES", "100")))
settings.load_profile("ci" if os.environ.get("CI") else "search")

# A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C: tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
