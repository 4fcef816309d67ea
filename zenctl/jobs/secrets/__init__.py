"""Where secrets are kept, and how a job comes by their values."""
