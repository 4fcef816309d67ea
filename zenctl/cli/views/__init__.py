"""The views: turn plans, events, states and diagnostics into text or JSON. Nothing else writes to a stream."""
