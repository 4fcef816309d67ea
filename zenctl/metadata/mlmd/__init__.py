"""The MetadataStore on ML Metadata; this package alone imports ml_metadata."""

import os

from zenctl.metadata.mlmd.late_grpc import put_off_grpc

put_off_grpc()
# MLMD's C++ code writes what it does to stderr, past Python's logging; it reads this when it is loaded.
os.environ.setdefault("GLOG_minloglevel", "3")

from zenctl.metadata.mlmd.sqlite import SqliteConnection  # noqa: E402
from zenctl.metadata.mlmd.store import MlmdStore  # noqa: E402

__all__ = ["MlmdStore", "SqliteConnection"]
