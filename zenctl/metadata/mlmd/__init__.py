"""The MetadataStore on ML Metadata; this package alone imports ml_metadata."""

from zenctl.metadata.mlmd.store import MlmdStore

__all__ = ["MlmdStore"]
