"""Fingerprints: what a result depends on, found without running anything."""
