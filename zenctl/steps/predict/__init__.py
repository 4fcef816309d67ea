"""The step `predict`: what a model says of every row of a dataset, in a file. Only `schema` is imported at plan."""
