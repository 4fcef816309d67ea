"""Loaded by every Python that a test starts with this folder on PYTHONPATH: makes the faults that its variables name.

No variable, no fault. What of zenctl is wrapped, is wrapped as its module is imported: zenctl itself knows nothing of
it, and imports no more than it does without.
"""

import os

if os.environ.get("ZENCTL_TEST_POINTS"):
    import crash_points

    crash_points.install()
if os.environ.get("ZENCTL_TEST_CLOCK"):
    import shifted_clock

    shifted_clock.install()
if os.environ.get("ZENCTL_TEST_STANDIN_MODELS"):
    import standin_models

    standin_models.install()
if any(f"ZENCTL_TEST_{name}" in os.environ for name in ("HOST", "LEASE", "BUSY", "PACE")):
    import other_conditions

    other_conditions.install()
