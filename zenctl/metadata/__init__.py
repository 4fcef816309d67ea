"""State: what was recorded in ML Metadata, who may write it, and how it reads back."""
