"""The MetadataStore on ML Metadata; this package alone imports ml_metadata."""

import os

# MLMD's C++ code writes what it does to stderr, past Python's logging; it reads this when it is loaded.
os.environ.setdefault("GLOG_minloglevel", "3")

from zenctl.metadata.mlmd.sqlite import SqliteConnection
from zenctl.metadata.mlmd.store import MlmdStore

__all__ = ["MlmdStore", "SqliteConnection"]
