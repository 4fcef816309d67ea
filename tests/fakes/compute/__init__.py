"""A fake Compute Engine on loopback: the real client talks to it, and its machines really run their startup scripts.

Every request and response is held to Google's compute.v1 discovery document; what does not fit is in `problems`.
"""

from tests.fakes.compute.cloud import FakeCompute
from tests.fakes.compute.server import Running, serving

__all__ = ["FakeCompute", "Running", "serving"]
