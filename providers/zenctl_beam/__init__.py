"""The Beam provider: processing backends for data steps."""
