"""Limits the memory of a step's code, and lifts the limit again for what the runner does afterwards."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def limited(memory: int) -> Iterator[None]:
    """Within, a process may not have more than so many bytes of data; 0 for no limit. Only Linux keeps to it.

    It is the data that counts, not all addresses: TensorFlow and CUDA reserve many times of what they use. Each process
    that the code starts has the limit for itself.
    """
    if not memory or sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        # What it wrote has to be stored, whatever it has left.
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
