"""How property tests run: anew each time for people, repeatable in CI."""

from __future__ import annotations

import os

from hypothesis import settings

# A run in CI must say something of the change and not of the day's luck; what people run searches on.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=int(os.environ.get("ZENCTL_TEST_EXAMPLES", "100")))
settings.load_profile("ci" if os.environ.get("CI") else "search")
