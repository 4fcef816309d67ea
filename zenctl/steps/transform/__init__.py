"""The step `transform`: learns from one dataset how to turn columns into numbers, and applies it to all.

`fitting` learns, `applying` applies to Arrow batches, `keras_layers` applies the same to tensors, `state` is what both
read. Only `schema` is imported at plan.
"""
