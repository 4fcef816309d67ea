"""The step `evaluate`: measures a model on raw rows, by slice, and passes it on if every gate is met."""
